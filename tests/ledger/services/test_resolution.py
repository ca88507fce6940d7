"""What is not known is looked up until it is; nothing is ever sent again."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal as D

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import VenueAccount
from arbplatform.core.clock import from_ms
from arbplatform.core.vigil import Vigil
from ledger.domain.orders import OrderState
from ledger.models import Entry, Fill, LateFee, LogEntry, Order
from ledger.selectors import imbalances, list_due_orders
from ledger.services import recording
from ledger.services.journal import (
    resolve_unknown,
    resolve_unknown_orders,
    submit_orders,
    write_orders,
)
from markets.domain.orders import Side, TimeInForce, VenueOrderStatus
from markets.errors import OrderAbsent, OutcomeUnknown, VenueRateLimited, VenueUnavailable
from tests.ledger.fakes import make_fill

S = OrderState
SETTLE = "strategies.settle_execution"


def raiser(error):
    def hook(request):
        raise error

    return hook


def submit(order, clock):
    return submit_orders(order_ids=[order.pk], clock=clock)[0]


def sweep(clock, *, after_ms=0):
    clock.advance_ms(after_ms)
    report = resolve_unknown_orders(clock=clock)
    return Order.objects.order_by("pk").first(), report


def events():
    return [entry.event for entry in LogEntry.objects.order_by("pk")]


@pytest.fixture
def lost(order, venue, clock):
    """An order that filled at the venue, but whose answer was lost."""
    venue.after_submit = raiser(OutcomeUnknown(venue="alpha", cause="timeout"))
    done = submit(order, clock)
    assert (done.state, Fill.objects.count()) == (S.UNKNOWN, 0)
    return done


@pytest.fixture
def never_arrived(order, venue, clock):
    """An order that the venue never got, which we do not know."""
    venue.before_submit = raiser(OutcomeUnknown(venue="alpha", cause="timeout"))
    return submit(order, clock)


# found ----------------------------------------------------------------------------------------


def test_a_lost_answer_is_found_and_booked(
    lost, venue, clock, sent_tasks, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        found, report = sweep(clock, after_ms=500)

    assert (found.state, found.filled_quantity, found.next_lookup_at) == (S.FILLED, D("0.5"), None)
    assert (found.error_code, found.error) == (None, "")
    assert (report.looked_up, report.failed, report.skipped) == (1, 0, 0)
    assert Fill.objects.count() == 2
    assert venue.submissions == [lost.client_order_id]
    assert sent_tasks == [(SETTLE, {"execution_id": lost.execution_id})]
    assert events() == ["order_unknown", "order_resolved"]


def test_nothing_is_asked_before_it_is_due(lost, venue, clock):
    calls = len(venue.calls)

    order, report = sweep(clock, after_ms=499)

    assert (order.state, report.looked_up, len(venue.calls)) == (S.UNKNOWN, 0, calls)


def test_a_person_may_ask_at_any_time(lost, clock):
    assert resolve_unknown(order_id=lost.pk, clock=clock).state == S.FILLED


def test_about_a_settled_order_nobody_is_asked(order, venue, clock):
    submit(order, clock)
    calls = len(venue.calls)

    assert resolve_unknown(order_id=order.pk, clock=clock).state == S.FILLED
    assert len(venue.calls) == calls


def test_lookups_widen_while_the_venue_does_not_answer(lost, venue, clock):
    delays = []
    for _ in range(8):
        venue.failures["fetch_order"] = [VenueUnavailable(venue="alpha", cause="timeout")]
        due = Order.objects.get().next_lookup_at
        order, _ = sweep(clock, after_ms=(due - clock.now()) / timedelta(milliseconds=1))
        delays.append((order.next_lookup_at - clock.now()).total_seconds())

    order = Order.objects.get()
    assert delays == [1, 2, 5, 10, 30, 30, 30, 30]
    assert (order.state, order.miss_count) == (S.UNKNOWN, 0)
    assert str(order.to_error()).startswith("The venue alpha cannot be reached")


@pytest.mark.parametrize("error", [KeyError("status"), OutcomeUnknown(venue="a", cause="b")])
def test_an_unforeseen_answer_teaches_nothing(lost, venue, clock, error):
    venue.failures["fetch_order"] = [error]

    order, _ = sweep(clock, after_ms=500)

    assert (order.state, order.miss_count) == (S.UNKNOWN, 0)


def test_an_answer_about_another_order_teaches_nothing(lost, venue, clock):
    order_id = venue.client_ids[lost.client_order_id]
    venue.orders[order_id] = replace(venue.orders[order_id], client_order_id="somebody-elses")

    order, _ = sweep(clock, after_ms=500)

    assert order.state == S.UNKNOWN
    assert "another order" in str(order.to_error())


# absent ---------------------------------------------------------------------------------------


def test_absence_is_concluded_after_three_misses_over_thirty_seconds(
    never_arrived, venue, clock, sent_tasks, django_capture_on_commit_callbacks
):
    states = []
    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(8):
            due = Order.objects.get().next_lookup_at
            order, _ = sweep(clock, after_ms=(due - clock.now()) / timedelta(milliseconds=1))
            states.append((order.state, order.miss_count))
            if order.state != S.UNKNOWN:
                break

    # looked for after 0.5, 1, 2, 5, and then every 10 s: the seventh miss is 38 s after the first
    assert states == [(S.UNKNOWN, n) for n in range(1, 7)] + [(S.REJECTED, 7)]
    order = Order.objects.get()
    assert order.error_code == OrderAbsent.code
    assert venue.submissions == []
    assert sent_tasks == [(SETTLE, {"execution_id": order.execution_id})]
    assert not Entry.objects.exists()


def test_processes_that_were_replaced_and_take_turns_conclude_absence_soon(
    never_arrived, clock, monkeypatch
):
    """None of them has listened for the whole time: each knows what it heard itself."""
    former, later = [Vigil(), Vigil()], [Vigil(), Vigil()]

    for turn in range(12):
        vigils = former if turn < 5 else later  # until 19 s after it was sent
        monkeypatch.setattr(recording, "_SILENCES", vigils[turn % 2])
        due = Order.objects.get().next_lookup_at
        order, _ = sweep(clock, after_ms=(due - clock.now()) / timedelta(milliseconds=1))
        if order.state != S.UNKNOWN:
            break

    order = Order.objects.get()
    assert order.state == S.REJECTED
    assert order.finished_at is not None
    assert order.first_missed_at is not None
    assert order.finished_at - order.first_missed_at < timedelta(seconds=75)


def test_a_venue_that_does_not_answer_is_asked_ever_more_rarely(never_arrived, venue, clock):
    venue.failures["fetch_order"] = [VenueUnavailable(venue="alpha", cause="down")] * 8

    for _ in range(8):
        due = Order.objects.get().next_lookup_at
        sweep(clock, after_ms=(due - clock.now()) / timedelta(milliseconds=1))

    assert Order.objects.get().next_lookup_at == clock.now() + timedelta(seconds=30)


def test_many_misses_in_a_moment_prove_nothing(never_arrived, clock):
    for _ in range(10):
        resolve_unknown(order_id=never_arrived.pk, clock=clock)

    order = Order.objects.get()
    assert (order.state, order.miss_count) == (S.UNKNOWN, 10)


def conclude_absent(clock):
    for after_ms in (500, 15_000, 16_000):
        clock.advance_ms(after_ms)
        resolve_unknown(order_id=Order.objects.get().pk, clock=clock)
    order = Order.objects.get()
    assert order.state == S.REJECTED
    return order


def test_a_venue_that_shows_the_order_late_is_believed(lost, venue, clock):
    venue.hides_orders = True
    order = conclude_absent(clock)
    assert (order.next_lookup_at - clock.now()) == timedelta(minutes=10)
    venue.hides_orders = False

    order, _ = sweep(clock, after_ms=600_000)

    assert (order.state, order.filled_quantity, Fill.objects.count()) == (S.FILLED, D("0.5"), 2)
    assert order.next_lookup_at is None


def test_the_watch_over_an_absent_order_ends_after_a_day(never_arrived, clock):
    conclude_absent(clock)

    order, report = sweep(clock, after_ms=86_400_000)
    assert (order.state, order.next_lookup_at, report.looked_up) == (S.REJECTED, None, 1)
    order, report = sweep(clock, after_ms=86_400_000)
    assert report.looked_up == 0


def test_an_execution_refutes_absence(lost, venue, clock):
    """A venue whose order query lags behind its trades: the order is there."""
    venue.knows_client_id = False
    order_id = venue.client_ids[lost.client_order_id]
    venue.orders[order_id] = replace(venue.orders[order_id], client_order_id=None)

    order, _ = sweep(clock, after_ms=500)

    assert (order.state, order.venue_order_id, Fill.objects.count()) == (S.FILLED, order_id, 2)


@pytest.mark.parametrize("quantity", ["0.3", "0.9"])
def test_an_order_of_another_size_that_its_executions_lead_to_is_not_ours(
    lost, venue, clock, quantity
):
    venue.knows_client_id = False
    Order.objects.filter(pk=lost.pk).update(quantity=D(quantity))

    order, _ = sweep(clock, after_ms=500)

    assert (order.state, order.miss_count, Fill.objects.count()) == (S.UNKNOWN, 0, 0)
    assert "about another order" in str(order.to_error())


def test_among_alike_orders_none_is_chosen(lost, venue, clock):
    venue.knows_client_id = False
    order_id = venue.client_ids[lost.client_order_id]
    twin = replace(venue.orders[order_id], client_order_id=None)
    venue.orders[order_id] = twin
    venue.orders["alpha-9"] = replace(twin, venue_order_id="alpha-9")
    venue.fills += [replace(fill, venue_order_id="alpha-9") for fill in venue.fills]

    order, _ = sweep(clock, after_ms=500)

    assert (order.state, Fill.objects.count()) == (S.UNKNOWN, 0)


def test_executions_of_our_other_orders_are_not_taken_for_it(
    make_plan, never_arrived, venue, clock
):
    venue.before_submit = None
    (other,) = write_orders(plans=[make_plan(5)])
    submit(other, clock)
    venue.knows_client_id = False
    venue.orders = {
        key: replace(order, client_order_id=None) for key, order in venue.orders.items()
    }

    order, _ = sweep(clock, after_ms=500)

    assert (order.state, order.miss_count, Fill.objects.count()) == (S.UNKNOWN, 1, 2)


def test_however_many_orders_there_were_only_the_candidates_are_compared_with_them(
    make_plan, never_arrived, venue, clock
):
    """An account has had millions; none is read where an order is known by its id."""
    venue.before_submit = None
    ids = [order.pk for order in write_orders(plans=[make_plan(leg) for leg in range(5, 9)])]
    submit_orders(order_ids=ids, clock=clock)
    (lost,) = write_orders(plans=[make_plan(9)])
    venue.after_submit = raiser(OutcomeUnknown(venue="alpha", cause="timeout"))
    submit(lost, clock)

    def asked(order):
        with CaptureQueriesContext(connection) as queries:
            resolve_unknown(order_id=order.pk, clock=clock)
        texts = [query["sql"] for query in queries if "SELECT" in query["sql"]]
        return [text for text in texts if "venue_order_id" in text.partition(" WHERE ")[2]]

    assert asked(lost) == []
    venue.knows_client_id = False
    (text,) = asked(never_arrived)
    assert len([one for one in venue.orders if f"'{one}'" in text]) == len(venue.orders)


def test_executions_that_cannot_be_ours_are_not_looked_at(never_arrived, venue, clock):
    foreign = make_fill(never_arrived, venue_order_id="foreign")
    venue.fills = [replace(foreign, side=Side.SELL), replace(foreign, price=D(60_001))]

    order, _ = sweep(clock, after_ms=500)

    assert (order.state, order.miss_count) == (S.UNKNOWN, 1)


def test_too_many_foreign_executions_teach_nothing(never_arrived, venue, clock):
    foreign = make_fill(never_arrived)
    venue.fills = [replace(foreign, venue_order_id=f"foreign-{n}") for n in range(6)]

    order, _ = sweep(clock, after_ms=500)

    assert (order.state, order.miss_count) == (S.UNKNOWN, 0)
    assert "6 orders that are not ours" in str(order.to_error())


def test_an_order_among_the_open_ones_is_found(make_plan, venue, clock):
    venue.fill_fraction, venue.rest_status = D(0), VenueOrderStatus.OPEN
    venue.after_submit = raiser(OutcomeUnknown(venue="alpha", cause="timeout"))
    (order,) = write_orders(plans=[make_plan(time_in_force=TimeInForce.GTC)])
    submit(order, clock)
    venue.failures["fetch_order"] = [OrderAbsent(venue="alpha", cause="not yet")]

    order, _ = sweep(clock, after_ms=500)

    assert (order.state, order.venue_order_id) == (S.OPEN, "alpha-1")


# orders that rest or lack details -------------------------------------------------------------


@pytest.fixture
def resting(make_plan, venue, clock):
    """An order that rests at the venue, nothing filled."""
    venue.fill_fraction, venue.rest_status = D(0), VenueOrderStatus.OPEN
    (order,) = write_orders(plans=[make_plan(time_in_force=TimeInForce.GTC)])
    return submit(order, clock)


def test_a_resting_order_is_followed_until_it_is_filled(
    resting, venue, clock, sent_tasks, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        venue.execute(resting.client_order_id, D("0.2"))
        order, _ = sweep(clock, after_ms=60_000)
        assert (order.state, order.filled_quantity) == (S.OPEN, D("0.2"))
        venue.execute(resting.client_order_id, D("0.3"))
        order, _ = sweep(clock, after_ms=60_000)
        assert (order.state, order.filled_quantity) == (S.FILLED, D("0.5"))

    assert Fill.objects.count() == 2
    assert sent_tasks == [(SETTLE, {"execution_id": order.execution_id})] * 2
    assert sweep(clock, after_ms=60_000)[1].looked_up == 0


def test_an_acknowledged_order_that_the_venue_forgets_has_ended(resting, venue, clock):
    venue.execute(resting.client_order_id, D("0.2"))
    venue.orders.clear()

    for _ in range(4):
        sweep(clock, after_ms=30_000)

    order = Order.objects.get()
    assert (order.state, order.filled_quantity, Fill.objects.count()) == (S.CANCELED, D("0.2"), 1)


def test_missing_executions_are_completed_by_the_sweep(
    order, venue, clock, sent_tasks, django_capture_on_commit_callbacks
):
    venue.sends_fills = False
    venue.failures["fetch_fills"] = [VenueUnavailable(venue="alpha", cause="timeout")]
    submit(order, clock)

    with django_capture_on_commit_callbacks(execute=True):
        found, _ = sweep(clock, after_ms=500)

    assert (found.state, found.filled_cost, found.next_lookup_at) == (S.FILLED, D(30_000), None)
    assert sent_tasks == [(SETTLE, {"execution_id": order.execution_id})]


def test_missing_fees_are_completed_by_the_sweep(order, venue, clock):
    venue.states_fee = False
    done = submit(order, clock)
    assert (done.state, done.next_lookup_at is not None) == (S.FILLED, True)
    found, _ = sweep(clock, after_ms=500)
    assert (found.next_lookup_at - clock.now()).total_seconds() == 1
    venue.states_fee = True

    found, _ = sweep(clock, after_ms=1_000)

    assert (found.next_lookup_at, LateFee.objects.count()) == (None, 2)
    assert imbalances() == {}


# dead senders ---------------------------------------------------------------------------------


def test_a_pending_order_that_nobody_claims_becomes_void(
    order, venue, clock, sent_tasks, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        assert sweep(clock, after_ms=59_000)[0].state == S.PENDING
        found, report = sweep(clock, after_ms=2_000)

    assert (found.state, found.next_lookup_at, report.looked_up) == (S.REJECTED, None, 0)
    assert "not sent" in str(found.to_error())
    assert (venue.calls, events()) == ([], ["order_expired"])
    assert sent_tasks == [(SETTLE, {"execution_id": order.execution_id})]
    assert submit(order, clock).state == S.REJECTED
    assert venue.submissions == []


class Killed(BaseException):
    """As SIGKILL: nothing of ours runs any more, no handler catches it."""


@pytest.fixture
def killed_after_claim(order, venue, clock, monkeypatch):
    """A process that died between its claim and the sending."""
    monkeypatch.setattr("ledger.services.journal.send_all", raiser_all(Killed()))
    with pytest.raises(Killed):
        submit(order, clock)
    monkeypatch.undo()
    return order


@pytest.fixture
def killed_after_sending(order, venue, clock, monkeypatch):
    """A process that died between the sending and the recording of the answer."""
    monkeypatch.setattr("ledger.services.journal.record", raiser_all(Killed()))
    with pytest.raises(Killed):
        submit(order, clock)
    monkeypatch.undo()
    return order


def raiser_all(error):
    def hook(*args, **kwargs):
        raise error

    return hook


def settle(clock):
    for _ in range(12):
        due = Order.objects.get().next_lookup_at
        if due is None or due - clock.now() > timedelta(minutes=5):
            break
        sweep(clock, after_ms=max(0, (due - clock.now()) / timedelta(milliseconds=1)))
    return Order.objects.get()


@pytest.mark.usefixtures("killed_after_claim")
def test_killed_between_claim_and_sending_the_order_is_never_sent(order, venue, clock):
    assert Order.objects.get().state == S.SUBMITTING
    assert sweep(clock, after_ms=15_000)[1].looked_up == 0  # its sender may still be at work

    clock.advance_ms(1)
    found = settle(clock)

    assert (found.state, found.error_code) == (S.REJECTED, OrderAbsent.code)
    assert venue.submissions == []
    assert events() == ["order_abandoned", "order_rejected"]
    submit(order, clock)
    assert venue.submissions == []


@pytest.mark.usefixtures("killed_after_sending")
def test_killed_between_sending_and_recording_all_is_booked_once(order, venue, clock):
    assert (Order.objects.get().state, Fill.objects.count()) == (S.SUBMITTING, 0)
    clock.advance_ms(15_001)

    found = settle(clock)
    for _ in range(3):
        submit(order, clock)
        resolve_unknown_orders(clock=clock)

    assert (found.state, found.filled_quantity, Fill.objects.count()) == (S.FILLED, D("0.5"), 2)
    assert venue.submissions == [order.client_order_id]
    assert imbalances() == {}


def test_a_sender_that_was_only_slow_may_still_record(order, venue, clock):
    """The sweep took it over, found it and booked it; then the answer arrives after all."""

    def overtake(request):
        Order.objects.filter(pk=order.pk).update(next_lookup_at=clock.now())
        clock.advance_ms(15_001)
        assert resolve_unknown_orders(clock=clock).looked_up == 1

    venue.after_submit = overtake

    done = submit(order, clock)

    assert (done.state, Fill.objects.count(), done.next_lookup_at) == (S.FILLED, 2, None)
    assert imbalances() == {}


def test_a_refusal_does_not_overrule_what_a_lookup_found(order, venue, clock):
    def overtake(request):
        clock.advance_ms(15_001)
        assert resolve_unknown(order_id=order.pk, clock=clock).state == S.FILLED
        raise VenueUnavailable(venue="alpha", cause="confused")

    venue.after_submit = overtake

    done = submit(order, clock)

    assert (done.state, Fill.objects.count()) == (S.FILLED, 2)


# what cannot be written down ------------------------------------------------------------------


@pytest.fixture
def unbookable(venue):
    """A venue whose next execution has more digits than the books keep."""
    trade = type(venue)._trade

    def trade_badly(order, quantity):
        fill = replace(trade(venue, order, quantity), quantity=quantity + D("1e-19"))
        venue.fills[-1] = fill
        return fill

    venue._trade = trade_badly
    return venue


def test_an_answer_that_cannot_be_booked_leaves_the_order_unknown(order, unbookable, clock):
    done = submit(order, clock)

    assert (done.state, done.error_code) == (S.UNKNOWN, OutcomeUnknown.code)
    assert "could not be written down (Unbookable)" in str(done.to_error())
    assert not Entry.objects.exists()

    found, report = sweep(clock, after_ms=500)
    assert (found.state, report.failed) == (S.UNKNOWN, 1)
    assert found.next_lookup_at > clock.now()


def test_one_bad_answer_does_not_spoil_the_other_leg(make_plan, make_venue, unbookable, clock):
    other_account, _ = make_venue("beta")
    market = other_account.venue.markets.get(symbol="BTC/USDT")
    plans = [make_plan(0), make_plan(1, account_id=other_account.pk, market_id=market.pk)]
    orders = write_orders(plans=plans)

    done = submit_orders(order_ids=[order.pk for order in orders], clock=clock)

    assert [order.state for order in done] == [S.UNKNOWN, S.FILLED]
    assert Fill.objects.count() == 2


# sweeps ---------------------------------------------------------------------------------------


@pytest.fixture
def three_lost(make_plan, venue, clock):
    """Three orders that filled at the venue, but whose answers were lost."""
    venue.after_submit = raiser(OutcomeUnknown(venue="alpha", cause="timeout"))
    orders = write_orders(plans=[make_plan(n) for n in range(3)])
    return submit_orders(order_ids=[order.pk for order in orders], clock=clock)


def test_a_venue_that_hangs_costs_one_timeout_a_sweep(three_lost, venue, clock):
    venue.failures["fetch_order"] = [VenueUnavailable(venue="alpha", cause="down")] * 3
    venue.on_call = lambda name: clock.advance_ms(10_000)

    _, report = sweep(clock, after_ms=500)

    assert (report.looked_up, report.skipped) == (1, 2)
    assert venue.calls.count("fetch_order") == 1


def test_a_venue_that_fails_at_once_is_asked_about_two_orders_a_sweep(three_lost, venue, clock):
    venue.failures["fetch_order"] = [VenueUnavailable(venue="alpha", cause="down")] * 3

    _, report = sweep(clock, after_ms=500)

    assert (report.looked_up, report.skipped) == (2, 1)
    assert venue.calls.count("fetch_order") == 2


def test_a_venue_that_limits_us_is_asked_no_further(three_lost, venue, clock):
    venue.failures["fetch_order"] = [VenueRateLimited(venue="alpha", cause="slower")] * 3

    _, report = sweep(clock, after_ms=500)

    assert (report.looked_up, report.skipped) == (1, 2)


@pytest.fixture
def lost_elsewhere(three_lost, make_venue, make_plan, clock):
    """One more order whose answer was lost, later, at another venue."""
    account, beta = make_venue("beta")
    beta.after_submit = raiser(OutcomeUnknown(venue="beta", cause="timeout"))
    market = account.venue.markets.get(symbol="BTC/USDT")
    plan = make_plan(3, account_id=account.pk, market_id=market.pk)
    return submit(write_orders(plans=[plan])[0], clock)


def test_orders_that_are_passed_over_take_no_others_place_in_a_sweep(lost_elsewhere, venue, clock):
    venue.failures["fetch_order"] = [VenueRateLimited(venue="alpha", cause="slower")] * 3
    clock.advance_ms(500)

    report = resolve_unknown_orders(clock=clock, limit=2)

    assert (report.looked_up, report.skipped) == (2, 2)
    lost_elsewhere.refresh_from_db()
    assert lost_elsewhere.state == S.FILLED


def test_an_order_that_always_fails_keeps_no_other_of_its_venue_waiting(three_lost, venue, clock):
    venue.failures["fetch_order"] = [VenueUnavailable(venue="alpha", cause="no such page")]

    _, report = sweep(clock, after_ms=500)

    assert (report.looked_up, report.skipped) == (3, 0)
    states = list(Order.objects.order_by("pk").values_list("state", flat=True))
    assert states == [S.UNKNOWN, S.FILLED, S.FILLED]


def test_what_failed_last_time_is_asked_last_though_it_takes_long(
    three_lost, lost_elsewhere, clock
):
    """Neither its own venue's other orders nor those of other venues wait for it."""
    first, second, third = three_lost
    Order.objects.filter(pk=first.pk).update(error_code=VenueUnavailable.code, lookup_count=9)
    Order.objects.filter(pk=first.pk).update(next_lookup_at=clock.now())

    due = [pk for pk, _venue in list_due_orders(now=from_ms(clock.now_ms() + 500), limit=9)]

    assert due == [second.pk, third.pk, lost_elsewhere.pk, first.pk]


def test_a_sweep_ends_when_its_time_is_up(make_plan, venue, clock):
    venue.after_submit = raiser(OutcomeUnknown(venue="alpha", cause="timeout"))
    orders = write_orders(plans=[make_plan(n) for n in range(3)])
    submit_orders(order_ids=[order.pk for order in orders], clock=clock)
    venue.on_call = lambda name: clock.advance_ms(20_001)

    _, report = sweep(clock, after_ms=500)

    assert (report.looked_up, report.skipped) == (1, 2)


def test_a_sweep_takes_only_so_many(make_plan, venue, clock):
    venue.after_submit = raiser(OutcomeUnknown(venue="alpha", cause="timeout"))
    orders = write_orders(plans=[make_plan(n) for n in range(3)])
    submit_orders(order_ids=[order.pk for order in orders], clock=clock)
    clock.advance_ms(500)

    assert resolve_unknown_orders(clock=clock, limit=2).looked_up == 2


def test_two_sweeps_do_not_look_up_the_same_order(lost, venue, clock):
    inner: list[int] = []

    def second_sweep(name):
        if name == "fetch_order" and not inner:
            inner.append(resolve_unknown_orders(clock=clock).looked_up)

    venue.on_call = second_sweep

    _, report = sweep(clock, after_ms=500)

    assert (report.looked_up, inner) == (1, [0])


def test_orders_of_a_disabled_account_are_looked_up_all_the_same(lost, account, clock):
    VenueAccount.objects.filter(pk=account.pk).update(is_enabled=False)

    order, _ = sweep(clock, after_ms=500)

    assert (order.state, Fill.objects.count()) == (S.FILLED, 2)
