"""The price of a pair, when several markets of it state different ones.

No venue is believed because it comes first. A price counts if it is young and its spread narrow:
the middle of a wide spread may be anywhere in it. Of those that count the median is taken, so that
one market that is wrong moves little as soon as three state a price; of two the one with the
narrower spread.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final, NamedTuple

from arbplatform.core.decimals import ZERO, Fraction, Price
from markets.domain.quote import Ticker
from markets.domain.rules import MarketRules
from strategies.domain.view import MarketKey

TICKER_AGE_MS_MAX: Final = 90_000
"""A ticker that was not told again for so long prices nothing; of a market that is listed, it is
told once a minute even if nothing has changed [ms]."""
SPREAD_MAX: Final = Decimal("0.03")
"""Between bid and ask, of the bid; a market with a wider one prices nothing."""

Pair = tuple[str, str]


class Stated(NamedTuple):
    """What one market states.

    Attributes:
        mid: middle of bid and ask [quote per base].
        spread: between them, of the bid.
        venue: code of the venue.
    """

    mid: Price
    spread: Fraction
    venue: str


def choose_mids(
    tickers: Iterable[Ticker], rules: Mapping[MarketKey, MarketRules], *, now_ms: int
) -> dict[Pair, Price]:
    """Return the price of each pair that some market states well enough.

    Args:
        tickers: best prices of any markets.
        rules: say which pair a market trades; one that is not active prices nothing.
        now_ms: the present [ms since epoch].

    Returns:
        (base, quote) to the middle of bid and ask [quote per base], the pair with the narrowest
        spread first: what is priced by way of a second asset takes the better known way.
    """
    stated: dict[Pair, list[Stated]] = {}
    for ticker in tickers:
        market = rules.get(MarketKey(ticker.venue, ticker.symbol))
        price = None if market is None or not market.is_active else _read(ticker, now_ms)
        if market is not None and price is not None:
            stated.setdefault((market.base, market.quote), []).append(price)
    chosen = {pair: _choose(prices) for pair, prices in stated.items()}
    return {pair: chosen[pair].mid for pair in sorted(chosen, key=lambda p: (chosen[p].spread, p))}


def _read(ticker: Ticker, now_ms: int) -> Stated | None:
    """Return what a ticker states, if it counts."""
    bid, ask = ticker.bid, ticker.ask
    if now_ms - ticker.received_at_ms > TICKER_AGE_MS_MAX:
        return None
    if not bid or not ask or not ZERO < bid < ask:
        return None
    spread = ask / bid - 1
    return None if spread > SPREAD_MAX else Stated((bid + ask) / 2, spread, ticker.venue)


def _choose(prices: list[Stated]) -> Stated:
    """Return the median; of the two in the middle, the one with the narrower spread."""
    prices.sort()
    middle = prices[(len(prices) - 1) // 2 : len(prices) // 2 + 1]
    return min(middle, key=lambda price: (price.spread, price.venue))
