"""What tests of faults on the wire share: send, look up, cancel, and compare with the venue."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal as D
from typing import Any

from accounts.models import VenueAccount
from ledger.domain.orders import OrderState
from ledger.models import Fill, LogEntry, Order
from ledger.selectors import imbalances, list_total_errors
from ledger.services.journal import (
    OrderPlan,
    cancel_order,
    resolve_unknown,
    submit_orders,
    write_orders,
)
from ledger.services.reconciliation import compare_with_venue
from markets.domain.orders import Side, TimeInForce
from markets.gateway.client import CheckedCalls
from markets.simulator.running import RunningSimulator

ORDER = "api/v3/order"


@dataclass
class Wire:
    """One account at a simulated venue.

    Attributes:
        simulator: it hosts the venue.
        account: ours.
        requests: method and path of everything that was sent since the start.
        on_request: called with both just before a request leaves.
    """

    simulator: RunningSimulator
    account: VenueAccount
    requests: list[tuple[str, str]] = field(default_factory=list)
    on_request: Callable[[str, str], object] = lambda _method, _path: None

    def note_requests(self, monkeypatch: Any) -> None:
        fetch = CheckedCalls.fetch

        def note(client: Any, url: str, method: str = "GET", *more: Any) -> Any:
            self.requests.append((method, url.partition("?")[0].partition("/alpha/")[2]))
            self.on_request(*self.requests[-1])
            return fetch(client, url, method, *more)

        monkeypatch.setattr(CheckedCalls, "fetch", note)

    def fault(self, kind: str, *, path: str = ORDER, method: str = "POST", **more: Any) -> None:
        """Let the next such request go wrong."""
        self.simulator.control.add_fault("alpha", kind, path=path, method=method, **more)

    def refuse(self, code: int, words: str, status: int = 400, **more: Any) -> None:
        """Let the next new order be answered with an error of the venue."""
        self.fault("refuse", code=code, text=words, status=status, **more)

    def set_book(self, bids: Any, asks: Any) -> None:
        self.simulator.control.set_book("alpha", "BTC/USDT", bids, asks)

    def write(self, side: str = Side.BUY, **fields: Any) -> Order:
        market = self.account.venue.markets.get(symbol="BTC/USDT")
        usual: dict[str, Any] = {
            "quantity": D("0.5"),
            "price": D(50_010),
            "time_in_force": TimeInForce.IOC,
            "strategy_id": None,
            "execution_id": None,
            "leg_index": 0,
        }
        values = usual | fields
        values["price"] = D(values["price"])
        values["time_in_force"] = TimeInForce(values["time_in_force"])
        plan = OrderPlan(account_id=self.account.pk, market_id=market.pk, side=Side(side), **values)
        return write_orders(plans=[plan])[0]

    def send(self, side: str = Side.BUY, **fields: Any) -> Order:
        """Write an order and send it."""
        order = self.write(side, **fields)
        return submit_orders(order_ids=[order.pk])[0]

    def rest(self, side: str = Side.BUY, price: str = "49000", **fields: Any) -> Order:
        """Send an order that rests."""
        order = self.send(side, price=price, time_in_force=TimeInForce.GTC, **fields)
        assert order.state == OrderState.OPEN
        return order

    def look_up(self, order: Order, **more: Any) -> Order:
        return resolve_unknown(order_id=order.pk, **more)

    def cancel(self, order: Order) -> Order:
        return cancel_order(order_id=order.pk)

    def sent(self, method: str = "POST") -> int:
        """Return how many orders, or cancellations, left for the venue."""
        return self.requests.count((method, ORDER))

    @property
    def engine(self) -> Any:
        """The venue's own engine; to be touched in the simulator's thread only."""
        return self.simulator.control.world.venues["alpha"].engine

    def venue_orders(self) -> dict[str, tuple[str, D]]:
        """Return what the venue itself knows: state and filled quantity, by client id."""
        engine = self.engine

        def read() -> dict[str, tuple[str, D]]:
            return {
                order.client_id: (
                    order.status.value,
                    order.executed * order.listing.rules.lot,
                )
                for order in engine.accounts["ours"].orders.values()
            }

        return self.simulator.control.call(read)

    def assert_exact(self) -> None:
        """Books, running totals and the venue's own statement agree to the last digit."""
        assert compare_with_venue(account_id=self.account.pk) == []
        assert imbalances() == list_total_errors() == {}

    def assert_found_and_booked_once(self, order: Order) -> None:
        """An order that the venue filled: found by its id, booked once, never sent again."""
        assert (order.state, Fill.objects.count()) == (OrderState.UNKNOWN, 0)

        found = self.look_up(order)
        self.look_up(order)
        submit_orders(order_ids=[order.pk])

        assert (found.state, found.filled_quantity) == (OrderState.FILLED, order.quantity)
        assert list(self.venue_orders()) == [order.client_order_id]
        assert self.sent() == 1
        assert Fill.objects.get().quantity == order.quantity
        self.assert_exact()

    def assert_absent_only_after_half_a_minute(self, order: Order, clock: Any) -> None:
        """An order that never arrived: looked for until it is certain, and never sent again."""
        assert (order.state, self.venue_orders()) == (OrderState.UNKNOWN, {})
        for seconds in (1, 20):
            clock.advance_ms(seconds * 1_000)
            assert self.look_up(order, clock=clock).state == OrderState.UNKNOWN
        clock.advance_ms(31_000)
        gone = self.look_up(order, clock=clock)

        assert (gone.state, gone.filled_quantity) == (OrderState.REJECTED, 0)
        assert self.sent() == 1
        self.assert_exact()


def events() -> list[str]:
    """Return what the log tells, oldest first."""
    return list(LogEntry.objects.order_by("pk").values_list("event", flat=True))
