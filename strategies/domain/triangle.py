"""Three markets of one venue that lead back to where they start."""

from collections.abc import Mapping
from decimal import Decimal

from arbplatform.core.decimals import ONE, ZERO, Amount
from markets.domain.book import Book
from markets.domain.orders import Side
from markets.domain.rules import MarketRules
from strategies.domain.candidate import Terms, Trade
from strategies.domain.cycles import Cycle
from strategies.domain.edge import PricedLeg, fee_factors, round_trip_rate
from strategies.domain.intents import Intent, Rejection
from strategies.domain.sizing import reject_at_top, size_sequence


def trades_of(
    cycle: Cycle,
    *,
    books: Mapping[str, Book],
    rules: Mapping[str, MarketRules],
    free: Mapping[str, Amount],
) -> tuple[Trade, ...]:
    """Return the trades of a cycle, in sequence.

    Args:
        cycle: entered at its start asset.
        books: of the venue, by symbol.
        rules: of the venue, by symbol.
        free: what the account has [units of the asset], by asset.
    """
    return tuple(
        Trade(
            rules=rules[hop.symbol],
            side=hop.side,
            book=books[hop.symbol],
            free=free.get(hop.spent, ZERO),
        )
        for hop in cycle.hops
    )


def size_triangle(trades: tuple[Trade, ...], *, terms: Terms, subject: str) -> Intent | Rejection:
    """Return the most profitable trip around a cycle, or why there is none.

    Args:
        trades: of the cycle, in sequence.
        terms: of the strategy; amounts in the start asset.
        subject: names the cycle for people.
    """
    return reject_at_top(trades, terms, subject=subject) or size_sequence(
        trades, terms=terms, subject=subject
    )


def top_rates(book: Book, rules: MarketRules) -> dict[Side, float]:
    """Return what a unit brings at the top of a book in both directions, to nominate cycles.

    Args:
        book: of the market; a side that is empty is left out.
        rules: of the market.
    """
    rates = {}
    for side, best in ((Side.BUY, book.best_ask), (Side.SELL, book.best_bid)):
        if best is not None and best.price > 0:
            leg = PricedLeg(side, best.price, fee_factors(rules.fees, side))
            rates[side] = float(round_trip_rate((leg,)))
    return rates


def value_in(
    amount: Amount,
    asset: str,
    target: str,
    *,
    books: Mapping[str, Book],
    rules: Mapping[str, MarketRules],
) -> Decimal | None:
    """Return what ``amount`` is worth in another asset at the best price that it could be sold for.

    Args:
        amount: [units of ``asset``].
        asset: its code.
        target: code of the asset to value in.
        books: of the venue, by symbol.
        rules: of the venue, by symbol.

    Returns:
        [units of ``target``]; ``None`` when no book joins the two assets.
    """
    if asset == target:
        return amount
    for symbol, market in rules.items():
        book = books.get(symbol)
        if book is None:
            continue
        if (market.base, market.quote) == (asset, target) and book.best_bid:
            return amount * book.best_bid.price
        if (market.base, market.quote) == (target, asset) and book.best_ask:
            return amount * (ONE / book.best_ask.price)
    return None
