"""Orders that were claimed, or looked up, while this machine's clock was ahead of the venue's."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal as D

import pytest

from accounts.models import Reservation
from ledger.domain.orders import OrderState
from ledger.errors import NotDisownable
from ledger.models import Fill, Order
from ledger.services.disowning import disown_order
from ledger.services.journal import (
    cancel_order,
    resolve_unknown,
    resolve_unknown_orders,
    submit_orders,
    write_orders,
)
from ledger.services.kill import repeat_cancellations
from markets.domain.orders import TimeInForce, VenueOrderStatus
from markets.errors import OrderAbsent, OutcomeUnknown
from tests.jumping import JumpingClock
from tests.ledger.fakes import FakeVenue

S = OrderState
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
JUMPS = [10 * MINUTE_MS, 5 * HOUR_MS, 23 * HOUR_MS]


class Dated(FakeVenue):
    """Lists what has executed since it is asked for, by its own clock, and how old orders are."""

    lags_by_id = False
    page = 50

    def fetch_fills(self, symbol, *, since_ms=None, venue_order_id=None):
        fills = super().fetch_fills(symbol, since_ms=since_ms, venue_order_id=venue_order_id)
        if since_ms is None:
            return fills[-self.page :]
        return [fill for fill in fills if fill.executed_at_ms >= since_ms]

    def fetch_order(self, *, symbol, venue_order_id=None, client_order_id=None):
        if self.lags_by_id and client_order_id is not None:
            self.calls.append("fetch_order")
            raise OrderAbsent(venue=self.code, cause="Order does not exist.")
        return super().fetch_order(
            symbol=symbol, venue_order_id=venue_order_id, client_order_id=client_order_id
        )

    def _accept(self, request):
        made = super()._accept(request)
        self.orders[made.venue_order_id] = replace(made, updated_at_ms=self.now_ms)
        return self.orders[made.venue_order_id]


@pytest.fixture
def venue(venue, clock):
    """The venue alpha, which goes by the true time."""
    venue.__class__ = Dated
    venue.now_ms = clock.at_ms
    return venue


@pytest.fixture
def clock(clock):
    """Our clock, which may be set."""
    return JumpingClock(at_ms=clock.at_ms)


@pytest.fixture
def lose(make_plan, opened_books, venue, clock):
    """Send an order while the clock is ahead; it arrives, and its answer is lost."""

    def cut_off(_request):
        raise OutcomeUnknown(venue="alpha", cause="cut off")

    def send(jump_ms, **plan):
        clock.jump_ms(jump_ms)
        (order,) = write_orders(plans=[make_plan(**plan)], clock=clock)
        venue.after_submit = cut_off
        (done,) = submit_orders(order_ids=[order.pk], clock=clock)
        assert done.state == S.UNKNOWN
        return done

    return send


def follow(clock, *, minutes):
    """Look up what is due until the time is over."""
    for _step in range(minutes * 12):
        clock.advance_ms(5_000)
        resolve_unknown_orders(clock=clock)
    return Order.objects.get()


@pytest.mark.parametrize("jump_ms", JUMPS)
def test_it_is_looked_up_as_soon_as_the_clock_is_right_again(lose, clock, jump_ms):
    lose(jump_ms)
    clock.jump_ms(-jump_ms)

    assert follow(clock, minutes=1).state == S.FILLED
    assert Fill.objects.count() == 2


@pytest.mark.parametrize("jump_ms", JUMPS)
def test_what_it_executed_is_found_though_that_seems_to_be_long_ago(lose, venue, clock, jump_ms):
    """Its venue does not find it by its id yet."""
    venue.lags_by_id = True
    lose(jump_ms)

    assert follow(clock, minutes=1).state == S.FILLED
    assert Fill.objects.count() == 2


@pytest.mark.parametrize("jump_ms", JUMPS)
def test_where_no_id_tells_it_what_may_be_it_speaks_against_absence(lose, venue, clock, jump_ms):
    venue.knows_client_id = False
    lose(jump_ms)

    order = follow(clock, minutes=5)

    assert (order.state, order.error_code) == (S.UNKNOWN, OutcomeUnknown.code)
    assert "this may be it: alpha-1" in str(order.to_error())
    assert Reservation.objects.count() == 1
    clock.jump_ms(-jump_ms)
    assert follow(clock, minutes=1).state == S.FILLED


def test_of_two_that_may_be_it_none_is_taken_and_both_speak_against_absence(lose, venue, clock):
    venue.knows_client_id = False
    lose(0)
    venue._accept(replace(Order.objects.get().to_request(), client_order_id="by-hand"))

    order = follow(clock, minutes=2)

    assert (order.state, Fill.objects.count()) == (S.UNKNOWN, 0)
    assert "this may be it: alpha-1, alpha-2" in str(order.to_error())


def trade_by_hand(venue, clock, count):
    """Let the account's owner have traded, long before our order was sent; that is not there."""
    request = Order.objects.get().to_request()
    venue.now_ms = clock.at_ms - HOUR_MS
    for number in range(count):
        venue._accept(replace(request, client_order_id=f"by-hand-{number}"))
    del venue.orders["alpha-1"]
    venue.fills = [fill for fill in venue.fills if fill.venue_order_id != "alpha-1"]


def test_what_others_trade_leaves_no_order_unknown_that_the_venue_cannot_find(lose, venue, clock):
    venue.page = 500
    lose(0)
    trade_by_hand(venue, clock, 60)
    asked = venue.calls.count("fetch_order")

    assert follow(clock, minutes=2).state == S.REJECTED
    # by our id, and then no more of the others' than a few
    rounds = venue.calls.count("fetch_open_orders")
    assert venue.calls.count("fetch_order") - asked <= rounds * 6


def test_where_no_order_is_found_by_its_id_too_many_of_others_speak_against_absence(
    lose, venue, clock
):
    venue.page, venue.knows_client_id = 500, False
    lose(0)
    trade_by_hand(venue, clock, 60)

    assert follow(clock, minutes=2).state == S.UNKNOWN


def test_what_is_too_large_does_not_speak_against_absence(lose, venue, clock):
    venue.knows_client_id = False
    lose(JUMPS[0])
    [made] = venue.orders.values()
    venue.orders = {made.venue_order_id: replace(made, quantity=D("0.7"))}
    venue.fills = [replace(venue.fills[0], quantity=D("0.7"))]

    assert follow(clock, minutes=2).state == S.REJECTED
    # by our id alone: the one that executed need not be read
    assert venue.calls.count("fetch_order") == venue.calls.count("fetch_open_orders")


def test_what_executed_more_than_a_day_before_does_not_either(lose, venue, clock):
    venue.knows_client_id = False
    lose(0)
    venue.fills = [replace(fill, executed_at_ms=clock.at_ms - 25 * HOUR_MS) for fill in venue.fills]

    assert follow(clock, minutes=2).state == S.REJECTED


@pytest.mark.parametrize("jump_ms", JUMPS)
def test_executions_that_are_counted_are_not_counted_from_later_on(lose, venue, clock, jump_ms):
    """Its venue does not say how much it filled: that none was listed would mean none."""
    venue.fill_fraction = D("0.4")
    lose(jump_ms)
    [made] = venue.orders.values()
    venue.orders[made.venue_order_id] = replace(
        made, filled_quantity=D(0), is_filled_stated=False, status=VenueOrderStatus.CANCELED
    )

    order = follow(clock, minutes=1)

    assert (order.state, order.filled_quantity, Fill.objects.count()) == (S.CANCELED, D("0.2"), 2)


def test_what_an_order_filled_that_its_venue_forgot_is_booked(lose, venue, clock):
    venue.fill_fraction, venue.rest_status = D(0), VenueOrderStatus.OPEN
    order = lose(JUMPS[0], time_in_force=TimeInForce.GTC)
    assert resolve_unknown(order_id=order.pk, clock=clock).state == S.OPEN
    venue.execute(order.client_order_id, D("0.2"))
    venue.orders.clear()

    order = follow(clock, minutes=2)

    assert (order.state, order.filled_quantity) == (S.CANCELED, D("0.2"))


def test_a_sender_that_has_died_is_noticed_although_its_claim_is_still_to_come(lose, venue, clock):
    order = lose(5 * HOUR_MS)
    Order.objects.filter(pk=order.pk).update(state=S.SUBMITTING)
    clock.jump_ms(-5 * HOUR_MS)

    assert follow(clock, minutes=1).state == S.FILLED


def test_an_order_that_nobody_claimed_is_void_although_its_time_is_still_to_come(
    make_plan, opened_books, venue, clock
):
    (order,) = write_orders(plans=[make_plan()], clock=clock)
    late = clock.now() + timedelta(hours=5)
    Order.objects.filter(pk=order.pk).update(created_at=late, next_lookup_at=late)

    assert follow(clock, minutes=1).state == S.REJECTED
    assert venue.submissions == []


def test_a_fee_that_is_asked_for_rarely_is_not_put_off_for_longer(lose, venue, clock):
    venue.states_fee = False
    order = lose(0)
    assert follow(clock, minutes=30).state == S.FILLED
    Order.objects.filter(pk=order.pk).update(next_lookup_at=clock.now() + timedelta(hours=1))
    calls = len(venue.calls)
    resolve_unknown_orders(clock=clock)
    assert len(venue.calls) == calls

    Order.objects.filter(pk=order.pk).update(next_lookup_at=clock.now() + timedelta(hours=2))
    resolve_unknown_orders(clock=clock)
    assert len(venue.calls) > calls


def test_clocks_of_machines_that_differ_a_little_take_nobodys_turn(lose, venue, clock):
    order = lose(4 * MINUTE_MS)
    Order.objects.filter(pk=order.pk).update(state=S.SUBMITTING)
    clock.jump_ms(-4 * MINUTE_MS)

    assert resolve_unknown_orders(clock=clock).looked_up == 0
    assert resolve_unknown(order_id=order.pk, clock=clock).state == S.SUBMITTING


@pytest.mark.parametrize("jump_ms", JUMPS)
def test_an_order_that_was_sent_while_the_clock_was_behind_is_found_as_well(lose, clock, jump_ms):
    lose(-jump_ms)
    clock.jump_ms(jump_ms)

    assert follow(clock, minutes=1).state == S.FILLED


@pytest.fixture
def resting(lose, venue, clock):
    """An order that works at its venue."""
    venue.fill_fraction, venue.rest_status = D(0), VenueOrderStatus.OPEN
    order = lose(0, time_in_force=TimeInForce.GTC)
    assert resolve_unknown(order_id=order.pk, clock=clock).state == S.OPEN
    return order


@pytest.mark.parametrize("jump_ms", JUMPS)
def test_a_cancellation_that_was_lost_is_repeated_once_the_clock_is_right(
    resting, venue, clock, jump_ms
):
    clock.jump_ms(jump_ms)
    venue.failures["cancel_order"] = [OutcomeUnknown(venue="alpha", cause="timeout")]
    cancel_order(order_id=resting.pk, clock=clock)
    clock.jump_ms(-jump_ms)
    assert [one.status for one in venue.orders.values()] == [VenueOrderStatus.OPEN]

    clock.advance_ms(6_000)
    repeat_cancellations(clock=clock)

    assert [one.status for one in venue.orders.values()] == [VenueOrderStatus.CANCELED]


def test_a_person_may_end_one_that_seems_to_be_sent_only_later(lose, venue, clock):
    """Another order bears its id, and its claim is still to come."""
    order = lose(5 * HOUR_MS)
    venue.orders["alpha-1"] = replace(venue.orders["alpha-1"], quantity=D("0.2"))
    venue.fills.clear()
    clock.jump_ms(-5 * HOUR_MS)
    clock.advance_ms(120_000)

    ended = disown_order(order_id=order.pk, note="An old backup.", user=None, clock=clock)

    assert ended.state == S.REJECTED


def test_before_that_word_is_taken_the_newest_executions_are_asked_for(lose, venue, clock):
    order = lose(5 * HOUR_MS)
    ours = venue.orders["alpha-1"]
    venue.orders = {
        "alpha-1": replace(ours, quantity=D("0.2")),
        "alpha-9": replace(ours, venue_order_id="alpha-9", client_order_id=None),
    }
    venue.fills = [replace(fill, venue_order_id="alpha-9") for fill in venue.fills]
    clock.advance_ms(120_000)

    with pytest.raises(NotDisownable, match="alpha-9"):
        disown_order(order_id=order.pk, note="An old backup.", user=None, clock=clock)
