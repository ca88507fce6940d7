"""Whether an order is taken at all: grids, bounds, funds, liquidity."""

from decimal import Decimal

from markets.domain.orders import OrderKind, Side, TimeInForce
from markets.simulator.exchange.accounts import Account
from markets.simulator.exchange.book import BookSide
from markets.simulator.exchange.listing import OPEN_ORDERS_MAX, Listing
from markets.simulator.exchange.orders import Order, OrderRefused, Refusal, SelfTrade, Ticket
from markets.simulator.exchange.units import floor_to_units

NEVER_RESTING = frozenset({TimeInForce.IOC, TimeInForce.FOK})


def admit(account: Account, listing: Listing, ticket: Ticket, now_ms: int) -> Order:
    """Return the order that ``ticket`` would become, without an id and not placed.

    Raises:
        OrderRefused: with the reason.
    """
    if ticket.client_id and ticket.client_id in account.client_ids:
        raise OrderRefused(Refusal.DUPLICATE_CLIENT_ID)
    is_buy = ticket.side is Side.BUY
    quantity = 0 if ticket.quantity is None else listing.to_lots(ticket.quantity)
    if ticket.kind is OrderKind.LIMIT:
        price = listing.to_ticks(ticket.price or Decimal(0))
        quote_quantity = 0
        _check_limit(account, listing, ticket, is_buy=is_buy, price=price, quantity=quantity)
    else:
        price = 0
        quote_quantity = floor_to_units(ticket.quote_quantity or Decimal(0))
        quantity = _check_market(account, listing, ticket, quantity, quote_quantity)
    return Order(
        0,
        account,
        listing,
        is_buy=is_buy,
        price=price,
        quantity=quantity,
        remaining=quantity,
        created_ms=now_ms,
        updated_ms=now_ms,
        client_id=ticket.client_id,
        kind=ticket.kind,
        time_in_force=ticket.time_in_force,
        quote_quantity=quote_quantity,
        self_trade=ticket.self_trade,
    )


def _check_limit(
    account: Account, listing: Listing, ticket: Ticket, *, is_buy: bool, price: int, quantity: int
) -> None:
    cost = price * quantity * listing.cost_unit
    if not quantity:
        raise OrderRefused(Refusal.LOT_SIZE)
    if cost < listing.notional_min:
        raise OrderRefused(Refusal.NOTIONAL)
    asset, needed = (
        (listing.quote, cost) if is_buy else (listing.base, quantity * listing.lot_units)
    )
    if account.free[asset] < needed:
        raise OrderRefused(Refusal.INSUFFICIENT_BALANCE)
    if ticket.time_in_force not in NEVER_RESTING:
        _check_resting(account, listing, ticket, is_buy=is_buy, price=price)


def _check_resting(
    account: Account, listing: Listing, ticket: Ticket, *, is_buy: bool, price: int
) -> None:
    if len(account.open_orders.get(listing.id, ())) >= OPEN_ORDERS_MAX:
        raise OrderRefused(Refusal.MAX_NUM_ORDERS)
    if ticket.time_in_force is TimeInForce.POST_ONLY:
        keys = (listing.book.asks if is_buy else listing.book.bids).keys
        if keys and keys[-1] >= (-price if is_buy else price):
            raise OrderRefused(Refusal.WOULD_TAKE)


def _check_market(
    account: Account, listing: Listing, ticket: Ticket, quantity: int, quote_quantity: int
) -> int:
    """Return how many lots a market order can ask for, after walking the book it would meet."""
    is_buy = ticket.side is Side.BUY
    side = listing.book.asks if is_buy else listing.book.bids
    # Own orders expire instead of trading: the walk must pay for what stands behind them.
    skipped = None if ticket.self_trade is SelfTrade.NONE else account
    lots, cost = _walk(listing, side, skipped, quantity, quote_quantity)
    if not lots and (quantity or not side.keys):
        raise OrderRefused(Refusal.NO_LIQUIDITY)
    if not quantity:
        # By quote amount: as many whole lots as it buys, or as bring it in.
        quantity = lots
    if not listing.lots_min <= quantity <= listing.lots_max:
        raise OrderRefused(Refusal.LOT_SIZE)
    if (quote_quantity or cost) < listing.notional_min:
        raise OrderRefused(Refusal.NOTIONAL)
    asset, needed = (
        (listing.quote, max(cost, quote_quantity))
        if is_buy
        else (listing.base, quantity * listing.lot_units)
    )
    if account.free[asset] < needed:
        raise OrderRefused(Refusal.INSUFFICIENT_BALANCE)
    return quantity


def _walk(
    listing: Listing, side: BookSide, skipped: Account | None, quantity: int, quote_quantity: int
) -> tuple[int, int]:
    """Return lots and cost [quote units] that a market order meets on ``side``.

    Args:
        listing: the market.
        side: the other side of its book.
        skipped: whose orders do not count.
        quantity: wanted [lots]; 0 when ``quote_quantity`` says how much.
        quote_quantity: wanted [quote units].
    """
    lots = cost = 0
    for key in reversed(side.keys):
        price = abs(key)
        total = side.levels[key].total_without(skipped)
        if quantity:
            step = min(total, quantity - lots)
        else:
            step = min(total, (quote_quantity - cost) // (price * listing.cost_unit))
        lots += step
        cost += price * step * listing.cost_unit
        if step < total:
            break
    return lots, cost
