"""Own trades that the books do not show yet.

What we have just taken from a book is still in it until the venue's next message. A decision in
between would want the same levels again: one leg would find nothing, and the other would have to be
reversed at a loss. So a market that was traded on rests until its book shows that it knows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from markets.domain.live_book import LiveBook
from strategies.sdk import MarketKey

WAIT_MS_MAX: Final = 1_000
"""A book that has said nothing for so long after a trade is taken as it is [ms]."""


@dataclass(frozen=True, slots=True)
class _Echo:
    version: int
    traded_at_ms: int
    until_ms: float


class Echoes:
    """The markets of one strategy that must show its last trade first."""

    def __init__(self) -> None:
        self._awaited: dict[MarketKey, _Echo] = {}

    def expect(
        self, trades: Mapping[MarketKey, int], versions: Mapping[MarketKey, int], *, now_ms: float
    ) -> None:
        """Wait for the books to show some trades.

        Args:
            trades: when each market was last traded on [ms since epoch, the venue's clock].
            versions: of the books that were decided on.
            now_ms: the monotonic clock [ms].
        """
        for key, traded_at_ms in trades.items():
            self._awaited[key] = _Echo(versions.get(key, 0), traded_at_ms, now_ms + WAIT_MS_MAX)

    def hear(self, key: MarketKey, book: LiveBook) -> None:
        """Look whether a book shows what was traded on it."""
        echo = self._awaited.get(key)
        if echo is None or book.version == echo.version:
            return
        if book.venue_time_ms is None or book.venue_time_ms >= echo.traded_at_ms:
            del self._awaited[key]

    def forget(self, key: MarketKey) -> None:
        """Wait no longer for a market: its book is gone, and the next one will be a new one."""
        self._awaited.pop(key, None)

    def wait_ms(self, now_ms: float) -> float:
        """Return for how long the strategy has to wait at most [ms]; 0 when it need not.

        Args:
            now_ms: the monotonic clock [ms].
        """
        for key in [key for key, echo in self._awaited.items() if echo.until_ms <= now_ms]:
            del self._awaited[key]
        return max((echo.until_ms - now_ms for echo in self._awaited.values()), default=0)
