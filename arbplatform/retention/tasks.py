"""Background work of retention."""

from celery import shared_task

from arbplatform.retention import pruning


@shared_task(name="retention.prune", ignore_result=True)
def prune() -> int:
    """Remove what has been kept long enough, as far as one run goes; return how many rows."""
    return sum(done.removed_count for done in pruning.prune())
