"""No order waits for a message that may never come: an open one is asked for by REST within two
seconds, and every minute besides.
"""

from datetime import timedelta
from decimal import Decimal as D

from ledger.domain.orders import OrderState
from ledger.models import Fill, Order
from ledger.services.journal import submit_orders, write_orders
from ledger.services.resolution import resolve_unknown_orders
from markets.domain.orders import TimeInForce, VenueOrderStatus


def test_an_accepted_order_is_asked_for_within_two_seconds(make_plan, venue, clock):
    venue.fill_fraction, venue.rest_status = D(0), VenueOrderStatus.OPEN
    (order,) = write_orders(plans=[make_plan(time_in_force=TimeInForce.GTC)], clock=clock)
    (resting,) = submit_orders(order_ids=[order.pk], clock=clock)
    assert resting.next_lookup_at - clock.now() <= timedelta(seconds=2)
    venue.execute(order.client_order_id, D("0.5"))  # and nobody is told

    clock.advance_ms(2_000)
    resolve_unknown_orders(clock=clock)

    assert (Order.objects.get().state, Fill.objects.count()) == (OrderState.FILLED, 1)


def test_reconciliation_finds_what_no_look_up_was_due_for(look, resting, venue):
    Order.objects.update(next_lookup_at=None)
    venue.execute(resting.client_order_id, D("0.2"))

    run = look()

    assert (run.outcome, run.booked_count) == ("clean", 1)
    assert Order.objects.get().filled_quantity == D("0.2")
