"""Background work of the API's frame."""

from celery import shared_task

from arbplatform.api import answers


@shared_task(name="api.prune_answers", ignore_result=True)
def prune_answers() -> int:
    """Remove kept answers that are too old or too many; return how many."""
    return answers.prune()
