"""A cancellation of unknown outcome stays pending until the venue's own state is read."""

from datetime import timedelta

import pytest
from django.utils import timezone

from ledger.domain.orders import OrderState
from ledger.models import Order
from ledger.services.journal import resolve_unknown_orders
from ledger.services.kill import repeat_cancellations
from markets.errors import VenueUnavailable

CUT = ["drop_answer", "drop_request", "truncate", "html"]


def silence_reads(wire):
    wire.fault("refuse", path="", method="GET", status=503, times=None)


@pytest.mark.parametrize("kind", CUT)
def test_without_an_answer_and_without_a_look_up_it_is_pending(wire, kind):
    order = wire.rest()
    wire.fault(kind, method="DELETE")
    silence_reads(wire)

    asked = wire.cancel(order)

    assert (asked.state, asked.is_cancelling) == (OrderState.OPEN, True)
    assert asked.next_lookup_at - timezone.now() < timedelta(seconds=1)


@pytest.mark.parametrize("kind", CUT)
def test_the_next_look_ups_bring_it_to_its_end(wire, kind):
    order = wire.rest()
    wire.fault(kind, method="DELETE")
    silence_reads(wire)
    wire.cancel(order)
    wire.simulator.control.clear_faults("alpha")
    past = timezone.now() - timedelta(seconds=6)
    Order.objects.update(cancel_requested_at=past, next_lookup_at=past)

    resolve_unknown_orders()
    repeat_cancellations()

    done = Order.objects.get()
    assert (done.state, done.is_cancelling) == (OrderState.CANCELED, False)
    assert wire.sent("DELETE") == (2 if kind == "drop_request" else 1)
    assert [state for state, _ in wire.venue_orders().values()] == ["CANCELED"]
    assert repeat_cancellations() == []
    wire.assert_exact()


def test_it_is_written_down_before_the_venue_hears_of_it(wire, monkeypatch):
    order = wire.rest()
    seen = []

    def look(method, path):
        seen.append(Order.objects.get().cancel_requested_at is not None)

    wire.on_request = look
    wire.cancel(order)

    assert seen[0] is True


def test_a_cancellation_that_never_left_is_not_pending(wire):
    order = wire.rest()
    wire.simulator.stop()

    with pytest.raises(VenueUnavailable):
        wire.cancel(order)

    left = Order.objects.get()
    assert (left.state, left.cancel_requested_at) == (OrderState.OPEN, None)


def test_it_is_shown_as_pending(wire, console, user_api):
    order = wire.rest()
    wire.fault("drop_request", method="DELETE")
    silence_reads(wire)
    wire.cancel(order)

    page = console.get("/admin/ledger/order/").content.decode()
    row = user_api.get(f"/api/orders/{order.pk}").json()["data"]

    assert "cancellation pending" in page
    assert row["is_cancelling"] is True
    assert row["cancel_requested_at"] is not None
