"""Venues that say of an order that ended nothing about what it filled: its executions tell."""

from dataclasses import replace
from decimal import Decimal as D

import pytest

from ledger.domain.orders import CANCEL_WATCH_MS, COUNT_SPAN_MIN_MS, OrderState
from ledger.models import Discrepancy, Fill, Order
from ledger.services.journal import (
    cancel_order,
    resolve_unknown,
    resolve_unknown_orders,
    submit_orders,
    write_orders,
)
from ledger.services.sending import Reported
from ledger.services.spooling import to_fact, to_outcome
from markets.domain.orders import TimeInForce, VenueOrderStatus
from markets.errors import NotSupportedByVenue, OrderAbsent, OutcomeUnknown, VenueUnavailable
from tests.ledger.fakes import FakeVenue

S = OrderState
AWAY = VenueUnavailable(venue="alpha", cause="timeout")


class Silent(FakeVenue):
    """Says nothing about what an order filled once that has ended."""

    def submit_order(self, request):
        return self._leave_out(super().submit_order(request))

    def fetch_order(self, **ids):
        return self._leave_out(super().fetch_order(**ids))

    def fetch_orders(self, symbol, *, since_ms):
        return [self._leave_out(one) for one in super().fetch_orders(symbol, since_ms=since_ms)]

    def _leave_out(self, order):
        if order.status is VenueOrderStatus.OPEN:
            return order
        status = order.status
        if status is VenueOrderStatus.FILLED:
            status = VenueOrderStatus.CANCELED  # the gateway cannot tell it from a part
        return replace(order, status=status, filled_quantity=D(0), is_filled_stated=False, fills=())


@pytest.fixture
def venue(venue):
    """The venue alpha, which says nothing about what was filled."""
    venue.__class__ = Silent
    return venue


def submit(order, clock):
    return submit_orders(order_ids=[order.pk], clock=clock)[0]


def sweep(clock, *, after_ms=0):
    clock.advance_ms(after_ms)
    resolve_unknown_orders(clock=clock)
    return Order.objects.get()


@pytest.fixture
def resting(make_plan, venue, clock):
    """An order that rests at the venue, nothing filled."""
    venue.fill_fraction, venue.rest_status = D(0), VenueOrderStatus.OPEN
    (order,) = write_orders(plans=[make_plan(time_in_force=TimeInForce.GTC)])
    return submit(order, clock)


def test_executions_that_come_to_all_that_was_ordered_are_all(order, venue, clock):
    done = submit(order, clock)

    assert (done.state, done.filled_quantity, Fill.objects.count()) == (S.FILLED, D("0.5"), 2)
    assert venue.calls == ["submit_order", "fetch_fills"]


@pytest.mark.parametrize(("fraction", "filled"), [("0.4", "0.2"), ("0", "0")])
def test_fewer_executions_are_all_once_the_list_has_stayed_the_same_for_a_while(
    order, venue, clock, fraction, filled
):
    venue.fill_fraction = D(fraction)

    assert submit(order, clock).state == S.OPEN
    assert sweep(clock, after_ms=COUNT_SPAN_MIN_MS - 1).state == S.OPEN
    done = sweep(clock, after_ms=1_000)

    assert (done.state, done.filled_quantity) == (S.CANCELED, D(filled))
    assert sum(fill.quantity for fill in Fill.objects.all()) == D(filled)


def test_a_list_that_has_grown_is_waited_for_anew(order, venue, clock):
    venue.fill_fraction = D("0.4")
    late: list[str] = []
    ask = venue.fetch_fills
    venue.fetch_fills = lambda *args, **kwargs: [
        fill for fill in ask(*args, **kwargs) if fill.venue_trade_id not in late
    ]
    venue.after_submit = lambda _request: late.append(venue.fills[-1].venue_trade_id)
    done = submit(order, clock)
    assert (done.state, Fill.objects.count()) == (S.OPEN, 1)

    late.clear()
    done = sweep(clock, after_ms=COUNT_SPAN_MIN_MS)

    assert (done.state, Fill.objects.count()) == (S.OPEN, 2)
    assert sweep(clock, after_ms=COUNT_SPAN_MIN_MS).state == S.CANCELED


def test_an_answer_that_states_what_was_filled_costs_no_further_request(order, venue, clock):
    venue.__class__ = FakeVenue
    venue.fill_fraction = D(0)

    done = submit(order, clock)

    assert (done.state, done.next_lookup_at) == (S.CANCELED, None)
    assert venue.calls == ["submit_order"]


@pytest.mark.parametrize("status", [VenueOrderStatus.CANCELED, VenueOrderStatus.REJECTED])
def test_an_order_stays_open_until_its_executions_can_be_read(order, venue, clock, status):
    venue.fill_fraction, venue.rest_status = D("0.4"), status
    venue.failures["fetch_fills"] = [AWAY, AWAY]

    done = submit(order, clock)
    assert (done.state, done.filled_quantity, done.finished_at) == (S.OPEN, D(0), None)
    assert done.next_lookup_at is not None
    done = sweep(clock, after_ms=500)
    assert (done.state, done.finished_at) == (S.OPEN, None)

    done = sweep(clock, after_ms=2_000)
    assert (done.state, Fill.objects.count()) == (S.OPEN, 2)
    done = sweep(clock, after_ms=10_000)
    assert (done.state, done.filled_quantity) == (S.CANCELED, D("0.2"))


def test_a_venue_that_lists_no_executions_ends_no_order(order, venue, clock):
    venue.fill_fraction = D(0)
    venue.failures["fetch_fills"] = [NotSupportedByVenue(venue="alpha", cause="none")] * 4
    submit(order, clock)

    for _ in range(3):
        assert sweep(clock, after_ms=30_000).state == S.OPEN


def test_a_lost_order_is_concluded_from_its_executions(order, venue, clock):
    def lose(request):
        raise OutcomeUnknown(venue="alpha", cause="timeout")

    venue.fill_fraction, venue.after_submit = D("0.4"), lose
    assert submit(order, clock).state == S.UNKNOWN
    venue.failures["fetch_fills"] = [AWAY]

    assert sweep(clock, after_ms=500).state == S.OPEN
    assert sweep(clock, after_ms=30_000).state == S.OPEN
    done = sweep(clock, after_ms=30_000)

    assert (done.state, done.filled_quantity, Fill.objects.count()) == (S.CANCELED, D("0.2"), 2)


def test_a_cancellation_does_not_lose_what_was_filled_before(resting, venue, clock):
    venue.execute(resting.client_order_id, D("0.2"))
    venue.failures["fetch_fills"] = [AWAY]

    cancel_order(order_id=resting.pk, clock=clock)
    order = resolve_unknown(order_id=resting.pk, clock=clock)
    for _again in range(4):
        order = sweep(clock, after_ms=1_000)

    assert (order.state, order.filled_quantity, Fill.objects.count()) == (S.CANCELED, D("0.2"), 1)
    assert venue.failures["fetch_fills"] == []


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("fetch_order", AWAY),
        ("fetch_fills", AWAY),
        ("fetch_order", OrderAbsent(venue="alpha", cause="Order does not exist.")),
    ],
)
def test_executions_that_a_venue_lists_late_are_booked(*, order, venue, clock, call, error):
    """No figure says that one is missing, and one look-up that fails does not end the watch."""
    venue.fill_fraction = D("0.4")
    ask = venue.fetch_fills
    shown: list[bool] = []
    venue.fetch_fills = lambda *args, **kwargs: (ask(*args, **kwargs), [])[not shown]
    submit(order, clock)
    done = sweep(clock, after_ms=COUNT_SPAN_MIN_MS)
    assert (done.state, done.filled_quantity) == (S.CANCELED, D(0))

    venue.failures[call] = [error]
    sweep(clock, after_ms=1_000)
    assert venue.failures[call] == []
    shown.append(True)
    done = sweep(clock, after_ms=2_000)

    assert (done.state, done.filled_quantity, Fill.objects.count()) == (S.CANCELED, D("0.2"), 2)
    done = sweep(clock, after_ms=CANCEL_WATCH_MS)
    assert done.next_lookup_at is None


def test_a_spooled_report_still_says_whether_the_filled_amount_is_known(order, venue, clock):
    report = replace(
        venue._accept(order.to_request()),
        status=VenueOrderStatus.CANCELED,
        price=None,
        is_filled_stated=False,
    )

    unread, counted = Reported(report, ()), Reported(report, (), is_counted=True)

    assert to_outcome(to_fact(order, unread, at_ms=0)) == unread
    assert to_outcome(to_fact(order, counted, at_ms=0)) == counted


def test_a_report_that_was_spooled_before_is_taken_as_it_was(order, venue, clock):
    report = replace(venue._accept(order.to_request()), price=None)
    fact = to_fact(order, Reported(report, ()), at_ms=0)
    del fact["order"]["is_filled_stated"], fact["is_counted"]

    assert to_outcome(fact) == Reported(report, ())


def test_a_list_that_does_not_say_what_was_filled_contradicts_nothing(look, bought, venue):
    asked = len(venue.calls)

    look()

    assert not Discrepancy.objects.exists()
    assert "fetch_order" not in venue.calls[asked:]


def test_a_missing_execution_is_booked_where_the_report_does_not_speak_of_it(look, bought, venue):
    Order.objects.filter(pk=bought.pk).update(quantity=D(1), state=S.CANCELED)
    late = replace(venue.fills[-1], venue_trade_id="late", quantity=D("0.1"))
    venue.fills.append(late)

    look()

    row = Discrepancy.objects.get(kind="missing_fill")
    assert "was missing and is booked now" in str(row.to_message())
    assert Fill.objects.count() == 3
