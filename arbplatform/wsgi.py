"""WSGI entry point, for servers that serve HTTP by threads or processes."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "arbplatform.settings.prod")

application = get_wsgi_application()
