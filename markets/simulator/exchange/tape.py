"""What the public sees of past trades: the tape, candles and the last day's figures."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from arbplatform.core.clock import from_ms, to_ms
from markets.simulator.exchange.orders import Trade

SECOND_MS = 1_000
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
INTERVALS_MS: dict[str, int] = {
    "1s": SECOND_MS,
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": 60 * MINUTE_MS,
    "2h": 120 * MINUTE_MS,
    "4h": 240 * MINUTE_MS,
    "6h": 360 * MINUTE_MS,
    "8h": 480 * MINUTE_MS,
    "12h": 720 * MINUTE_MS,
    "1d": DAY_MS,
    "3d": 3 * DAY_MS,
    "1w": 7 * DAY_MS,
    "1M": 31 * DAY_MS,
}
"""Widths of candles [ms]; a month is at most that wide."""

TRADES_KEPT_MAX = 1_000
SECONDS_KEPT_MAX = 1_000
MINUTES_KEPT_MAX = 2_880
"""Two days in which something was traded every minute: candles of less than an hour."""
HOURS_KEPT_MAX = 1_440
"""Two months: the wider ones. Together a market that is never still takes 2.4 MB."""
_FIRST_MONDAY_MS = 4 * DAY_MS
_STATISTICS_AGE_MS = 500


@dataclass(slots=True)
class Candle:
    """Trades of one span of time.

    Attributes:
        opened_ms: its start [ms since epoch].
        open, high, low, close: [ticks].
        volume: [lots].
        cost: [quote units].
        trades: how many.
        taker_volume: what takers bought [lots].
        taker_cost: for which they paid [quote units].
        first_id, last_id: trade ids; -1 when there was none.
    """

    opened_ms: int
    open: int
    high: int
    low: int
    close: int
    volume: int = 0
    cost: int = 0
    trades: int = 0
    taker_volume: int = 0
    taker_cost: int = 0
    first_id: int = -1
    last_id: int = -1

    def merge(self, other: "Candle") -> None:
        """Take in the candle that follows."""
        self.high = max(self.high, other.high)
        self.low = min(self.low, other.low)
        self.close = other.close
        self.volume += other.volume
        self.cost += other.cost
        self.trades += other.trades
        self.taker_volume += other.taker_volume
        self.taker_cost += other.taker_cost
        self.first_id = other.first_id if self.first_id < 0 else self.first_id
        self.last_id = other.last_id if other.last_id >= 0 else self.last_id


def open_of(interval: str, at_ms: int) -> int:
    """Return the start of the candle of ``interval`` that holds the moment [ms since epoch]."""
    if interval == "1M":
        moment = from_ms(at_ms)
        return to_ms(datetime(moment.year, moment.month, 1, tzinfo=UTC))
    width = INTERVALS_MS[interval]
    offset = _FIRST_MONDAY_MS if interval == "1w" else 0
    return (at_ms - offset) // width * width + offset


class Tape:
    """The public history of one market, bounded.

    Attributes:
        trades: the latest ones, oldest first.
    """

    def __init__(self) -> None:
        self.trades: deque[Trade] = deque(maxlen=TRADES_KEPT_MAX)
        self._seconds: deque[Candle] = deque(maxlen=SECONDS_KEPT_MAX)
        self._minutes: deque[Candle] = deque(maxlen=MINUTES_KEPT_MAX)
        self._hours: deque[Candle] = deque(maxlen=HOURS_KEPT_MAX)
        self._day: Candle | None = None
        self._day_made_ms = 0

    def record(self, trades: Iterable[Trade]) -> None:
        """Add what was just traded."""
        for trade in trades:
            self.trades.append(trade)
            self._add(self._seconds, SECOND_MS, trade)
            self._add(self._minutes, MINUTE_MS, trade)
            self._add(self._hours, HOUR_MS, trade)

    def begin_with(self, minutes: Iterable[Candle]) -> None:
        """Put invented minutes, oldest first, before the first trade."""
        for candle in minutes:
            self._minutes.append(candle)
            opened_ms = open_of("1h", candle.opened_ms)
            if self._hours and self._hours[-1].opened_ms == opened_ms:
                self._hours[-1].merge(candle)
            else:
                self._hours.append(_copy(candle, opened_ms))

    def last_price(self) -> int:
        """Return the latest price [ticks], or 0 when nothing was traded yet."""
        return self._minutes[-1].close if self._minutes else 0

    def candles(self, interval: str, now_ms: int) -> list[Candle]:
        """Return all candles of ``interval`` up to now, oldest first, gaps filled in flat.

        Args:
            interval: a key of ``INTERVALS_MS``.
            now_ms: [ms since epoch].
        """
        source = self._source_of(interval)
        made: list[Candle] = []
        for candle in source:
            opened_ms = open_of(interval, candle.opened_ms)
            if made and made[-1].opened_ms == opened_ms:
                made[-1].merge(candle)
                continue
            made.extend(_flat_between(made, interval, opened_ms))
            made.append(_copy(candle, opened_ms))
        made.extend(_flat_between(made, interval, open_of(interval, now_ms) + 1))
        return made

    def current(self, interval: str, now_ms: int) -> Candle | None:
        """Return the candle of ``interval`` that is not closed yet, if anything was ever traded."""
        source = self._source_of(interval)
        if not source:
            return None
        opened_ms = open_of(interval, now_ms)
        made: Candle | None = None
        for candle in reversed(source):
            if candle.opened_ms < opened_ms:
                break
            made = candle if made is None else _joined(candle, made)
        if made is None:
            close = source[-1].close
            return Candle(opened_ms, close, close, close, close)
        return _copy(made, opened_ms)

    def day(self, now_ms: int) -> Candle | None:
        """Return the last 24 h as one candle, at most half a second old; ``None`` if no trade."""
        if now_ms - self._day_made_ms >= _STATISTICS_AGE_MS:
            self._day_made_ms = now_ms
            self._day = self._sum_day(now_ms)
        return self._day

    def _sum_day(self, now_ms: int) -> Candle | None:
        since_ms = now_ms - DAY_MS
        made: Candle | None = None
        for candle in self._minutes:
            if candle.opened_ms < since_ms:
                continue
            if made is None:
                made = _copy(candle, since_ms)
            else:
                made.merge(candle)
        if made is None and self._minutes:
            close = self._minutes[-1].close
            made = Candle(since_ms, close, close, close, close)
        return made

    def _source_of(self, interval: str) -> deque[Candle]:
        """Return the candles that those of ``interval`` are made of."""
        if interval == "1s":
            return self._seconds
        return self._minutes if INTERVALS_MS[interval] < HOUR_MS else self._hours

    @staticmethod
    def _add(series: deque[Candle], width_ms: int, trade: Trade) -> None:
        opened_ms = trade.at_ms - trade.at_ms % width_ms
        if not series or series[-1].opened_ms < opened_ms:
            price = trade.price
            series.append(Candle(opened_ms, price, price, price, price))
        candle = series[-1]
        candle.high = max(candle.high, trade.price)
        candle.low = min(candle.low, trade.price)
        candle.close = trade.price
        candle.volume += trade.quantity
        candle.cost += trade.cost
        candle.trades += 1
        if trade.taker.is_buy:
            candle.taker_volume += trade.quantity
            candle.taker_cost += trade.cost
        if candle.first_id < 0:
            candle.first_id = trade.id
        candle.last_id = trade.id


_FLAT_MAX = 20_160
"""Candles without a trade that are made up for one gap."""


def _flat_between(made: list[Candle], interval: str, until_ms: int) -> Iterator[Candle]:
    """Yield empty candles after the last one made, up to before ``until_ms``."""
    if not made:
        return
    close = made[-1].close
    opened_ms = _next_open(interval, made[-1].opened_ms)
    for _ in range(_FLAT_MAX):
        if opened_ms >= until_ms:
            return
        yield Candle(opened_ms, close, close, close, close)
        opened_ms = _next_open(interval, opened_ms)


def _next_open(interval: str, opened_ms: int) -> int:
    return open_of(interval, opened_ms + INTERVALS_MS[interval])


def _copy(candle: Candle, opened_ms: int) -> Candle:
    return Candle(
        opened_ms,
        candle.open,
        candle.high,
        candle.low,
        candle.close,
        candle.volume,
        candle.cost,
        candle.trades,
        candle.taker_volume,
        candle.taker_cost,
        candle.first_id,
        candle.last_id,
    )


def _joined(first: Candle, second: Candle) -> Candle:
    made = _copy(first, first.opened_ms)
    made.merge(second)
    return made
