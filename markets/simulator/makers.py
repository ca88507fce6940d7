"""Synthetic makers: one fair price per asset for all venues, and what sets each venue apart.

- Each asset's fair price walks at random; all venues share it.
- Each venue adds a slow deviation per *asset*, so that its cross rates stay consistent.
- Now and then one *market* of a venue is dislocated for some seconds: that, and only that, opens
  triangular edges, and cross-venue ones with it.
- Liquidity that is taken comes back slowly, so that an edge can be used up.

Random numbers are floats; what is quoted is whole ticks and lots.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from markets.simulator.config import MakersConfig
from markets.simulator.exchange.listing import Listing
from markets.simulator.exchange.tape import MINUTE_MS, Candle
from markets.simulator.exchange.units import UNITS_PER_ONE
from markets.simulator.venue import Venue

BPS = 1e-4
_REFILL_HALF_LIFE_S = 2.0
_SIZE_STEP = 0.5
"""Each level is this much of the best one larger than the level before."""
_CANDLE_STEPS = 6
_FIRST_SHIFT_SOONER = 0.3
"""The first dislocation comes sooner: who starts a simulation wants to see one."""


class FairPrices:
    """The random walk that all venues share.

    Args:
        prices: at the start [reporting unit per asset].
        volatility_bps: standard deviation per second [bps].
        random: source of randomness.
    """

    def __init__(self, prices: dict[str, float], volatility_bps: float, random: Random) -> None:
        self._logs = {asset: math.log(price) for asset, price in prices.items()}
        self._walking = [asset for asset, price in prices.items() if price != 1]
        self._volatility = volatility_bps * BPS
        self._random = random
        self._at_ms: int | None = None

    def advance(self, now_ms: int) -> None:
        """Walk to ``now_ms`` [ms since epoch]."""
        if self._at_ms is not None and now_ms > self._at_ms:
            step = self._volatility * math.sqrt((now_ms - self._at_ms) / 1000)
            for asset in self._walking:
                self._logs[asset] += self._random.gauss(0, step)
        if self._at_ms is None or now_ms > self._at_ms:
            self._at_ms = now_ms

    def log_of(self, asset: str) -> float:
        """Return the logarithm of an asset's fair price."""
        return self._logs[asset]


@dataclass(slots=True)
class _MarketState:
    """What the makers remember about one market.

    Attributes:
        shift: present dislocation [log price].
        shift_ends_ms: when it is over [ms since epoch].
        next_flow_ms: when the next anonymous taker comes [ms since epoch].
        quoted: what was put on bids and asks last time [lots].
        taken: of bids and asks and not refilled yet [lots].
    """

    shift: float = 0.0
    shift_ends_ms: float = 0.0
    next_flow_ms: float = 0.0
    quoted: list[int] = field(default_factory=lambda: [0, 0])
    taken: list[float] = field(default_factory=lambda: [0.0, 0.0])


class Makers:
    """The makers of one venue.

    Attributes:
        interval_ms: time between two rounds [ms].

    Args:
        venue: where they quote.
        config: how.
        fair: the prices that all venues share.
        random: this venue's own source of randomness.
    """

    def __init__(
        self, venue: Venue, config: MakersConfig, fair: FairPrices, random: Random
    ) -> None:
        self.interval_ms = config.interval_ms
        self._venue = venue
        self._config = config
        self._fair = fair
        self._random = random
        self._deviations = dict.fromkeys(venue.engine.assets, 0.0)
        self._states = {listing.id: _MarketState() for listing in venue.listings.values()}
        self._at_ms: int | None = None
        self._next_shift_ms = math.inf

    def start(self, now_ms: int) -> None:
        """Invent the past, make plans, and quote all markets for the first time."""
        self._fair.advance(now_ms)
        first_wait_ms = self._wait_ms(self._config.dislocation_every_s) * _FIRST_SHIFT_SOONER
        self._next_shift_ms = now_ms + first_wait_ms
        for listing in self._venue.listings.values():
            state = self._states[listing.id]
            state.next_flow_ms = now_ms + self._wait_ms(self._config.flow_every_s)
            self._venue.tapes[listing.id].begin_with(self._invent_past(listing, now_ms))
        for _ in self.rounds(now_ms):
            pass

    def rounds(self, now_ms: int) -> Iterator[str]:
        """Quote one market after the other, yielding its id: the caller may do other work between.

        Args:
            now_ms: [ms since epoch].
        """
        self._fair.advance(now_ms)
        elapsed_s = 0.0 if self._at_ms is None else max(now_ms - self._at_ms, 0) / 1000
        self._at_ms = now_ms
        self._deviate(elapsed_s)
        self._dislocate(now_ms)
        for listing in self._venue.listings.values():
            state = self._states[listing.id]
            self._quote(listing, state, elapsed_s)
            self._let_flow(listing, state, now_ms)
            yield listing.id

    def _wait_ms(self, mean_s: float) -> float:
        """Return a random time to the next event [ms]; never for a mean of 0.

        Between half and one and a half of the mean: nobody has to wait very long.
        """
        return mean_s * self._random.uniform(0.5, 1.5) * 1000 if mean_s else math.inf

    def _deviate(self, elapsed_s: float) -> None:
        """Let every asset's deviation forget a little and wander a little."""
        keep = 0.5 ** (elapsed_s / self._config.noise_half_life_s)
        step = self._config.noise_bps * BPS * math.sqrt(1 - keep * keep)
        for asset in self._deviations:
            self._deviations[asset] *= keep
            if step:
                self._deviations[asset] += self._random.gauss(0, step)

    def _dislocate(self, now_ms: int) -> None:
        """End dislocations that are over, and start one when its time has come."""
        for state in self._states.values():
            if state.shift and now_ms >= state.shift_ends_ms:
                state.shift = 0.0
        if now_ms < self._next_shift_ms:
            return
        state = self._random.choice(list(self._states.values()))
        size_bps = self._random.uniform(*self._config.dislocation_bps)
        state.shift = self._random.choice((-1, 1)) * size_bps * BPS
        lasts_s = self._random.uniform(*self._config.dislocation_lasts_s)
        state.shift_ends_ms = now_ms + lasts_s * 1000
        self._next_shift_ms = now_ms + self._wait_ms(self._config.dislocation_every_s)

    def _middle(self, listing: Listing) -> float:
        """Return the logarithm of the middle price [quote per base]."""
        base, quote = listing.base, listing.quote
        fair = self._fair.log_of(base) - self._fair.log_of(quote)
        return fair + self._deviations[base] - self._deviations[quote]

    def _quote(self, listing: Listing, state: _MarketState, elapsed_s: float) -> None:
        middle = math.exp(self._middle(listing) + state.shift)
        tick = listing.tick_units / UNITS_PER_ONE
        base_value = math.exp(self._fair.log_of(listing.base))
        lot_value = listing.lot_units / UNITS_PER_ONE * base_value
        best_lots = float(self._config.level_notional) / lot_value
        wanted: list[dict[int, int]] = []
        for side, sign in ((0, -1), (1, 1)):
            standing = sum(order.remaining for order in listing.house[side].values())
            taken = state.taken[side] * 0.5 ** (elapsed_s / _REFILL_HALF_LIFE_S)
            taken += max(state.quoted[side] - standing, 0)
            state.taken[side] = taken
            levels = self._ladder(middle / tick, sign, best_lots)
            wanted.append(_without(levels, int(taken)))
        bids, asks = wanted
        self._venue.quote(listing, bids, asks)
        state.quoted = [
            sum(order.remaining for order in listing.house[side].values()) for side in (0, 1)
        ]

    def _ladder(self, middle_ticks: float, sign: int, best_lots: float) -> dict[int, int]:
        """Return price [ticks] to quantity [lots], best first, of one side."""
        levels: dict[int, int] = {}
        for index in range(self._config.levels):
            away_bps = self._config.spread_bps / 2 + index * self._config.level_bps
            price = middle_ticks * (1 + sign * away_bps * BPS)
            ticks = math.floor(price) if sign < 0 else math.ceil(price)
            lots = int(best_lots * (1 + index * _SIZE_STEP) * self._random.uniform(0.8, 1.2))
            if ticks > 0 and lots > 0:
                levels[ticks] = levels.get(ticks, 0) + lots
        return levels

    def _let_flow(self, listing: Listing, state: _MarketState, now_ms: int) -> None:
        """Let an anonymous taker trade a little, when its time has come."""
        if now_ms < state.next_flow_ms:
            return
        state.next_flow_ms = now_ms + self._wait_ms(self._config.flow_every_s)
        is_buy = self._random.random() < 0.5  # noqa: PLR2004 - heads or tails
        side = listing.book.asks if is_buy else listing.book.bids
        best = side.best()
        if best is not None:
            lots = max(int(best[1] * self._random.uniform(0.02, 0.3)), 1)
            self._venue.take(listing, is_buy=is_buy, quantity=lots)

    def _invent_past(self, listing: Listing, now_ms: int) -> list[Candle]:
        """Return minute candles that lead up to the present price, oldest first."""
        step = self._config.volatility_bps * BPS * math.sqrt(MINUTE_MS / 1000 / _CANDLE_STEPS)
        log_price = self._middle(listing) - math.log(listing.tick_units / UNITS_PER_ONE)
        opened_ms = now_ms - now_ms % MINUTE_MS
        made: list[Candle] = []
        for index in range(1, self._config.history_minutes + 1):
            path = [log_price]
            for _ in range(_CANDLE_STEPS):
                path.append(path[-1] + self._random.gauss(0, step))
            log_price = path[-1]
            ticks = [max(round(math.exp(value)), 1) for value in path]
            volume = self._invent_volume(listing)
            made.append(
                Candle(
                    opened_ms - index * MINUTE_MS,
                    open=ticks[-1],
                    high=max(ticks),
                    low=min(ticks),
                    close=ticks[0],
                    volume=volume,
                    cost=volume * ticks[0] * listing.cost_unit,
                    trades=self._random.randint(10, 40),
                    taker_volume=volume // 2,
                    taker_cost=volume // 2 * ticks[0] * listing.cost_unit,
                )
            )
        return made[::-1]

    def _invent_volume(self, listing: Listing) -> int:
        value = float(self._config.level_notional) * self._random.uniform(0.5, 3)
        lot_value = listing.lot_units / UNITS_PER_ONE * math.exp(self._fair.log_of(listing.base))
        return max(int(value / lot_value), 1)


def _without(levels: dict[int, int], taken: int) -> dict[int, int]:
    """Return ``levels`` without ``taken`` [lots] from the best ones on."""
    left: dict[int, int] = {}
    for price, lots in levels.items():
        used = min(lots, taken)
        taken -= used
        if lots > used:
            left[price] = lots - used
    return left
