"""The Celery application; ``celery -A arbplatform`` finds it here."""

import os

from celery import Celery

from arbplatform.background import draining, heartbeat, task_log

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "arbplatform.settings.prod")

app = Celery("arbplatform")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
draining.install()
heartbeat.install()
task_log.install()
