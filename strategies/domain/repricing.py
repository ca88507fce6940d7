"""Price the ways out of an exposure on fresh books, and choose one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from arbplatform.core.decimals import (
    BPS_PER_UNIT,
    ONE,
    ZERO,
    Amount,
    Bps,
    Fraction,
    Price,
    Quantity,
    ceil_to_step,
    floor_to_step,
    to_plain,
)
from arbplatform.core.errors import Message
from ledger.domain.reservations import set_aside_per_unit
from markets.domain.book import Book, Level
from markets.domain.orders import Side
from strategies.domain.ladder import Ladder, build_ladder
from strategies.domain.repair import (
    DUST_LEFT,
    Action,
    Exposure,
    Hop,
    RepairOrder,
    Route,
    Situation,
    Verdict,
    find_exposures,
    find_routes,
    is_dust,
    is_tradable,
    settle,
)

_PLENTY = Amount(10**30)
"""More than any order spends [units of any asset]: to ask what funds alone stand in the way of."""


@dataclass(frozen=True, slots=True)
class Means:
    """What a repair can count on now.

    Attributes:
        books: fetched for the purpose, by leg; a leg without one is no way out.
        free: what the account of each leg's venue holds, by leg and asset [units of the asset].
        max_loss_bps: most that the exposure may lose of what it cost, not negative [bps].
        room: how much of the way from the price that was seen to the worst one that
            ``max_loss_bps`` allows the limit of an order goes, from 0 to 1.
        refused: leg and side of orders that venues have refused too often to be tried again.
    """

    books: Mapping[int, Book]
    free: Mapping[int, Mapping[str, Amount]]
    max_loss_bps: Bps
    room: Fraction = ZERO
    refused: frozenset[tuple[int, Side]] = frozenset()


@dataclass(frozen=True, slots=True)
class _Offer:
    """An order that could be sent, and what it is expected to lose [bps]."""

    action: Action
    order: RepairOrder
    loss_bps: Bps


def decide(situation: Situation, means: Means) -> Verdict:
    """Return what to do about an execution now: the whole leg table.

    Of several exposures the first that something can be done about comes first; the rest is
    decided when that has ended.

    Args:
        situation: of the execution.
        means: books, funds and the loss that is allowed.
    """
    settled = settle(situation)
    if settled is not None:
        return settled
    at_market = _at_market(situation, means)
    left = [
        exposure
        for exposure in find_exposures(situation)
        if not (is_dust(situation, exposure) or is_dust(at_market, exposure))
    ]
    if not left:
        return Verdict(Action.DUST, Message(DUST_LEFT))
    for exposure in left:
        offers = _list_offers(situation, exposure, means)
        if offers:
            # of two that lose the same the first one, which proceeds
            best = min(offers, key=lambda offer: offer.loss_bps)
            return Verdict(best.action, _explain(best, offers), best.order, best.loss_bps)
    if not means.books:
        return Verdict(Action.HOLD, Message("No order book could be had to decide on."))
    lacking = _find_lacking(situation, left, means)
    if lacking:
        return Verdict(
            Action.HOLD,
            Message(
                "The order books allow it, but too little {assets} is free in the account. Bring "
                "some there, then flatten.",
                {"assets": ", ".join(lacking)},
            ),
        )
    return Verdict(
        Action.HOLD,
        Message(
            "Neither completing nor reversing is possible within a loss of {limit} bps.",
            {"limit": to_plain(means.max_loss_bps)},
        ),
    )


def _list_offers(situation: Situation, exposure: Exposure, means: Means) -> list[_Offer]:
    """Return the orders with which the routes out of an exposure begin, where they can be sent."""
    routes = find_routes(situation, exposure)
    return [offer for route in routes if (offer := _price(route, exposure, means)) is not None]


def _find_lacking(situation: Situation, exposures: Sequence[Exposure], means: Means) -> list[str]:
    """Return the assets for want of which no order can be sent that the books would allow."""
    free = {
        leg.index: dict.fromkeys((leg.rules.base, leg.rules.quote), _PLENTY)
        for leg in situation.legs
    }
    rich = replace(means, free=free)
    orders = [
        offer.order for exposure in exposures for offer in _list_offers(situation, exposure, rich)
    ]
    rules = {leg.index: leg.rules for leg in situation.legs}
    return sorted(
        {
            rules[order.leg_index].quote if order.side is Side.BUY else rules[order.leg_index].base
            for order in orders
        }
    )


def _at_market(situation: Situation, means: Means) -> Situation:
    """Return the situation with the present prices instead of those of the plan.

    By those asked: where all bids but a few far below have gone, an exposure is worth no less.
    """
    legs = []
    for leg in situation.legs:
        book = means.books.get(leg.index)
        best = None if book is None else book.best_ask or book.best_bid
        legs.append(leg if best is None else replace(leg, limit_price=best.price))
    return replace(situation, legs=legs)


def _explain(best: _Offer, offers: Sequence[_Offer]) -> Message:
    context = {"loss": f"{best.loss_bps:.2f}"}
    if best.action is Action.REVERSE:
        if len(offers) > 1:
            return Message("Reversing loses {loss} bps, less than completing.", context)
        return Message(
            "Reversing loses {loss} bps; completing is not possible within the limit.", context
        )
    if best.loss_bps <= 0:
        gain = {"gain": f"{abs(best.loss_bps):.2f}"}
        return Message("Completing at break-even or better: a gain of {gain} bps.", gain)
    if len(offers) > 1:
        return Message("Completing loses {loss} bps, no more than reversing.", context)
    return Message(
        "Completing loses {loss} bps; reversing is not possible within the limit.", context
    )


def _price(route: Route, exposure: Exposure, means: Means) -> _Offer | None:
    """Return the order that a route begins with; ``None`` when it is no way out."""
    hop = route.hops[0]
    if exposure.unit_value <= 0 or (hop.leg.index, hop.side) in means.refused:
        return None
    is_long = exposure.amount > 0
    limit_rate = _limit_rate(exposure, means)
    rest = _rate_of_rest(route, exposure, means) if is_long else ONE
    if rest <= 0:
        return None
    book = means.books.get(hop.leg.index)
    if book is None:
        return None
    bound = _bound(hop, limit_rate / rest if is_long else limit_rate)
    ladder = _ladder(hop, book, bound)
    quantity = _quantity(hop, ladder, abs(exposure.amount), is_long=is_long)
    quantity = _affordable(hop, ladder, quantity, bound, means)
    if quantity <= 0:
        return None
    limit = _limit(hop, ladder, quantity, bound, means.room)
    if not is_tradable(hop, quantity, limit):
        return None
    spent, received = _flows(hop, ladder, quantity)
    if is_long:
        loss = ONE - received * rest / (spent * exposure.unit_value)
    else:
        loss = spent / (received * exposure.unit_value) - ONE
    order = RepairOrder(hop.leg.index, hop.side, quantity, limit)
    return _Offer(route.action, order, loss * BPS_PER_UNIT)


def _limit_rate(exposure: Exposure, means: Means) -> Amount:
    """Return what one unit must bring at least, or may cost at most [received per spent]."""
    share = means.max_loss_bps / BPS_PER_UNIT
    if exposure.amount > 0:
        return exposure.unit_value * (ONE - share)
    return ONE / (exposure.unit_value * (ONE + share))


def _bound(hop: Hop, rate: Amount) -> Price:
    """Return the worst price at which a hop brings ``rate`` per unit spent [quote per base]."""
    spend, receive = hop.factors
    if hop.side is Side.SELL:
        return rate * spend / receive
    return receive / (spend * rate) if rate > 0 else ZERO


def _ladder(hop: Hop, book: Book, bound: Price | None = None) -> Ladder:
    """Return what an order takes from the book, at prices no worse than ``bound``."""
    tick = hop.leg.rules.tick
    is_buy = hop.side is Side.BUY
    levels: Sequence[Level] = book.asks if is_buy else book.bids
    if bound is not None and is_buy:
        highest = floor_to_step(bound, tick)
        levels = [level for level in levels if level.price <= highest]
    elif bound is not None:
        lowest = ceil_to_step(bound, tick)
        levels = [level for level in levels if level.price >= lowest]
    return build_ladder(levels, side=hop.side, tick=tick)


def _quantity(hop: Hop, ladder: Ladder, amount: Amount, *, is_long: bool) -> Quantity:
    """Return how much of ``amount`` a hop takes away, or brings, on the lot grid [base]."""
    spend, receive = hop.factors
    plain = amount / (spend if is_long else receive)
    is_in_base = (hop.side is Side.SELL) is is_long
    wanted = min(plain, ladder.depth) if is_in_base else ladder.quantity_worth(plain)
    rules = hop.leg.rules
    if rules.quantity_max is not None:
        wanted = min(wanted, rules.quantity_max)
    return floor_to_step(wanted, rules.lot)


def _limit(hop: Hop, ladder: Ladder, quantity: Quantity, bound: Price, room: Fraction) -> Price:
    """Return the worst price of ``quantity`` that was seen, or ``room`` of the way to the bound.

    Never one beyond the bound, and none at which the order would be too small for the venue.
    """
    seen, tick = ladder.worst_price(quantity), hop.leg.rules.tick
    price = seen + (bound - seen) * room
    wide = floor_to_step(price, tick) if hop.side is Side.BUY else ceil_to_step(price, tick)
    return wide if is_tradable(hop, quantity, wide) else seen


def _affordable(
    hop: Hop, ladder: Ladder, quantity: Quantity, bound: Price, means: Means
) -> Quantity:
    """Return the part of ``quantity`` that the account can pay, at the price that is set aside."""
    if quantity <= 0:
        return ZERO
    free = means.free.get(hop.leg.index, {}).get(hop.spent_asset, ZERO)
    price = _limit(hop, ladder, quantity, bound, means.room) if hop.side is Side.BUY else ONE
    rules = hop.leg.rules
    per_unit = price * set_aside_per_unit(rules.fees, hop.side)
    return floor_to_step(min(quantity, free / per_unit), rules.lot)


def _flows(hop: Hop, ladder: Ladder, quantity: Quantity) -> tuple[Amount, Amount]:
    """Return what leaves and what arrives, fees included."""
    notional = ladder.notional(quantity)
    out, into = (notional, quantity) if hop.side is Side.BUY else (quantity, notional)
    return out * hop.factors.spend, into * hop.factors.receive


def _rate_of_rest(route: Route, exposure: Exposure, means: Means) -> Amount:
    """Return what a unit brings that the first hop of a route has brought; 0 when nothing.

    Counted for all of the exposure: less of it brings more per unit, never less.
    """
    amount = exposure.amount
    arrived: Amount | None = None
    for hop in route.hops:
        book = means.books.get(hop.leg.index)
        if book is None:
            return ZERO
        ladder = _ladder(hop, book)
        quantity = _quantity(hop, ladder, amount, is_long=True)
        if quantity <= 0 or not is_tradable(hop, quantity, ladder.worst_price(quantity)):
            return ZERO
        amount = _flows(hop, ladder, quantity)[1]
        if arrived is None:
            arrived = amount
    return amount / arrived if arrived else ZERO
