"""A closed chain of orders on lot grids, as a function of its size.

Every arbitrage here is a chain: each order spends what the one before brings, and the last one
brings back the asset that the first one spends. Cross-venue: buy base, sell base. Triangular: three
orders. The chain of a decision is exact: books, fees, lots, minima and maxima, in ``Decimal``.

Lots make the profit a saw-tooth. What tames it: fix the lots of *one* leg, the pivot, and the best
lots of all others follow, because what a leg spends and brings both grow with its size. Before the
pivot each leg takes the fewest lots that bring enough, after it the most that can be paid. So the
best chain of all is found by trying the lots of the pivot alone (``Chain.flow``), and those that
cannot win are known without trying, since dropping the lot grid of all other legs gives a concave
function that nothing beats (``Chain.ceiling``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NamedTuple

from arbplatform.core.decimals import ONE, ZERO, Amount, Fraction, Quantity
from markets.domain.orders import Side
from strategies.domain.edge import Factors
from strategies.domain.ladder import Ladder

FEE_ROUNDING_ALLOWANCE = Decimal("0.0000001")
"""What rounded fees may take more than the exact ones between two legs [units of the asset].

Venues book with 8 decimals and round every fill: this is ten fills off by one unit each. Without
it, a leg that counts on the last unit would lose a whole lot when one is missing."""

TINY = Decimal("1e-40")
"""Far above the rounding of a division at our precision, far below any price or quantity."""


@dataclass(frozen=True, slots=True)
class ChainLeg:
    """One order of a chain as a function of its quantity.

    Attributes:
        side: of the order.
        ladder: the levels that it may take: what depth, funds and limits leave of the book.
        factors: effect of the fee.
        lot: quantity grid [base], positive.
        quantity_min: smallest order [base].
        notional_min: smallest quantity x limit price [quote].
        funds: what the account has of the asset that the leg spends, beside what the leg before
            brings [units of it]. Covers what the venue sets aside above the expected cost.
        lots_min: the smallest order, whatever its notional [lots].
    """

    side: Side
    ladder: Ladder
    factors: Factors
    lot: Quantity
    quantity_min: Quantity = ZERO
    notional_min: Amount = ZERO
    funds: Amount = ZERO
    lots_min: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lots_min", max(1, _ceil(self.quantity_min / self.lot)))

    @property
    def lots_max(self) -> int:
        """The largest order [lots]."""
        return _floor(self.ladder.depth / self.lot)

    def spent(self, quantity: Quantity) -> Amount:
        """Return what leaves [quote on a buy, base on a sell]."""
        plain = self.ladder.notional(quantity) if self.side is Side.BUY else quantity
        return plain * self.factors.spend

    def received(self, quantity: Quantity) -> Amount:
        """Return what arrives [base on a buy, quote on a sell]."""
        plain = quantity if self.side is Side.BUY else self.ladder.notional(quantity)
        return plain * self.factors.receive

    def set_aside(self, quantity: Quantity) -> Amount:
        """Return what the venue locks for the order at its worst price [units spent]."""
        if self.side is Side.SELL:
            return quantity * self.factors.spend
        return quantity * self.ladder.worst_price(quantity) * self.factors.spend

    def needs(self, quantity: Quantity) -> Amount:
        """Return what the leg before has to bring, so that the order is paid and accepted.

        Args:
            quantity: [base], above 0.
        """
        if self.side is Side.SELL:
            return self.spent(quantity)
        return max(self.spent(quantity), self.set_aside(quantity) - self.funds)

    def quantity_spending(self, amount: Amount) -> Quantity:
        """Return the quantity that ``amount`` pays for, at most the depth [base].

        Args:
            amount: [quote on a buy, base on a sell].
        """
        plain = amount / self.factors.spend
        if self.side is Side.BUY:
            return self.ladder.quantity_worth(plain)
        return min(plain, self.ladder.depth)

    def quantity_bringing(self, amount: Amount) -> Quantity | None:
        """Return the quantity that brings ``amount``; ``None`` when the depth does not [base].

        Args:
            amount: [base on a buy, quote on a sell].
        """
        plain = amount / self.factors.receive
        if self.side is Side.BUY:
            return plain if plain <= self.ladder.depth else None
        notionals = self.ladder.notionals
        if not notionals or plain > notionals[-1]:
            return None
        return self.ladder.quantity_worth(plain)

    def lots_bringing(self, amount: Amount) -> int | None:
        """Return the fewest allowed lots that bring at least ``amount``; ``None``: none do."""
        quantity = self.quantity_bringing(amount)
        return None if quantity is None else self.lots_from(_ceil(quantity / self.lot))

    def lots_within(self, amount: Amount) -> int | None:
        """Return the most allowed lots that need at most ``amount``; ``None``: none do."""
        quantity = self.quantity_spending(amount)
        if self.side is Side.BUY:
            budget = (amount + self.funds) / self.factors.spend
            quantity = min(quantity, self.ladder.quantity_within(budget))
        return self.lots_to(_floor(quantity / self.lot))

    def allows(self, lots: int) -> bool:
        """Return whether the venue takes an order of exactly ``lots``, and the ladder has it."""
        ladder, quantity = self.ladder, lots * self.lot
        if lots < self.lots_min or quantity > ladder.depth:
            return False
        return quantity * ladder.worst_price(quantity) >= self.notional_min

    def lots_from(self, lots: int) -> int | None:
        """Return the fewest allowed lots that are not below ``lots``; ``None``: none are."""
        lots = max(lots, self.lots_min)
        while (quantity := lots * self.lot) <= self.ladder.depth:
            level = self.ladder.level_of(quantity)
            price = self.ladder.prices[level]
            if quantity * price >= self.notional_min:
                return lots
            # Inside one level the notional at the worst price grows with the size; a sell that
            # reaches into the next one falls back.
            lots = max(lots, _ceil(self.notional_min / (price * self.lot)))
            if lots * self.lot <= self.ladder.quantities[level]:
                return lots
            lots = _floor(self.ladder.quantities[level] / self.lot) + 1
        return None

    def lots_to(self, lots: int) -> int | None:
        """Return the most allowed lots that are not above ``lots``; ``None``: none are."""
        lots = min(lots, self.lots_max)
        while lots >= self.lots_min:
            quantity = lots * self.lot
            level = self.ladder.level_of(quantity)
            if quantity * self.ladder.prices[level] >= self.notional_min:
                return lots
            lots = _floor(self.ladder.quantities[level - 1] / self.lot) if level else 0
        return None


class Flow(NamedTuple):
    """The cash flows of a chain at one size.

    Attributes:
        lots, quantities: of each leg [lots, base].
        spent, received: by each leg, at expected prices, fees included [units of its asset].
        leftovers: what each leg but the last brings more than the next one spends.
        leftover_value: what the leftovers are worth [start asset].
        profit: received at the end − spent at the start + value of the leftovers [start asset].
    """

    lots: tuple[int, ...]
    quantities: tuple[Quantity, ...]
    spent: tuple[Amount, ...]
    received: tuple[Amount, ...]
    leftovers: tuple[Amount, ...]
    leftover_value: Amount
    profit: Amount


@dataclass(frozen=True, slots=True)
class Chain:
    """Orders that lead back to the asset they start from.

    Attributes:
        legs: in sequence.
        pivot: index of the leg whose lots are tried.
        edge_min: least profit per unit spent that a flow must have [fraction].
        leftover_values: what a unit left over after each leg but the last counts [start asset].
            For the leg after the pivot it must not exceed what the leg makes of a unit anywhere
            in its ladder, else fewer lots could be better than more.
        dust_max: most that the leftovers may be worth, per unit spent [fraction].
    """

    legs: tuple[ChainLeg, ...]
    pivot: int
    edge_min: Fraction = ZERO
    leftover_values: tuple[Amount, ...] = ()
    dust_max: Fraction = ONE

    def flow(self, lots: int) -> Flow | None:
        """Return the best flow in which the pivot trades exactly ``lots``.

        Args:
            lots: of the pivot, at least 1.

        Returns:
            ``None`` when no choice of the other legs is allowed, or none meets ``edge_min`` and
            ``dust_max``.
        """
        legs, start = self.legs, self.pivot
        if not legs[start].allows(lots):
            return None
        chosen, quantities = [lots], [lots * legs[start].lot]
        for index in range(start - 1, -1, -1):
            needed = legs[index + 1].needs(quantities[0]) + self._allowance(index)
            found = legs[index].lots_bringing(needed)
            if found is None:
                return None
            chosen.insert(0, found)
            quantities.insert(0, found * legs[index].lot)
        received = [
            leg.received(quantity)
            for leg, quantity in zip(legs[: start + 1], quantities, strict=True)
        ]
        for index in range(start + 1, len(legs)):
            leg = legs[index]
            found = leg.lots_within(received[-1] - self._allowance(index - 1))
            if found is None:
                return None
            chosen.append(found)
            quantities.append(found * leg.lot)
            received.append(leg.received(quantities[-1]))
        flow = self._flow_of(chosen, quantities, received)
        is_good = (
            flow.profit >= self.edge_min * flow.spent[0]
            and flow.leftover_value <= self.dust_max * flow.spent[0]
        )
        return flow if is_good else None

    def ceiling(self, lots: int) -> Amount | None:
        """Return what ``flow(lots)`` cannot exceed: the profit if the other legs had no lots.

        Concave in ``lots``, and what it is not ``None`` for is an interval.

        Args:
            lots: of the pivot, at least 1.

        Returns:
            [start asset]; ``None`` when not even then a flow is possible.
        """
        pivot = self.legs[self.pivot]
        quantity = lots * pivot.lot
        if quantity > pivot.ladder.depth:
            return None
        spent = pivot.spent(quantity)
        for leg in reversed(self.legs[: self.pivot]):
            needed = leg.quantity_bringing(spent)
            if needed is None:
                return None
            spent = leg.spent(needed)
        received, leftover_value = pivot.received(quantity), ZERO
        for index in range(self.pivot + 1, len(self.legs)):
            leg = self.legs[index]
            possible = leg.quantity_spending(received)
            leftover_value += (received - leg.spent(possible)) * self._value(index - 1)
            received = leg.received(possible)
        profit = received - spent + leftover_value
        return profit if profit >= (self.edge_min - TINY) * spent else None

    def range_of_pivot(self) -> range:
        """Return the lots of the pivot outside which no flow is possible."""
        pivot = self.legs[self.pivot]
        fewest = pivot.lots_from(1)
        if fewest is None or any(leg.lots_from(1) is None for leg in self.legs):
            return range(0)
        needed = ZERO
        for leg in reversed(self.legs[self.pivot + 1 :]):
            quantity = leg.quantity_bringing(needed)
            if quantity is None:
                return range(0)
            needed = leg.spent(max(quantity, (leg.lots_from(1) or 0) * leg.lot))
        quantity = pivot.quantity_bringing(needed)
        if quantity is None:
            return range(0)
        return range(max(fewest, _ceil(quantity / pivot.lot)), pivot.lots_max + 1)

    def _flow_of(self, lots: list[int], quantities: list[Quantity], received: list[Amount]) -> Flow:
        spent = [leg.spent(quantity) for leg, quantity in zip(self.legs, quantities, strict=True)]
        leftovers = [brought - used for brought, used in zip(received[:-1], spent[1:], strict=True)]
        value = ZERO
        for amount, worth in zip(leftovers, self.leftover_values, strict=False):
            value += amount * worth
        profit = received[-1] - spent[0] + value
        return Flow(
            tuple(lots),
            tuple(quantities),
            tuple(spent),
            tuple(received),
            tuple(leftovers),
            value,
            profit,
        )

    def _value(self, junction: int) -> Amount:
        return self.leftover_values[junction] if self.leftover_values else ZERO

    def _allowance(self, junction: int) -> Amount:
        """Return what rounded fees may take between two legs; nothing where no fee is taken."""
        before, after = self.legs[junction], self.legs[junction + 1]
        is_exact = before.factors.receive == ONE and after.factors.spend == ONE
        return ZERO if is_exact else FEE_ROUNDING_ALLOWANCE


def coarsest(legs: Sequence[ChainLeg]) -> int:
    """Return the index of the leg with the coarsest lot, measured at the start of the chain.

    As the pivot it has the fewest lots to try. Every leg has at least one level.
    """
    rate = ONE
    sizes = []
    for leg in legs:
        price = leg.ladder.prices[0]
        into = price if leg.side is Side.BUY else ONE
        out = ONE if leg.side is Side.BUY else price
        sizes.append(leg.lot * into * leg.factors.spend / rate)
        rate *= out * leg.factors.receive / (into * leg.factors.spend)
    return max(range(len(legs)), key=sizes.__getitem__)


def _floor(value: Decimal) -> int:
    return int(value.to_integral_value(ROUND_FLOOR))


def _ceil(value: Decimal) -> int:
    return int(value.to_integral_value(ROUND_CEILING))
