"""Background work on markets: re-read by id, one service each."""

from celery import shared_task

from arbplatform.background.single import alone
from arbplatform.core.errors import NotFound
from markets.errors import VenueDisabled, VenueError
from markets.services import clocks, health, markets


@shared_task(name="markets.measure_clocks", ignore_result=True)
@alone(longest_s=120)
def measure_clocks() -> None:
    """Measure how far our clock is from that of every enabled venue."""
    clocks.measure_all_clocks()


@shared_task(name="markets.watch_venues", ignore_result=True)
def watch_venues() -> None:
    """Keep how every enabled venue is, and ask those that are ill whether they are well again."""
    health.watch_venues()


@shared_task(name="markets.sync_all_markets", ignore_result=True)
@alone(longest_s=600)
def sync_all_markets() -> None:
    """Synchronise the markets of every enabled venue."""
    markets.sync_all_markets()


@shared_task(
    name="markets.sync_markets",
    ignore_result=True,
    autoretry_for=(VenueError,),
    retry_backoff=2,
    retry_backoff_max=60,
    max_retries=5,
)
def sync_markets(venue_id: int) -> None:
    """Synchronise the markets of one venue; a read, so it is tried again."""
    try:
        markets.sync_markets(venue_id=venue_id)
    except (NotFound, VenueDisabled):
        return  # deleted or switched off since the message was sent
