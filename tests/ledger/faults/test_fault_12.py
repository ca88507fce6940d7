"""An order that a venue does not show is taken for absent after three misses over thirty seconds
with nothing in its trades, and is watched for a day afterwards.
"""

from datetime import timedelta

import pytest

from ledger.domain.orders import OrderState
from ledger.models import Discrepancy, Fill, Order
from ledger.selectors import reserved_balances
from ledger.services.journal import cancel_order, submit_orders
from ledger.services.resolution import resolve_unknown
from markets.errors import OrderAbsent, OutcomeUnknown
from tests.jumping import JumpingClock


@pytest.fixture
def lost(order, venue, clock):
    """An order that arrived, but whose answer was cut off."""

    def cut_off(request):
        raise OutcomeUnknown(venue="alpha", cause="cut off")

    venue.after_submit = cut_off
    (done,) = submit_orders(order_ids=[order.pk], clock=clock)
    assert done.state == OrderState.UNKNOWN
    return done


def test_not_found_seconds_after_sending_proves_nothing(lost, venue, clock):
    """The published wrong conclusion: five quick misses, then REJECTED, then the fill."""
    venue.hides_orders = True
    for _look in range(5):
        clock.advance_ms(1_000)
        assert resolve_unknown(order_id=lost.pk, clock=clock).state == OrderState.UNKNOWN

    venue.hides_orders = False

    assert resolve_unknown(order_id=lost.pk, clock=clock).state == OrderState.FILLED
    assert Fill.objects.count() == 2
    assert len(venue.submissions) == 1


@pytest.mark.parametrize("jump_ms", [60_000, 3_600_000, -3_600_000])
def test_a_clock_that_jumps_proves_no_absence_and_delays_none(lost, venue, clock, jump_ms):
    """Thirty seconds have to pass; that the wall clock was set meanwhile is no silence."""
    venue.hides_orders = True
    clock = JumpingClock(at_ms=clock.at_ms)

    def look_after(pause_ms):
        clock.advance_ms(pause_ms)
        return resolve_unknown(order_id=lost.pk, clock=clock).state

    assert look_after(500) == OrderState.UNKNOWN
    clock.jump_ms(jump_ms)
    for _look in range(5):
        assert look_after(5_999) == OrderState.UNKNOWN

    assert look_after(5) == OrderState.REJECTED


def test_a_silence_that_was_broken_begins_anew(lost, venue, clock):
    """An order that rested, was missed, seen and missed again was missed since the second time."""
    venue.hides_orders = True
    clock.advance_ms(1_000)
    resolve_unknown(order_id=lost.pk, clock=clock)
    Order.objects.update(miss_count=0, first_missed_at=None)
    clock.advance_ms(60_000)

    for _look in range(3):
        clock.advance_ms(9_000)
        assert resolve_unknown(order_id=lost.pk, clock=clock).state == OrderState.UNKNOWN


def test_an_order_that_turns_up_after_it_was_given_up_is_adopted(lost, venue, clock):
    venue.hides_orders = True
    done = lost
    for _look in range(4):
        clock.advance_ms(15_000)
        done = resolve_unknown(order_id=lost.pk, clock=clock)
    assert (done.state, done.error_code) == (OrderState.REJECTED, OrderAbsent.code)
    assert done.next_lookup_at is not None
    assert done.next_lookup_at - clock.now() <= timedelta(hours=24)

    venue.hides_orders = False
    found = resolve_unknown(order_id=lost.pk, clock=clock)

    assert (found.state, Fill.objects.count()) == (OrderState.FILLED, 2)


def test_a_working_order_that_a_venue_denied_for_long_works_again(
    resting, venue, clock, opened_books
):
    """It was taken for cancelled; while it may fill, its funds are set aside."""
    held = reserved_balances(opened_books.pk)
    venue.hides_orders = True
    done = resting
    for _look in range(4):
        clock.advance_ms(15_000)
        done = resolve_unknown(order_id=resting.pk, clock=clock)
    assert (done.state, done.error_code) == (OrderState.CANCELED, OrderAbsent.code)
    assert reserved_balances(opened_books.pk) == {}

    venue.hides_orders = False
    found = resolve_unknown(order_id=resting.pk, clock=clock)

    assert (found.state, found.finished_at, found.error_code) == (OrderState.OPEN, None, None)
    assert reserved_balances(opened_books.pk) == held
    assert cancel_order(order_id=resting.pk, clock=clock).state == OrderState.CANCELED


def test_a_working_order_that_a_list_leaves_out_once_goes_on_working(look, resting, venue):
    venue.hidden.add(resting.venue_order_id)

    assert look().outcome == "different"
    assert Order.objects.get().state == OrderState.OPEN
    assert Discrepancy.objects.get().kind == "order_state"
    venue.hidden.clear()

    assert look().outcome == "clean"
    assert (Order.objects.get().state, Discrepancy.objects.get().state) == ("open", "closed")


def test_a_working_order_that_a_venue_denies_once_goes_on_working(look, resting, venue):
    venue.hides_orders = True
    look()
    venue.hides_orders = False

    assert look().outcome == "clean"
    assert Order.objects.get().state == OrderState.OPEN
