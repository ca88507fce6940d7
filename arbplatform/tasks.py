"""Background work of the platform as a whole."""

from typing import Final

from celery import shared_task

from arbplatform.alarms import AlarmWatch
from arbplatform.background.single import alone
from arbplatform.notices.delivering import deliver_due

_WATCH: Final = AlarmWatch()


@shared_task(name="notices.sweep", ignore_result=True)
@alone(longest_s=60)
def sweep_notices() -> None:
    """Find what needs a person, and send what waits to be told.

    What waits is sent even if looking fails.
    """
    try:
        _WATCH.look()
    finally:
        deliver_due()
