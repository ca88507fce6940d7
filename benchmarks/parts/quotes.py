"""Made-up markets, and streams of best prices that are told to a nominator of the engine."""

import time
from collections.abc import Callable, Sequence
from decimal import Decimal

from markets.domain.fees import FeeSchedule
from markets.domain.rules import MarketRules
from strategies.domain.view import MarketKey

ROUNDS = 3
US_PER_S = 1e6
FEE = Decimal("0.001")

Quote = tuple[MarketKey, float, float]
"""Market, best bid, best ask."""
Update = Callable[[MarketKey, float, float], bool]
"""Takes a quote; returns whether a decision is worth it."""


def make_rules(
    key: MarketKey, *, tick: str = "1e-8", lot: str = "1e-8", notional_min: str = "0"
) -> MarketRules:
    """Return rules of a market with the usual fee of 0.1 %."""
    base, quote = key.symbol.split("/")
    return MarketRules(
        venue=key.venue,
        symbol=key.symbol,
        base=base,
        quote=quote,
        tick=Decimal(tick),
        lot=Decimal(lot),
        quantity_min=Decimal(lot),
        quantity_max=None,
        notional_min=Decimal(notional_min),
        fees=FeeSchedule(maker=FEE, taker=FEE),
    )


def play(update: Update, stream: Sequence[Quote]) -> tuple[list[float], int]:
    """Tell all quotes, one by one; return what each took [µs], and how many said yes."""
    clock = time.perf_counter_ns
    took_us, yes = [], 0
    for key, bid, ask in stream:
        began = clock()
        answer = update(key, bid, ask)
        took_us.append((clock() - began) / 1e3)
        yes += answer
    return took_us, yes


def cost_us(update: Update, stream: Sequence[Quote]) -> float:
    """Return the CPU time of a quote, on average over the stream, in the best round [µs]."""
    costs = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for key, bid, ask in stream:
            update(key, bid, ask)
        costs.append((time.process_time() - began) * US_PER_S / len(stream))
    return min(costs)
