"""What an asset is worth in another one by the books of a decision.

A surplus is marked at what it can be sold for, a shortage at what it costs to buy back. Marks are
rounded down to what can be stored once; whoever uses one uses the stored number, so that every
later product is exact.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR

from arbplatform.core.decimals import (
    ONE,
    SMALLEST_STORED,
    STORED_DECIMAL_PLACES,
    ZERO,
    Amount,
    Price,
)
from markets.domain.book import Book

HOPS_MAX = 4
"""Markets that may lie between an asset and the one that it is valued in."""


@dataclass(frozen=True, slots=True)
class Quoted:
    """A market with its book.

    Attributes:
        base, quote: codes of its assets.
        book: at the moment that counts.
    """

    base: str
    quote: str
    book: Book


def mark(quoted: Sequence[Quoted], asset: str, movements: Mapping[str, Amount]) -> dict[str, Price]:
    """Return the mark of every asset that the books connect with ``asset``.

    Args:
        quoted: the markets; of several with the same pair the first counts.
        asset: code of the asset to value in.
        movements: a negative one is a shortage [units of the asset].

    Returns:
        Price by asset code [units of ``asset``], that of ``asset`` itself included.
    """
    surplus = _reach(quoted, asset, is_surplus=True)
    shortage = _reach(quoted, asset, is_surplus=False)
    return {
        code: price
        for code in surplus | shortage
        if (price := (shortage if movements.get(code, ZERO) < 0 else surplus).get(code)) is not None
    }


def _reach(quoted: Sequence[Quoted], asset: str, *, is_surplus: bool) -> dict[str, Price]:
    exact: dict[str, Price] = {asset: ONE}
    for _hop in range(HOPS_MAX):
        found: dict[str, Price] = {}
        for market in quoted:
            for code, other in ((market.base, market.quote), (market.quote, market.base)):
                if code in exact or code in found or other not in exact:
                    continue
                rate = _rate(market, code, is_surplus=is_surplus)
                if rate is not None:
                    found[code] = rate * exact[other]
        if not found:
            break
        exact |= found
    return {code: storable(price) for code, price in exact.items()}


def _rate(market: Quoted, code: str, *, is_surplus: bool) -> Price | None:
    """Return what one unit of ``code`` brings, or costs, in the other asset of its market."""
    is_base = code == market.base
    # selling base and buying it back with quote both meet the bids, the other two the asks
    level = market.book.best_bid if is_base == is_surplus else market.book.best_ask
    if level is None or level.price <= 0:
        return None
    return level.price if is_base else ONE / level.price


def storable(price: Price) -> Price:
    """Return a price with no more decimals than the books keep, rounded down."""
    exponent = price.as_tuple().exponent
    if isinstance(exponent, int) and exponent >= -STORED_DECIMAL_PLACES:
        return price
    return price.quantize(SMALLEST_STORED, rounding=ROUND_FLOOR)
