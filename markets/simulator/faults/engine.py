"""What an engine does to orders when it is told to fail; the engine itself knows nothing of it."""

from decimal import Decimal

from markets.domain.orders import TimeInForce
from markets.simulator.exchange.accounts import Account
from markets.simulator.exchange.admission import admit
from markets.simulator.exchange.listing import Listing
from markets.simulator.exchange.orders import Order, OrderStatus, Outcome, Ticket
from markets.simulator.matching import MatchingEngine


class FaultyEngine(MatchingEngine):
    """An engine that can also treat orders as their owners do not expect."""

    def place_partly(
        self, account: Account, listing: Listing, ticket: Ticket, part: Decimal, now_ms: int
    ) -> Outcome:
        """Take an order, let at most ``part`` of it trade at once, and end it with the rest open.

        Raises:
            OrderRefused: with the reason; nothing was changed.
        """
        order = self._take_in(account, listing, ticket, now_ms)
        outcome = Outcome(order)
        withheld = order.quantity - int(order.quantity * part)
        order.remaining -= withheld
        order.time_in_force = TimeInForce.IOC
        if ticket.time_in_force is TimeInForce.FOK:
            withheld += order.remaining
            order.remaining = 0
        self._execute_into(outcome, order, now_ms)
        order.time_in_force = ticket.time_in_force
        order.remaining += withheld
        if order.status is not OrderStatus.EXPIRED_IN_MATCH:
            order.status = OrderStatus.EXPIRED
        return outcome

    def reject(self, account: Account, listing: Listing, ticket: Ticket, now_ms: int) -> Outcome:
        """Give an order an id and end it at once.

        Raises:
            OrderRefused: it could not have been taken anyway; nothing was changed.
        """
        order = self._take_in(account, listing, ticket, now_ms)
        order.status = OrderStatus.REJECTED
        return Outcome(order)

    def fill_late(self, order: Order, now_ms: int) -> Outcome:
        """Fill the rest of an order that is over, as far as its owner can still pay.

        The other side is an anonymous trader at the best price within the order's limit, or at the
        limit itself.
        """
        outcome = Outcome(None)
        listing, status = order.listing, order.status
        price = _late_price(order)
        lots = min(order.remaining, _affordable_lots(order, price))
        if lots <= 0 or price <= 0:
            return outcome
        maker = Order(
            self._next_order_id(),
            self.flow,
            listing,
            not order.is_buy,
            price,
            lots,
            lots,
            now_ms,
            now_ms,
        )
        order.updated_ms = now_ms
        self._trade(maker, order, price, lots, outcome)
        if order.remaining:
            order.status = status
        return outcome

    def _take_in(self, account: Account, listing: Listing, ticket: Ticket, now_ms: int) -> Order:
        order = admit(account, listing, ticket, now_ms)
        order.id = self._next_order_id()
        order.client_id = order.client_id or f"sim-{order.id}"
        account.remember_order(order)
        return order


def _late_price(order: Order) -> int:
    """Return the price [ticks] of a late fill: the best one there is, within the order's limit."""
    book = order.listing.book
    best = (book.asks if order.is_buy else book.bids).best()
    if best is None:
        return order.price or order.listing.last_price
    if not order.price:
        return best[0]
    return min(best[0], order.price) if order.is_buy else max(best[0], order.price)


def _affordable_lots(order: Order, price: int) -> int:
    """Return how many lots the owner's free balance, and a quote amount, reach for."""
    listing, free = order.listing, order.account.free
    cost = max(price * listing.cost_unit, 1)
    lots = free[listing.quote] // cost if order.is_buy else free[listing.base] // listing.lot_units
    if order.quote_quantity:
        lots = min(lots, (order.quote_quantity - order.cost) // cost)
    return lots
