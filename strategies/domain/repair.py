"""The leg table: what to do about an execution whose legs did not all fill.

What decides is the net of every traded asset besides the one in which the profit arises, the
exposure. Whatever pair of filled, partial and empty legs it stems from, there are four ways on:

- it is zero, or below what the venues take: done, or done but for dust;
- proceed: send what is missing of the legs that fell short;
- reverse: undo what is too much of the legs that filled;
- hold: neither is possible within the loss that the strategy allows. A person decides.

Proceed and reverse are judged on books that were fetched for the purpose, against what the
exposure really cost, fees included. Nothing is decided while the end of any leg is unknown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from arbplatform.core.decimals import ONE, ZERO, Amount, Bps, Price, Quantity
from arbplatform.core.errors import Message
from markets.domain.orders import Side
from markets.domain.rules import MarketRules
from strategies.domain.edge import Factors, fee_factors
from strategies.domain.states import ExecutionEvent

DUST_LEFT = "What is left is below the venues' minimum and is kept as dust."


class Action(StrEnum):
    """What the table says."""

    WAIT = "wait"
    """The end of some order is not known: nothing may be sent."""
    DONE = "done"
    DUST = "dust"
    """What is left is less than the venues take."""
    PROCEED = "proceed"
    REVERSE = "reverse"
    HOLD = "hold"
    REOPEN = "reopen"
    """Not of the table: a person has the repair begun anew."""


@dataclass(frozen=True, slots=True)
class LegState:
    """A planned leg and what its orders in the planned direction came to.

    Attributes:
        index: which leg, from 0.
        rules: of its market.
        side: as planned.
        limit_price: as planned [quote per base], positive.
        spent: what left, fee included; what was planned if nothing was filled [spent asset].
        received: what arrived, net of fee; likewise [received asset].
    """

    index: int
    rules: MarketRules
    side: Side
    limit_price: Price
    spent: Amount
    received: Amount


@dataclass(frozen=True, slots=True)
class Hop:
    """One market passed in one direction on the way from or to an exposure.

    Attributes:
        leg: whose market it is.
        is_reversed: passed against the leg's own direction.
    """

    leg: LegState
    is_reversed: bool = False

    @property
    def side(self) -> Side:
        """Of an order that makes the hop."""
        planned_side = self.leg.side
        if not self.is_reversed:
            return planned_side
        return Side.SELL if planned_side is Side.BUY else Side.BUY

    @property
    def spent_asset(self) -> str:
        """Code of the asset that the hop gives away."""
        rules = self.leg.rules
        return rules.quote if self.side is Side.BUY else rules.base

    @property
    def received_asset(self) -> str:
        """Code of the asset that the hop brings."""
        rules = self.leg.rules
        return rules.base if self.side is Side.BUY else rules.quote

    @property
    def factors(self) -> Factors:
        """Effect of the fee."""
        return fee_factors(self.leg.rules.fees, self.side)


@dataclass(frozen=True, slots=True)
class Route:
    """A way to make an exposure vanish: hops of which each spends what the one before brings."""

    action: Action
    hops: tuple[Hop, ...]


@dataclass(frozen=True, slots=True)
class RepairOrder:
    """A limit IOC order that makes an exposure smaller.

    Attributes:
        leg_index: whose market.
        side: buy or sell.
        quantity: [base], on the lot grid.
        limit_price: worst acceptable [quote per base], on the tick grid.
    """

    leg_index: int
    side: Side
    quantity: Quantity
    limit_price: Price


@dataclass(frozen=True, slots=True)
class Exposure:
    """What an execution has too much or too little of.

    Attributes:
        asset: code.
        amount: net of all legs; negative is short [units of the asset].
        unit_value: what one unit cost, or brought when it was sold short [profit asset].
    """

    asset: str
    amount: Amount
    unit_value: Amount


@dataclass(frozen=True, slots=True)
class Situation:
    """An execution after its orders have ended.

    Attributes:
        legs: as planned, in sequence.
        movements: net of every asset over all venues, fees included [units of the asset].
        profit_asset: code of the asset that does not count as an exposure.
        is_live: the end of some order is not known.
        is_empty: no order was filled, not even in part.
        is_as_planned: every planned leg was filled wholly and nothing else was sent.
        planned: what the plan itself leaves over, by asset; negative is short [units of the asset].
        is_reversed: some order against the planned direction was filled.
    """

    legs: Sequence[LegState]
    movements: Mapping[str, Amount]
    profit_asset: str
    is_live: bool = False
    is_empty: bool = False
    is_as_planned: bool = False
    planned: Mapping[str, Amount] = field(default_factory=dict)
    is_reversed: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do now.

    Attributes:
        action: in one word.
        reason: for people.
        order: what to send, for proceed and reverse.
        loss_bps: what that is expected to lose of what the exposure cost; negative is a gain [bps].
    """

    action: Action
    reason: Message
    order: RepairOrder | None = None
    loss_bps: Bps | None = None


def find_exposures(situation: Situation) -> list[Exposure]:
    """Return what is not zero, the assets in the order in which the legs touch them.

    A coin that no leg trades, such as one that only fees are paid in, is a cost and no exposure.
    Where every leg was filled as planned, what the plan left over is none either. What is missing
    beyond that is one, as far as a venue takes it: only fees that are higher than planned do this.
    """
    exposures: dict[str, Exposure] = {}
    for leg in situation.legs:
        for asset in (leg.rules.base, leg.rules.quote):
            amount = situation.movements.get(asset, ZERO)
            if asset == situation.profit_asset or not amount or asset in exposures:
                continue
            exposures[asset] = Exposure(asset, amount, _unit_value(situation, asset, amount))
    found = list(exposures.values())
    return _find_missing(situation, found) if situation.is_as_planned else found


def find_routes(situation: Situation, exposure: Exposure) -> list[Route]:
    """Return the ways from a surplus to the profit asset, or from there to a shortage.

    A shortage is bought back in one hop only: sizes of a chain could not be told from its end.
    """
    forward = [Hop(leg) for leg in situation.legs]
    backward = [Hop(leg, is_reversed=True) for leg in reversed(situation.legs)]
    routes: list[Route] = []
    for action, hops in ((Action.PROCEED, forward), (Action.REVERSE, backward)):
        if exposure.amount > 0:
            chain = _chain(hops, exposure.asset, situation.profit_asset)
            if chain:
                routes.append(Route(action, chain))
            continue
        ends = (situation.profit_asset, exposure.asset)
        direct = [hop for hop in hops if (hop.spent_asset, hop.received_asset) == ends]
        routes += [Route(action, (hop,)) for hop in direct[:1]]
    return routes


def is_dust(situation: Situation, exposure: Exposure) -> bool:
    """Return whether no route takes so little, at the prices of the plan."""
    routes = find_routes(situation, exposure)
    return bool(routes) and not any(_is_passable(route, exposure) for route in routes)


def judge(situation: Situation) -> ExecutionEvent:
    """Return what its orders make of an execution."""
    if situation.is_live:
        return ExecutionEvent.LOSE_TRACK
    if situation.is_empty:
        return ExecutionEvent.FAIL
    if settle(situation) is None:
        return ExecutionEvent.FALL_SHORT
    return ExecutionEvent.UNWIND if situation.is_reversed else ExecutionEvent.COMPLETE


def settle(situation: Situation) -> Verdict | None:
    """Return what can be said without a look at any book; ``None`` when one is needed."""
    if situation.is_live:
        return Verdict(
            Action.WAIT, Message("The end of an order is not known yet: nothing is sent.")
        )
    exposures = find_exposures(situation)
    if not exposures:
        return Verdict(Action.DONE, Message("The legs match."))
    if all(is_dust(situation, exposure) for exposure in exposures):
        return Verdict(Action.DUST, Message(DUST_LEFT))
    return None


def _find_missing(situation: Situation, exposures: Sequence[Exposure]) -> list[Exposure]:
    """Return what legs that went as planned are short of although the plan did not say so."""
    missing = []
    for exposure in exposures:
        beyond = exposure.amount - situation.planned.get(exposure.asset, ZERO)
        amount = max(exposure.amount, beyond)
        if amount < 0 and any(
            _is_enough(leg, exposure.asset, abs(amount)) for leg in situation.legs
        ):
            missing.append(replace(exposure, amount=amount))
    return missing


def _is_enough(leg: LegState, asset: str, amount: Amount) -> bool:
    """Return whether a leg's market takes so much of an asset, at the price of the plan."""
    if asset == leg.rules.base:
        return is_tradable(Hop(leg), amount)
    return asset == leg.rules.quote and is_tradable(Hop(leg), amount / leg.limit_price)


def _unit_value(situation: Situation, asset: str, amount: Amount) -> Amount:
    """Return what a unit cost on its way here, or brought on its way out; 0 if unknown."""
    forward = [Hop(leg) for leg in situation.legs]
    if amount > 0:
        backward = [Hop(leg, is_reversed=True) for leg in reversed(situation.legs)]
        cost = ONE
        chain = _chain(backward, asset, situation.profit_asset)
        for hop in chain:
            cost *= hop.leg.spent / hop.leg.received
        return cost if chain else ZERO
    gain = ONE
    chain = _chain(forward, asset, situation.profit_asset)
    for hop in chain:
        gain *= hop.leg.received / hop.leg.spent
    return gain if chain else ZERO


def _chain(hops: Sequence[Hop], start: str, end: str) -> tuple[Hop, ...]:
    """Return the hops that lead from one asset to another, in the given sequence; else none."""
    chain: list[Hop] = []
    at = start
    for hop in hops:
        if hop.spent_asset == at:
            chain.append(hop)
            at = hop.received_asset
            if at == end:
                return tuple(chain)
    return ()


def _is_passable(route: Route, exposure: Exposure) -> bool:
    amount = abs(exposure.amount)
    if exposure.amount < 0:
        return is_tradable(route.hops[0], _bringing(route.hops[0], amount))
    for hop in route.hops:
        quantity = _spending(hop, amount)
        if not is_tradable(hop, quantity):
            return False
        plain = quantity if hop.side is Side.BUY else quantity * hop.leg.limit_price
        amount = plain * hop.factors.receive
    return True


def is_tradable(hop: Hop, quantity: Quantity, price: Price | None = None) -> bool:
    """Return whether the venue takes an order of ``quantity``.

    Args:
        hop: on which market.
        quantity: [base].
        price: limit of the order; default: that of the plan [quote per base].
    """
    rules = hop.leg.rules
    on_grid = quantity - quantity % rules.lot
    notional = on_grid * (hop.leg.limit_price if price is None else price)
    return on_grid > 0 and on_grid >= rules.quantity_min and notional >= rules.notional_min


def _spending(hop: Hop, amount: Amount) -> Quantity:
    """Return what ``amount`` of the spent asset trades at the price of the plan [base]."""
    price = hop.leg.limit_price if hop.side is Side.BUY else ONE
    return amount / (price * hop.factors.spend)


def _bringing(hop: Hop, amount: Amount) -> Quantity:
    """Return what has to be traded for ``amount`` to arrive at the price of the plan [base]."""
    price = ONE if hop.side is Side.BUY else hop.leg.limit_price
    return amount / (price * hop.factors.receive)
