"""The books of all markets of a pump, followed by our own feeds."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from benchmarks.parts.pump import RunningPump

READY_S = 120.0


@asynccontextmanager
async def following(
    pump: RunningPump, listener: Any, *, codes: Sequence[str], symbols: Sequence[str]
) -> AsyncIterator[Callable[[], int]]:
    """Follow books as long as the context lasts; yield what counts those that are live.

    Args:
        pump: that sends them; it is silent again at the end.
        listener: told of every change.
        codes: of the venues; the pump is each of them.
        symbols: that are followed at each.
    """
    from markets.feed.hub import FeedHub  # noqa: PLC0415  after django.setup()
    from markets.gateway.base import VenueSpec  # noqa: PLC0415

    hub = FeedHub(listener=listener)
    specs = [
        VenueSpec(code, "okx", rest_origin=pump.rest_origin, ws_origin=pump.ws_origin)
        for code in codes
    ]
    hub.want({spec: list(symbols) for spec in specs})
    try:
        yield lambda: sum(hub.book(code, each) is not None for code in codes for each in symbols)
    finally:
        await asyncio.to_thread(pump.command, "rate?per_s=0")
        await hub.close()


async def wait_until(condition: Callable[[], bool], what: str) -> float:
    """Return how long it took until something held [s].

    Raises:
        SystemExit: it did not come to that in time.
    """
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > READY_S:
            raise SystemExit(f"in vain waited {READY_S:g} s for {what}")
        await asyncio.sleep(0.1)
    return time.monotonic() - began
