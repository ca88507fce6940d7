"""Work after a commit: a task is announced only once its row can be read by a worker."""

from celery import current_app
from django.db import transaction


def enqueue_on_commit(task_name: str, /, **ids: int | str) -> None:
    """Send the task ``task_name`` after the present transaction commits.

    A message can be lost between commit and broker, so every row that is worked on this way also
    has a periodic sweep. Tasks are named, not imported: a lower app can wake an upper one.

    Args:
        task_name: ``"<app>.<verb>_<noun>"``.
        ids: the task's arguments; ids only, never models or secrets.
    """
    transaction.on_commit(lambda: current_app.send_task(task_name, kwargs=ids), robust=True)
