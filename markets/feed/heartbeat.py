"""Compares silent markets with REST: a live connection proves nothing about a frozen stream."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from math import inf

from markets.feed.market import MarketFeed
from markets.feed.reader import RestReader
from markets.feed.timing import Timing
from markets.gateway.base import VenueSpec

logger = logging.getLogger(__name__)

ONE_BY_ONE_MAX = 5
"""More silent markets than this are compared by one request for the whole venue."""
DEPTH = 5

Best = tuple[Decimal | None, Decimal | None]


class Heartbeat:
    """Watches over the silent markets of one venue.

    Args:
        spec: how to reach the venue.
        reader: reads over REST.
        timing: how long to wait for what.
        now_ms: reads the steady clock [ms].
        frozen: is told of a feed that said nothing although its market has moved.
        quiet: is told of a suspect feed whose market has not moved either.
    """

    def __init__(
        self,
        spec: VenueSpec,
        reader: RestReader,
        *,
        timing: Timing,
        now_ms: Callable[[], float],
        frozen: Callable[[MarketFeed], None],
        quiet: Callable[[MarketFeed], None],
    ) -> None:
        self._spec = spec
        self._reader = reader
        self._timing = timing
        self._now_ms = now_ms
        self._frozen = frozen
        self._quiet = quiet
        self._task: asyncio.Task[None] | None = None

    def is_silent(self, feed: MarketFeed, now_ms: float) -> bool:
        """Return whether a feed said nothing for long and was not compared lately."""
        looked_at_ms = -inf if feed.agreement is None else feed.agreement.asked_at_ms
        newest_ms = max(feed.heard_at_ms, feed.checked_at_ms, looked_at_ms)
        is_watched = feed.is_healthy or feed.is_suspect
        return is_watched and now_ms - newest_ms >= self._timing.silence_ms

    def compare(self, feeds: Sequence[MarketFeed]) -> None:
        """Compare silent feeds with what the venue says now, unless that is being done."""
        if feeds and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._compare(feeds))

    async def close(self) -> None:
        """Compare nothing more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _compare(self, feeds: Sequence[MarketFeed]) -> None:
        asked_at_ms = self._now_ms()
        try:
            best = await self._read(feeds)
        except Exception as error:  # noqa: BLE001  whatever it was
            # Nothing is concluded from a read that failed; the next look tries again.
            logger.info("%s: silent markets could not be compared: %s", self._spec.code, error)
            self._note(feeds, asked_at_ms - self._timing.silence_ms + self._timing.look_ms)
            return
        self._note(feeds, asked_at_ms)
        differing = []
        for feed in feeds:
            if _differs(feed, best.get(feed.book.symbol)):
                differing.append(feed)
            elif feed.is_suspect and feed.book.symbol in best:
                self._quiet(feed)
        if not differing:
            return
        await asyncio.sleep(self._timing.grace_ms / 1_000)
        for feed in differing:
            if feed.heard_at_ms < asked_at_ms and (feed.is_healthy or feed.is_suspect):
                self._frozen(feed)

    async def _read(self, feeds: Sequence[MarketFeed]) -> Mapping[str, Best]:
        if len(feeds) > ONE_BY_ONE_MAX:
            tickers = await self._reader.tickers(self._spec)
            return {symbol: (row.bid, row.ask) for symbol, row in tickers.items()}
        found: dict[str, Best] = {}
        for feed in feeds:
            book = await self._reader.book(self._spec, feed.book.symbol, DEPTH)
            bid, ask = book.best_bid, book.best_ask
            found[feed.book.symbol] = (bid and bid.price, ask and ask.price)
        return found

    @staticmethod
    def _note(feeds: Sequence[MarketFeed], checked_at_ms: float) -> None:
        for feed in feeds:
            feed.checked_at_ms = checked_at_ms


def _differs(feed: MarketFeed, best: Best | None) -> bool:
    """Return whether the venue shows other best prices; where it shows none, that says nothing."""
    if best is None:
        return False
    book = feed.book
    bid, ask = best
    return (bid is not None and float(bid) != book.best_bid) or (
        ask is not None and float(ask) != book.best_ask
    )
