"""What movements are worth, without ever taking the unknown for zero."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from statistics import median
from typing import Final

from arbplatform.core.decimals import ONE, SMALLEST_STORED, STORED_LIMIT, ZERO, Amount, Price

HOPS_MAX = 3
"""Markets that may lie between an asset and the reporting asset."""
PAIR: Final = 2
"""So many prices have no middle one."""


@dataclass(frozen=True, slots=True)
class Valuation:
    """What amounts of several assets are worth together.

    Attributes:
        total: of everything that has a price [reporting asset].
        unpriced: codes of the assets that have none, in order: they are not in ``total``.
    """

    total: Amount
    unpriced: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing in the total."""
        return not self.unpriced


@dataclass(frozen=True, slots=True)
class Quote:
    """The best prices of one book.

    Attributes:
        bid: best bid [quote per base], positive.
        ask: best ask [quote per base], above the bid.
    """

    bid: Price
    ask: Price

    @property
    def mid(self) -> Price:
        """The middle of bid and ask [quote per base]."""
        return (self.bid + self.ask) / 2

    @property
    def spread(self) -> Decimal:
        """How far bid and ask are apart [share of the middle]."""
        return (self.ask - self.bid) / self.mid


def choose_mid(quotes: Sequence[Quote]) -> Price:
    """Return what a pair is worth by the books of several venues of the same moment.

    Of three and more it is the median of their middles, which one that is off does not move; of
    two the middle of the one whose bid and ask are closer together, as they are where more is
    traded; if they are equally close, of the first.

    Args:
        quotes: at least one, the most trusted venue first.
    """
    if len(quotes) <= PAIR:
        return min(quotes, key=lambda quote: quote.spread).mid
    return median(quote.mid for quote in quotes)


def net_by_asset(movements: Iterable[tuple[str, Amount]]) -> dict[str, Amount]:
    """Return the sum of the movements of each asset; those that come to nothing are left out.

    Args:
        movements: pairs of asset code and amount [units of the asset].
    """
    totals: dict[str, Amount] = {}
    for asset, amount in movements:
        totals[asset] = totals.get(asset, ZERO) + amount
    return {asset: total for asset, total in totals.items() if total}


def value_amounts(amounts: Mapping[str, Amount], prices: Mapping[str, Price]) -> Valuation:
    """Return what ``amounts`` are worth together.

    What would make the total too large to be kept has an absurd price, which counts as none.

    Args:
        amounts: asset code to amount [units of the asset].
        prices: asset code to price [reporting asset per unit].
    """
    total, unpriced = ZERO, []
    for asset, amount in amounts.items():
        value = value_of(amount, prices.get(asset))
        if value is not None and abs(total + value) < STORED_LIMIT:
            total += value
        elif amount:
            unpriced.append(asset)
    return Valuation(total, tuple(sorted(unpriced)))


def value_of(amount: Amount, price: Price | None) -> Amount | None:
    """Return what an amount is worth, rounded down to what can be stored.

    Args:
        amount: [units of an asset].
        price: [reporting asset per unit]; ``None``: not known.

    Returns:
        The value [reporting asset]; ``None``: not known, or too large to be kept, so that the
        price must be absurd.
    """
    if price is None:
        return None
    value = amount * price
    return _floor(value) if abs(value) < STORED_LIMIT else None


def derive_prices(
    mids: Mapping[tuple[str, str], Price], reporting: str
) -> dict[str, tuple[Price, str]]:
    """Return the price of every asset that markets connect with the reporting asset.

    The nearest connection counts: a direct market before one by way of a second asset. A price too
    large or too small to be kept is none, and nothing is priced by way of it: one absurd book must
    not take all others with it.

    Args:
        mids: (base, quote) to the middle of bid and ask [quote per base], positive.
        reporting: code of the reporting asset.

    Returns:
        Asset code to price [reporting asset per unit, rounded down to what can be stored], and
        the markets it comes from as text.
    """
    rates: dict[str, list[tuple[str, Price, str]]] = {}
    for (base, quote), mid in mids.items():
        rates.setdefault(quote, []).append((base, mid, f"{base}/{quote}"))
        rates.setdefault(base, []).append((quote, ONE / mid, f"{base}/{quote}"))
    exact: dict[str, tuple[Price, str]] = {reporting: (ONE, "")}
    frontier = [reporting]
    for _hop in range(HOPS_MAX):
        reached = []
        for known in frontier:
            price, path = exact[known]
            for asset, rate, market in rates.get(known, ()):
                if asset not in exact and SMALLEST_STORED <= rate * price < STORED_LIMIT:
                    exact[asset] = (rate * price, f"{market} {path}".strip())
                    reached.append(asset)
        frontier = reached
    return {asset: (_floor(price), path) for asset, (price, path) in exact.items()}


def _floor(value: Decimal) -> Decimal:
    return value.quantize(SMALLEST_STORED, rounding=ROUND_FLOOR)
