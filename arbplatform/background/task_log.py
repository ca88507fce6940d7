"""Log lines of a task carry its id; Celery does not touch how they look."""

from typing import Any

from celery import signals

from arbplatform.logs import task_id


def install() -> None:
    """Listen to Celery in this process."""
    signals.setup_logging.connect(_keep_ours, weak=False, dispatch_uid="arb.log.setup")
    signals.task_prerun.connect(_enter, weak=False, dispatch_uid="arb.log.enter")
    signals.task_postrun.connect(_leave, weak=False, dispatch_uid="arb.log.leave")


def _keep_ours(**_: Any) -> None:
    """Do nothing: a listener is what keeps Celery from configuring logging itself."""


def _enter(task_id: str | None = None, **_: Any) -> None:
    _set(task_id or "")


def _leave(**_: Any) -> None:
    _set("")


def _set(value: str) -> None:
    task_id.set(value)
