"""The task that finds alarms and sends what is due."""

import pytest
from celery import current_app
from django.conf import settings as django_settings
from django.db import OperationalError

from arbplatform import tasks
from arbplatform.notices.channels import SWEEP
from arbplatform.notices.models import Notice, NoticeState
from arbplatform.watch import NOTICE_TASKS


def test_the_task_bears_the_name_that_schedule_worker_and_commands_use():
    names = {name for name in current_app.tasks if name.startswith("notices.")}
    (entry,) = (
        one for one in django_settings.CELERY_BEAT_SCHEDULE.values() if one["task"] == SWEEP
    )

    assert names == {SWEEP} == set(NOTICE_TASKS)
    assert entry["options"] == {"expire_seconds": 10}
    assert django_settings.CELERY_TASK_ROUTES[SWEEP] == {"queue": "safety"}


class Blind:
    """A watch that cannot see."""

    def look(self):
        raise OperationalError("away")


def test_what_waits_is_sent_even_if_looking_fails(service, add, monkeypatch):
    channel = add(address=service.url, heartbeat_at=None)
    tasks.sweep_notices()
    Notice.objects.create(
        channel=channel,
        kind="test",
        severity=10,
        message={"template": "x", "context": {}},
        created_at=channel.created_at,
        due_at=channel.created_at,
    )
    monkeypatch.setattr(tasks, "_WATCH", Blind())

    with pytest.raises(OperationalError):
        tasks.sweep_notices()

    assert Notice.objects.filter(kind="test").get().state == NoticeState.SENT
