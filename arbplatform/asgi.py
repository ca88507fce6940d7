"""ASGI entry point: ``uvicorn arbplatform.asgi:application``."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "arbplatform.settings.prod")

application = get_asgi_application()
