"""Why an execution made what it made: from what was expected to what the ledger holds.

For every leg the way from plan to books is told as changes of the amounts of all assets:

1. ``latency``: the average price at which the book of the moment of sending offered the quantity,
   against the planned one. Only where such a book is known; else it is a part of ``slippage``.
2. ``slippage``: the average price of the fills against that.
3. ``fees``: what the venue took against what its rules take of such a trade.
4. ``completion``: what the leg did not trade of its plan, together with the orders that repaired
   it afterwards.

With the plan itself these changes add up to what the fills moved, asset by asset, because each is
the difference of two neighbours. ``dust`` is what the plan leaves over beyond the profit that was
expected, ``transfers`` and ``funding`` are what else was booked on the execution.

Amounts are valued at marks that are fixed for the whole execution and stored with it. All
arithmetic is exact; the parts are rounded to stored decimals in such a way that they still add up
to the total, whose own rounding is the only one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Context, localcontext
from typing import NamedTuple

from arbplatform.core.decimals import ONE, SMALLEST_STORED, ZERO, Amount, Price, Quantity
from markets.domain.orders import Side
from markets.domain.rules import MarketRules
from strategies.domain.edge import fee_factors
from strategies.domain.intents import LegIntent

_EXACT = Context(prec=400)
"""A product of five stored amounts has 200 digits: nothing here is rounded but on purpose."""

Flows = dict[str, Amount]
"""Net amounts by asset code; negative ones leave [units of the asset]."""


@dataclass(frozen=True, slots=True)
class Traded:
    """What the fills of one order, or of several on one side of a market, came to.

    Attributes:
        side: of the order.
        quantity: [base].
        cost: [quote].
        fees: by asset code; positive is paid [units of the asset].
    """

    side: Side
    quantity: Quantity = ZERO
    cost: Amount = ZERO
    fees: Mapping[str, Amount] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LegFacts:
    """A leg as it was planned and as it went.

    Attributes:
        rules: of its market when it was decided.
        plan: the intent.
        planned: what the leg's own order traded.
        repairs: what later orders on its market traded.
        sent_cost: what the book at sending asked or offered for what was filled [quote];
            ``None``: no such book is known.
    """

    rules: MarketRules
    plan: LegIntent
    planned: Traded
    repairs: Sequence[Traded] = ()
    sent_cost: Amount | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """An execution with all that was booked on it.

    Attributes:
        asset: code of the asset in which the profit arises.
        expected: profit at the decision [``asset``].
        legs: in sequence.
        marks: price of a unit of each asset that has one [``asset``].
        transfers: moved by entries of transfers that carry the execution, by asset.
        funding: moved by funding payments that carry the execution, by asset.
    """

    asset: str
    expected: Amount
    legs: Sequence[LegFacts]
    marks: Mapping[str, Price]
    transfers: Mapping[str, Amount] = field(default_factory=dict)
    funding: Mapping[str, Amount] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LegParts:
    """What one leg changed [profit asset].

    Attributes:
        latency: between decision and sending; ``None``: not measured, and in ``slippage``.
        slippage: of the average price.
        fees: against what was expected.
        completion: of what was not traded, and of repairs.
    """

    latency: Amount | None
    slippage: Amount
    fees: Amount
    completion: Amount


@dataclass(frozen=True, slots=True)
class Attribution:
    """The way from the expected to the realised profit, all in the profit asset.

    Attributes:
        expected: at the decision.
        dust: what the plan leaves over beyond that, at the marks.
        latency, slippage, fees, completion: of all legs; ``latency`` is ``None`` as long as no
            leg's was measured.
        transfers, funding: what else was booked on the execution.
        total: the sum of all of them, to the last decimal.
        moved: by asset, what the parts say was moved [units of the asset].
        legs: the parts of each leg.
        unpriced: assets that moved and have no mark: they are in no figure.
    """

    expected: Amount
    dust: Amount
    latency: Amount | None
    slippage: Amount
    fees: Amount
    completion: Amount
    transfers: Amount
    funding: Amount
    total: Amount
    moved: Mapping[str, Amount]
    legs: Sequence[LegParts]
    unpriced: tuple[str, ...]


def attribute(case: Case) -> Attribution:
    """Return why an execution made what it made."""
    with localcontext(_EXACT):
        changes = [_changes_of(leg) for leg in case.legs]
        rest = [dict(case.transfers), dict(case.funding)]
        plan = _sum(_net_of(leg.plan, leg.rules) for leg in case.legs)
        flows = [plan, *(part for leg in changes for part in leg if part is not None), *rest]
        moved = {code: amount for code, amount in _sum(flows).items() if amount}
        cells = _Cells(case.marks)
        expected = cells.add_value(case.expected)
        dust = cells.add_value(_value(plan, case.marks) - case.expected)
        legs = [_parts_of(leg, cells) for leg in changes]
        transfers, funding = (cells.add(flow) for flow in rest)
        latencies = [leg.latency for leg in legs if leg.latency is not None]
        return Attribution(
            expected=expected,
            dust=dust,
            latency=sum(latencies, ZERO) if latencies else None,
            slippage=sum((leg.slippage for leg in legs), ZERO),
            fees=sum((leg.fees for leg in legs), ZERO),
            completion=sum((leg.completion for leg in legs), ZERO),
            transfers=transfers,
            funding=funding,
            total=cells.rounded,
            moved=moved,
            legs=legs,
            unpriced=tuple(sorted(code for code in moved if code not in case.marks)),
        )


def value_movements(movements: Mapping[str, Amount], marks: Mapping[str, Price]) -> Amount:
    """Return what movements are worth at the marks, rounded down once to stored decimals.

    Args:
        movements: by asset code [units of the asset]; those without a mark are left out.
        marks: price of a unit [profit asset].
    """
    with localcontext(_EXACT):
        return _floor(_value(movements, marks))


def find_differences(
    moved: Mapping[str, Amount], booked: Mapping[str, Amount]
) -> dict[str, tuple[Amount, Amount]]:
    """Return the assets of which the fills say something else than the ledger.

    Args:
        moved: by the parts of an attribution.
        booked: by the ledger's postings.

    Returns:
        By asset code, both amounts, where they differ.
    """
    return {
        code: (moved.get(code, ZERO), booked.get(code, ZERO))
        for code in sorted(moved.keys() | booked.keys())
        if moved.get(code, ZERO) != booked.get(code, ZERO)
    }


class _Cells:
    """Rounds one part after the other so that together they are the rounded sum of all."""

    def __init__(self, marks: Mapping[str, Price]) -> None:
        self._marks = marks
        self._exact = ZERO
        self.rounded = ZERO

    def add(self, flows: Mapping[str, Amount]) -> Amount:
        return self.add_value(_value(flows, self._marks))

    def add_value(self, value: Amount) -> Amount:
        self._exact += value
        rounded = _floor(self._exact)
        part = rounded - self.rounded
        self.rounded = rounded
        return part


class _Changes(NamedTuple):
    latency: Flows | None
    slippage: Flows
    fees: Flows
    completion: Flows


def _changes_of(leg: LegFacts) -> _Changes:
    filled = leg.planned.quantity
    planned_cost = _planned_cost(leg, filled)
    sent_cost = planned_cost if leg.sent_cost is None else leg.sent_cost
    quote = leg.rules.quote
    sign = -ONE if leg.plan.side is Side.BUY else ONE
    expected_fees = _expected_fees(leg, filled, planned_cost)
    as_decided = _sum(
        [
            _gross(leg.rules, leg.plan.side, filled, planned_cost),
            _negative(expected_fees),
        ]
    )
    repairs = [_traded(leg.rules, traded) for traded in leg.repairs]
    return _Changes(
        latency=None if leg.sent_cost is None else {quote: sign * (sent_cost - planned_cost)},
        slippage={quote: sign * (leg.planned.cost - sent_cost)},
        fees=_sum([expected_fees, _negative(leg.planned.fees)]),
        completion=_sum([as_decided, _negative(_net_of(leg.plan, leg.rules)), *repairs]),
    )


def _parts_of(changes: _Changes, cells: _Cells) -> LegParts:
    return LegParts(
        latency=None if changes.latency is None else cells.add(changes.latency),
        slippage=cells.add(changes.slippage),
        fees=cells.add(changes.fees),
        completion=cells.add(changes.completion),
    )


def _planned_cost(leg: LegFacts, filled: Quantity) -> Amount:
    """Return what ``filled`` costs or brings at the average price of the plan, without fees."""
    plan = leg.plan
    factors = fee_factors(leg.rules.fees, plan.side)
    if plan.side is Side.BUY:
        whole = plan.expected_spent / factors.spend
    else:
        whole = plan.expected_received / factors.receive
    return _floor(whole if filled == plan.quantity else whole * filled / plan.quantity)


def _expected_fees(leg: LegFacts, filled: Quantity, cost: Amount) -> Flows:
    """Return what the rules of the market take of a trade, by asset; positive is paid."""
    rules, side = leg.rules, leg.plan.side
    factors = fee_factors(rules.fees, side)
    spent, received = (rules.quote, cost), (rules.base, filled)
    if side is Side.SELL:
        spent, received = received, spent
    return _sum(
        [
            {spent[0]: spent[1] * (factors.spend - ONE)},
            {received[0]: received[1] * (ONE - factors.receive)},
        ]
    )


def _net_of(plan: LegIntent, rules: MarketRules) -> Flows:
    spent, received = rules.quote, rules.base
    if plan.side is Side.SELL:
        spent, received = received, spent
    return _sum([{spent: -plan.expected_spent}, {received: plan.expected_received}])


def _traded(rules: MarketRules, traded: Traded) -> Flows:
    gross = _gross(rules, traded.side, traded.quantity, traded.cost)
    return _sum([gross, _negative(traded.fees)])


def _gross(rules: MarketRules, side: Side, quantity: Quantity, cost: Amount) -> Flows:
    sign = ONE if side is Side.BUY else -ONE
    return _sum([{rules.base: sign * quantity}, {rules.quote: -sign * cost}])


def _sum(flows: Iterable[Mapping[str, Amount]]) -> Flows:
    total: Flows = {}
    for flow in flows:
        for code, amount in flow.items():
            total[code] = total.get(code, ZERO) + amount
    return total


def _negative(flow: Mapping[str, Amount]) -> Flows:
    return {code: -amount for code, amount in flow.items()}


def _value(flow: Mapping[str, Amount], marks: Mapping[str, Price]) -> Amount:
    return sum((amount * marks[code] for code, amount in flow.items() if code in marks), ZERO)


def _floor(value: Amount) -> Amount:
    return value.quantize(SMALLEST_STORED, rounding=ROUND_FLOOR)
