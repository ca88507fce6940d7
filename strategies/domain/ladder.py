"""One side of a book as functions of size: what it costs, how far it reaches."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import islice

from arbplatform.core.decimals import (
    ONE,
    ZERO,
    Amount,
    Fraction,
    Price,
    Quantity,
    ceil_to_step,
    floor_to_step,
)
from markets.domain.book import Level
from markets.domain.orders import Side


class Ladder:
    """Price levels, best first, with running totals.

    Immutable. The cost of taking ``q`` is convex in ``q`` on the ask side, the proceeds are
    concave on the bid side, and both are exact.
    """

    __slots__ = ("depth", "notionals", "prices", "quantities")

    def __init__(self, levels: Iterable[tuple[Price, Quantity]]) -> None:
        """Add up the levels.

        Args:
            levels: price [quote per base] and quantity [base], best first, quantities positive.
        """
        prices: list[Price] = []
        quantities: list[Quantity] = []
        notionals: list[Amount] = []
        quantity = notional = ZERO
        for price, size in levels:
            quantity += size
            notional += price * size
            prices.append(price)
            quantities.append(quantity)
            notionals.append(notional)
        self.prices: Sequence[Price] = prices
        self.quantities: Sequence[Quantity] = quantities
        """Up to and including each level [base]."""
        self.notionals: Sequence[Amount] = notionals
        """Up to and including each level [quote]."""
        self.depth: Quantity = quantity
        """All that is there [base]."""

    def level_of(self, quantity: Quantity) -> int:
        """Return the index of the worst level that an order of ``quantity`` touches.

        Args:
            quantity: [base], above 0 and not above ``depth``.
        """
        return bisect_left(self.quantities, quantity)

    def worst_price(self, quantity: Quantity) -> Price:
        """Return the price that an order must name to be filled wholly [quote per base].

        Args:
            quantity: [base], above 0 and not above ``depth``.
        """
        return self.prices[self.level_of(quantity)]

    def notional(self, quantity: Quantity) -> Amount:
        """Return price times quantity over all levels that an order takes [quote].

        Args:
            quantity: [base], from 0 to ``depth``.
        """
        if not quantity:
            return ZERO
        index = bisect_left(self.quantities, quantity)
        return self.notionals[index] - (self.quantities[index] - quantity) * self.prices[index]

    def quantity_worth(self, notional: Amount) -> Quantity:
        """Return how much an order takes for ``notional``, at most ``depth`` [base].

        Args:
            notional: what is paid or raised, walking the levels [quote].
        """
        if not self.notionals or notional >= self.notionals[-1]:
            return self.depth
        index = bisect_left(self.notionals, notional)
        excess = (self.notionals[index] - notional) / self.prices[index]
        return self.quantities[index] - excess

    def quantity_within(self, budget: Amount) -> Quantity:
        """Return the largest order that could be paid if all of it cost its worst price [base].

        That is what a venue sets aside for a limit order.

        Args:
            budget: what quantity x limit price may amount to [quote].
        """
        reached = ZERO
        for price, quantity in zip(self.prices, self.quantities, strict=True):
            affordable = budget / price
            if affordable < quantity:
                return max(reached, affordable)
            reached = quantity
        return reached

    def up_to(self, quantity: Quantity) -> "Ladder":
        """Return the part of the ladder that an order of at most ``quantity`` can touch.

        Args:
            quantity: [base].
        """
        if quantity >= self.depth:
            return self
        if quantity <= 0:
            return Ladder(())
        index = self.level_of(quantity)
        part = Ladder(())
        part.prices = self.prices[: index + 1]
        part.quantities = [*self.quantities[:index], quantity]
        part.notionals = [*self.notionals[:index], self.notional(quantity)]
        part.depth = quantity
        return part


def build_ladder(
    levels: Iterable[Level],
    *,
    side: Side,
    tick: Price,
    share: Fraction = ONE,
    depth: int | None = None,
    enough: Callable[[Price, Quantity], bool] | None = None,
) -> Ladder:
    """Return what an order can take from one side of a book.

    A level off the tick grid counts at the next worse grid price: only an order there reaches it.

    Args:
        levels: asks for a buy, bids for a sell, best first.
        side: of our order.
        tick: price grid [quote per base], positive.
        share: of each level that we count on, since others want it too; above 0, at most 1.
        depth: how many levels to look at; ``None`` for all.
        enough: asked after each level with its price and all that is there up to it; the levels
            behind the first one for which it holds are left out. ``None``: none are.
    """
    to_grid = ceil_to_step if side is Side.BUY else floor_to_step
    taken = levels if depth is None else islice(levels, depth)
    return Ladder(_take(taken, tick, share, to_grid, enough))


def _take(
    levels: Iterable[Level],
    tick: Price,
    share: Fraction,
    to_grid: Callable[[Decimal, Decimal], Decimal],
    enough: Callable[[Price, Quantity], bool] | None,
) -> Iterator[tuple[Price, Quantity]]:
    total = ZERO
    for price, quantity in levels:
        on_grid = to_grid(price, tick) if price % tick else price
        if on_grid <= 0 or quantity <= 0:
            continue
        counted = quantity if share == ONE else quantity * share
        yield on_grid, counted
        if enough is not None:
            total += counted
            if enough(on_grid, total):
                return
