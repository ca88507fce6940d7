"""The loop of an engine put together with what it has in a process of its own."""

from django.conf import settings

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.stages import StageRecorder
from markets.feed.gates import BookListener
from markets.feed.private import PrivateListener, PrivateStream
from markets.feed.reader import RestReader
from markets.gateway.base import Credentials, VenueSpec
from markets.services.live_feeds import open_live_feeds
from strategies.engine.loop import EngineLoop
from strategies.engine.ports import Feeds, Keeper


async def trade(
    keeper: Keeper, clock: Clock = SYSTEM_CLOCK, recorder: StageRecorder | None = None
) -> None:
    """Trade what a keeper holds on the streams of its venues, until cancelled.

    Args:
        keeper: keeps the leases of this process.
        clock: tells the time.
        recorder: counts how long stages take, if somebody wants to read it here.
    """

    def open_feeds(listener: BookListener) -> Feeds:
        return open_live_feeds(
            listener,
            name=keeper.engine.name,
            timeout_ms=settings.VENUE_TIMEOUT_MS,
            clock=clock,
        )

    reader = RestReader()

    def open_account(
        spec: VenueSpec, credentials: Credentials, listener: PrivateListener
    ) -> PrivateStream:
        return PrivateStream(
            spec,
            credentials,
            listener=listener,
            reader=reader,
            timeout_ms=settings.VENUE_TIMEOUT_MS,
            clock=clock,
        )

    loop = EngineLoop(
        keeper=keeper,
        open_feeds=open_feeds,
        recorder=recorder,
        clock=clock,
        open_account=open_account,
    )
    try:
        await loop.run()
    finally:
        reader.close()
