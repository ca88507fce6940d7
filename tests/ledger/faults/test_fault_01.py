"""A reply that does not come in time makes the order UNKNOWN, and only a look-up ends that."""

from datetime import timedelta

import pytest

from ledger.domain.orders import LOOKUP_DELAYS_MS, OrderState
from ledger.models import Order
from ledger.selectors import count_orders
from ledger.services.journal import resolve_unknown_orders, submit_orders
from tests.ledger.faults.wire import events

TIMEOUT_MS = 3_000
"""A venue that is slow is slower than this; one that is not is faster, on a busy machine too."""
pytestmark = pytest.mark.parametrize("wire", [TIMEOUT_MS], indirect=True)


def test_an_order_whose_reply_is_late_is_found_and_booked_once(wire):
    wire.fault("late_answer", delay_ms=4 * TIMEOUT_MS)

    order = wire.send()

    assert "no answer within the time limit" in str(order.to_error())
    assert events()[-1] == "order_unknown"
    wire.assert_found_and_booked_once(order)


def test_the_sweep_looks_it_up_at_once_and_then_at_growing_pauses(wire, clock):
    wire.fault("late_answer", delay_ms=4 * TIMEOUT_MS)
    order = wire.write()
    clock.at_ms = int(order.created_at.timestamp() * 1_000) + 1

    (order,) = submit_orders(order_ids=[order.pk], clock=clock)
    wire.fault("refuse", path="", method="GET", times=None)
    pauses = []
    for _ in LOOKUP_DELAYS_MS:
        order = Order.objects.get(pk=order.pk)
        pauses.append((order.next_lookup_at - clock.now()) / timedelta(milliseconds=1))
        clock.at_ms += round(pauses[-1])
        assert resolve_unknown_orders(clock=clock).looked_up == 1

    assert tuple(pauses) == LOOKUP_DELAYS_MS
    assert count_orders(OrderState.UNKNOWN) == 1
    wire.simulator.control.clear_faults("alpha")
    wire.assert_found_and_booked_once(Order.objects.get(pk=order.pk))
