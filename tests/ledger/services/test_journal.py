"""Orders are written down, claimed and sent once; whatever a venue does is recorded."""

from dataclasses import replace
from decimal import Decimal as D

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.errors import AccountDisabled
from accounts.models import Reservation, VenueAccount
from arbplatform.core.clock import SYSTEM_CLOCK
from arbplatform.core.errors import IllegalTransition
from ledger.domain.orders import DECIDED_MS_MAX, SEND_DEADLINE_MS, OrderState
from ledger.errors import ImmutableRecord, InvalidOrderPlan, OrderNotFound
from ledger.models import Entry, Fill, LogEntry, Order, OrderStateChoice
from ledger.selectors import imbalances, order_movements
from ledger.services.journal import cancel_order, submit_orders, write_orders
from markets.domain.orders import OrderKind, OrderRequest, Side, TimeInForce, VenueOrderStatus
from markets.errors import (
    AnswerUnreadable,
    InsufficientFunds,
    OrderTooLate,
    OutcomeUnknown,
    VenueAuthFailed,
    VenueRateLimited,
    VenueUnavailable,
)

S = OrderState


def raiser(error):
    def hook(request):
        raise error

    return hook


def submit(order, clock):
    return submit_orders(order_ids=[order.pk], clock=clock)[0]


# writing --------------------------------------------------------------------------------------


def test_orders_are_written_pending_and_nothing_is_sent(make_plan, venue, execution):
    orders = write_orders(plans=[make_plan(0), make_plan(1, side=Side.SELL)])

    assert [(o.pk, o.leg_index, o.side, o.state) for o in Order.objects.order_by("pk")] == [
        (orders[0].pk, 0, "buy", S.PENDING),
        (orders[1].pk, 1, "sell", S.PENDING),
    ]
    assert venue.calls == []


def test_client_ids_follow_from_execution_leg_and_attempt(make_plan):
    plans = [make_plan(0), make_plan(1), make_plan(0, attempt=1)]

    ids = [order.client_order_id for order in write_orders(plans=plans)]

    assert len(set(ids)) == 3
    assert all(one.startswith("arbtests") and len(one) == 24 for one in ids)


def test_writing_the_same_orders_again_returns_the_ones_that_are_there(make_plan):
    plans = [make_plan(0), make_plan(1)]
    first = write_orders(plans=plans)

    assert [order.pk for order in write_orders(plans=plans)] == [order.pk for order in first]
    assert Order.objects.count() == 2


def test_another_order_under_the_same_leg_and_attempt_is_refused(make_plan):
    write_orders(plans=[make_plan(0)])

    with pytest.raises(ImmutableRecord):
        write_orders(plans=[make_plan(0, quantity=D(1)), make_plan(1)])

    assert Order.objects.get().quantity == D("0.5")


def test_orders_without_an_execution_get_ids_of_their_own(make_plan):
    plan = make_plan(execution_id=None, strategy_id=None)

    ids = {write_orders(plans=[plan])[0].client_order_id for _ in range(3)}

    assert len(ids) == 3


@pytest.mark.parametrize(
    "fields",
    [
        {"quantity": D(0)},
        {"quantity": D(-1)},
        {"price": None},
        {"price": D(0)},
        {"price": D(-5), "kind": OrderKind.MARKET},
    ],
)
def test_an_order_that_makes_no_sense_is_refused_with_all_others(make_plan, fields):
    with pytest.raises(InvalidOrderPlan):
        write_orders(plans=[make_plan(0), make_plan(1, **fields)])

    assert not Order.objects.exists()


# sending --------------------------------------------------------------------------------------


def test_a_filled_order_is_recorded_and_booked(order, venue, clock):
    done = submit(order, clock)

    assert (done.state, done.venue_order_id) == (S.FILLED, "alpha-1")
    assert (done.filled_quantity, done.filled_cost) == (D("0.5"), D(30_000))
    assert done.submitted_at == done.acknowledged_at == done.finished_at == clock.now()
    assert (done.next_lookup_at, done.error_code, done.error) == (None, None, "")
    assert venue.submissions == [order.client_order_id]
    assert [(f.quantity, f.price, f.cost, f.fee) for f in Fill.objects.order_by("pk")] == [
        (D("0.25"), D(60_000), D(15_000), D("0.00025")),
        (D("0.25"), D(60_000), D(15_000), D("0.00025")),
    ]
    assert order_movements(order.pk) == {"BTC": D("0.4995"), "USDT": D(-30_000)}
    assert imbalances() == {}


def test_what_is_sent_is_what_was_written(order, venue, clock):
    submit(order, clock)

    (sent,) = venue.orders.values()
    assert (sent.symbol, sent.side, sent.quantity, sent.price) == (
        "BTC/USDT",
        Side.BUY,
        D("0.5"),
        D(60_000),
    )


def test_legs_on_two_venues_are_sent_together(make_plan, make_venue, alpha, clock):
    _, venue = alpha
    other_account, other = make_venue("beta")
    other_market = other_account.venue.markets.get(symbol="BTC/USDT")
    sell = make_plan(
        1, side=Side.SELL, account_id=other_account.pk, market_id=other_market.pk, price=D(60_100)
    )
    orders = write_orders(plans=[make_plan(0), sell])

    done = submit_orders(order_ids=[order.pk for order in orders], clock=clock)

    assert [(order.pk, order.state) for order in done] == [
        (orders[0].pk, S.FILLED),
        (orders[1].pk, S.FILLED),
    ]
    assert (len(venue.submissions), len(other.submissions)) == (1, 1)
    assert imbalances() == {}


def test_one_leg_may_fail_without_the_other(make_plan, make_venue, venue, clock):
    other_account, other = make_venue("beta")
    other.before_submit = raiser(InsufficientFunds(venue="beta", cause="balance"))
    other_market = other_account.venue.markets.get(symbol="BTC/USDT")
    sell = make_plan(1, side=Side.SELL, account_id=other_account.pk, market_id=other_market.pk)
    orders = write_orders(plans=[sell, make_plan(0)])

    done = submit_orders(order_ids=[order.pk for order in orders], clock=clock)

    assert [order.state for order in done] == [S.REJECTED, S.FILLED]


def test_an_order_is_sent_only_once_however_often_it_is_asked_for(order, venue, clock):
    for _ in range(3):
        submit_orders(order_ids=[order.pk], clock=clock)

    assert venue.submissions == [order.client_order_id]
    assert Fill.objects.count() == 2


def test_unknown_ids_are_refused(clock, db):
    with pytest.raises(OrderNotFound):
        submit_orders(order_ids=[7], clock=clock)


def test_a_partly_filled_ioc_order_is_cancelled_with_what_it_filled(order, venue, clock):
    venue.fill_fraction = D("0.4")

    done = submit(order, clock)

    assert (done.state, done.filled_quantity, done.next_lookup_at) == (S.CANCELED, D("0.2"), None)


def test_an_ioc_order_that_found_nobody_is_cancelled(order, venue, clock):
    venue.fill_fraction = D(0)

    done = submit(order, clock)

    assert (done.state, done.filled_quantity) == (S.CANCELED, D(0))
    assert "fetch_fills" not in venue.calls
    assert not Entry.objects.exists()


def test_a_resting_order_stays_open_and_is_looked_up(make_plan, venue, clock):
    venue.fill_fraction, venue.rest_status = D("0.4"), VenueOrderStatus.OPEN
    (order,) = write_orders(plans=[make_plan(time_in_force=TimeInForce.GTC)])

    done = submit(order, clock)

    assert (done.state, done.filled_quantity, done.finished_at) == (S.OPEN, D("0.2"), None)
    assert done.next_lookup_at is not None
    assert "fetch_order" not in venue.calls
    assert Fill.objects.count() == 2


def test_a_venue_that_answers_with_a_bare_id_is_read_once(order, venue, clock):
    """As okx and others do: the answer to an IOC order says nothing about what became of it."""
    submitted = type(venue).submit_order

    def answer_bare(request):
        full = submitted(venue, request)
        return replace(full, status=VenueOrderStatus.OPEN, filled_quantity=D(0), fills=())

    venue.submit_order = answer_bare

    done = submit(order, clock)

    assert (done.state, done.filled_quantity, done.next_lookup_at) == (S.FILLED, D("0.5"), None)
    assert venue.calls == ["submit_order", "fetch_order", "fetch_fills"]
    assert Fill.objects.count() == 2


def test_executions_that_the_answer_left_out_are_fetched(order, venue, clock):
    venue.sends_fills = False

    done = submit(order, clock)

    assert venue.calls == ["submit_order", "fetch_fills"]
    assert (done.state, done.next_lookup_at, Fill.objects.count()) == (S.FILLED, None, 2)


def test_until_executions_are_booked_the_order_stays_due(order, venue, clock):
    venue.sends_fills = False
    venue.failures["fetch_fills"] = [VenueUnavailable(venue="alpha", cause="timeout")]

    done = submit(order, clock)

    assert (done.state, done.filled_quantity, done.filled_cost) == (S.FILLED, D("0.5"), D(0))
    assert done.next_lookup_at is not None
    assert not Fill.objects.exists()


# refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        InsufficientFunds(venue="alpha", cause="Account has insufficient balance."),
        VenueAuthFailed(venue="alpha", cause="Invalid API-key."),
        VenueUnavailable(venue="alpha", cause="no route"),
        VenueRateLimited(venue="alpha", cause="1015"),
    ],
)
def test_a_refused_or_unsent_order_is_rejected_with_its_cause(order, venue, clock, error):
    venue.before_submit = raiser(error)

    done = submit(order, clock)

    assert (done.state, done.error_code, str(done.to_error())) == (
        S.REJECTED,
        error.code,
        str(error),
    )
    assert (done.finished_at, done.next_lookup_at) == (clock.now(), None)
    assert not Fill.objects.exists()
    log = LogEntry.objects.get()
    assert (log.event, log.strategy_id) == ("order_rejected", order.strategy_id)
    assert str(log.to_message()) == (
        f"Order {order.pk} (buy 0.5 BTC/USDT @ alpha) was not accepted: {error}"
    )


def test_an_order_of_a_disabled_account_is_rejected_and_not_sent(order, venue, account, clock):
    VenueAccount.objects.filter(pk=account.pk).update(is_enabled=False)

    done = submit(order, clock)

    assert (done.state, done.error_code) == (S.REJECTED, AccountDisabled.code)
    assert venue.calls == []


@pytest.mark.usefixtures("exact_deadline")
def test_an_order_whose_claim_is_old_is_not_sent(make_plan, venue, clock):
    """The machine was paused between claim and sending: a sweep may have given the order up."""
    (order,) = write_orders(plans=[make_plan(0)])

    class LateClock:
        """The claim reads now, the sender reads what is later by the deadline and a bit."""

        now = clock.now

        def now_ms(self):
            return clock.now_ms() + 10_001

    done = submit(order, LateClock())

    assert (done.state, done.error_code) == (S.REJECTED, OrderTooLate.code)
    assert venue.calls == []


@pytest.mark.usefixtures("exact_claims")
def test_an_order_that_was_decided_on_before_a_pause_is_not_sent(make_plan, venue, clock):
    """The machine was paused between the decision and the claim: prices are others by now."""
    (order,) = write_orders(plans=[make_plan(0)])
    decided_ms = clock.monotonic_ms()
    clock.advance_ms(DECIDED_MS_MAX + 1)

    (done,) = submit_orders(order_ids=[order.pk], decided_ms=decided_ms, clock=clock)

    assert (done.state, done.error_code) == (S.REJECTED, OrderTooLate.code)
    assert venue.calls == []
    assert not Reservation.objects.exists()
    assert LogEntry.objects.get().event == "order_late"


@pytest.mark.usefixtures("exact_claims")
def test_an_order_that_was_decided_on_just_now_is_sent(make_plan, venue, clock):
    (order,) = write_orders(plans=[make_plan(0)])
    decided_ms = clock.monotonic_ms()
    clock.advance_ms(DECIDED_MS_MAX)

    (done,) = submit_orders(order_ids=[order.pk], decided_ms=decided_ms, clock=clock)

    assert (done.state, done.error_code) == (S.FILLED, None)


@pytest.mark.usefixtures("exact_deadline")
def test_the_gateway_is_told_until_when_an_order_may_leave(make_plan, venue, clock):
    """It may wait for a connection or for its turn longer than its claim lasts."""
    (order,) = write_orders(plans=[make_plan(0)])
    requests: list[OrderRequest] = []
    venue.before_submit = requests.append
    before_ms = SYSTEM_CLOCK.monotonic_ms()

    submit(order, clock)

    send_before_ms = requests[0].send_before_ms
    assert send_before_ms is not None
    left_ms = send_before_ms - before_ms
    assert SEND_DEADLINE_MS <= left_ms < SEND_DEADLINE_MS + 60_000


@pytest.mark.usefixtures("exact_deadline")
def test_a_pause_while_clocks_are_read_gives_an_order_no_more_time(make_plan, venue, clock):
    (order,) = write_orders(plans=[make_plan(0)])
    requests: list[OrderRequest] = []
    venue.before_submit = requests.append
    read_at_ms = []

    class NotedClock:
        """Notes by the monotonic clock when it was read."""

        now = clock.now

        def now_ms(self):
            read_at_ms.append(SYSTEM_CLOCK.monotonic_ms())
            return clock.now_ms()

    submit(order, NotedClock())

    send_before_ms = requests[0].send_before_ms
    assert send_before_ms is not None
    assert send_before_ms - SEND_DEADLINE_MS <= read_at_ms[-1]


@pytest.mark.usefixtures("exact_deadline")
def test_a_clock_that_is_set_back_gives_an_order_no_more_time(make_plan, venue, clock):
    (order,) = write_orders(plans=[make_plan(0)])
    requests: list[OrderRequest] = []
    venue.before_submit = requests.append

    class SetBackClock:
        """The claim reads now, the sender an hour before that."""

        now = clock.now

        def now_ms(self):
            return clock.now_ms() - 3_600_000

    submit(order, SetBackClock())

    send_before_ms = requests[0].send_before_ms
    assert send_before_ms is not None
    assert send_before_ms <= SYSTEM_CLOCK.monotonic_ms() + SEND_DEADLINE_MS


# unknown outcomes -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "record"),
    [
        (OutcomeUnknown(venue="alpha", cause="timeout"), (OutcomeUnknown.code, "order_unknown")),
        (RuntimeError("anything at all"), (AnswerUnreadable.code, "answer_unreadable")),
        (KeyError("orderId"), (AnswerUnreadable.code, "answer_unreadable")),
    ],
)
def test_what_is_not_a_definite_refusal_is_unknown(order, venue, clock, error, record):
    venue.after_submit = raiser(error)

    done = submit(order, clock)

    assert (done.state, done.error_code) == (S.UNKNOWN, record[0])
    assert (done.next_lookup_at - clock.now()).total_seconds() == 0.5
    assert done.finished_at is None
    assert venue.submissions == [order.client_order_id]
    assert LogEntry.objects.get().event == record[1]
    assert not Fill.objects.exists()


def test_an_answer_about_another_order_is_unknown(order, venue, clock):
    submitted = type(venue).submit_order
    venue.submit_order = lambda request: replace(
        submitted(venue, request), client_order_id="somebody-elses"
    )

    assert submit(order, clock).state == S.UNKNOWN


def test_a_duplicate_client_id_means_that_the_first_one_arrived(order, venue, clock):
    venue._accept(order.to_request())
    calls_before = len(venue.fills)

    done = submit(order, clock)

    assert (done.state, done.venue_order_id, len(venue.fills)) == (
        S.FILLED,
        "alpha-1",
        calls_before,
    )
    assert Fill.objects.count() == 2


def test_a_duplicate_that_cannot_be_read_is_unknown(order, venue, clock):
    venue._accept(order.to_request())
    venue.failures["fetch_order"] = [VenueUnavailable(venue="alpha", cause="timeout")]

    assert submit(order, clock).state == S.UNKNOWN


def test_an_unforeseen_error_while_adopting_is_unknown(order, venue, clock):
    venue._accept(order.to_request())
    venue.failures["fetch_order"] = [KeyError("status")]

    assert submit(order, clock).state == S.UNKNOWN


def test_an_unforeseen_error_while_reading_details_loses_nothing(order, venue, clock):
    venue.sends_fills = False
    venue.failures["fetch_fills"] = [KeyError("price")]

    done = submit(order, clock)

    assert (done.state, done.next_lookup_at is not None) == (S.FILLED, True)


# cancelling -----------------------------------------------------------------------------------


@pytest.fixture
def resting(make_plan, venue, clock):
    """An order that rests at the venue with a fifth filled."""
    venue.fill_fraction, venue.rest_status = D("0.2"), VenueOrderStatus.OPEN
    (order,) = write_orders(plans=[make_plan(time_in_force=TimeInForce.GTC)])
    return submit(order, clock)


def test_a_cancelled_order_is_read_before_it_is_believed(resting, venue, clock):
    done = cancel_order(order_id=resting.pk, clock=clock)

    assert (done.state, done.filled_quantity) == (S.CANCELED, D("0.1"))
    assert venue.calls == ["submit_order", "cancel_order", "fetch_order", "fetch_fills"]


def test_an_order_that_was_filled_before_the_cancellation_came(resting, venue, clock):
    venue.execute(resting.client_order_id, D("0.4"))

    done = cancel_order(order_id=resting.pk, clock=clock)

    assert (done.state, done.filled_quantity, Fill.objects.count()) == (S.FILLED, D("0.5"), 3)


@pytest.mark.parametrize(
    "error", [OutcomeUnknown(venue="alpha", cause="timeout"), RuntimeError("broken")]
)
def test_a_cancellation_of_unknown_outcome_changes_nothing_by_itself(resting, venue, clock, error):
    venue.failures["cancel_order"] = [error]

    assert cancel_order(order_id=resting.pk, clock=clock).state == S.OPEN


def test_a_cancellation_that_was_not_sent_raises_and_changes_nothing(resting, venue, clock):
    venue.failures["cancel_order"] = [VenueUnavailable(venue="alpha", cause="no route")]

    with pytest.raises(VenueUnavailable):
        cancel_order(order_id=resting.pk, clock=clock)

    assert Order.objects.get(pk=resting.pk).state == S.OPEN


def test_an_order_that_was_not_sent_is_withdrawn_without_asking_the_venue(order, venue, clock):
    done = cancel_order(order_id=order.pk, clock=clock)

    assert (done.state, done.next_lookup_at, venue.calls) == (S.REJECTED, None, [])
    assert submit(order, clock).state == S.REJECTED
    assert venue.submissions == []


@pytest.mark.parametrize("state", [S.FILLED, S.CANCELED, S.REJECTED, S.SUBMITTING])
def test_what_has_ended_or_is_being_sent_cannot_be_cancelled(order, venue, clock, state):
    Order.objects.filter(pk=order.pk).update(state=state)

    with pytest.raises(IllegalTransition) as refusal:
        cancel_order(order_id=order.pk, clock=clock)

    told = f"The order {order.pk} is {OrderStateChoice(state).label}: there is nothing to cancel."
    assert str(refusal.value) == told
    assert venue.calls == []


# transactions and cost ------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_the_row_is_committed_and_no_transaction_open_when_the_venue_is_called(order, venue, clock):
    seen = []

    def look(name):
        seen.append((name, connection.in_atomic_block))

    venue.on_call = look
    venue.sends_fills = False

    submit(order, clock)

    assert seen == [("submit_order", False), ("fetch_fills", False)]


@pytest.mark.django_db(transaction=True)
def test_sending_inside_a_transaction_is_refused(order, venue, clock):
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        submit_orders(order_ids=[order.pk], clock=clock)

    assert venue.calls == []
    assert Order.objects.get().state == S.PENDING


def test_two_legs_take_few_statements(make_plan, venue, clock):
    orders = write_orders(plans=[make_plan(0), make_plan(1)])

    with CaptureQueriesContext(
        connection,
    ) as queries:
        submit_orders(order_ids=[order.pk for order in orders], clock=clock)

    statements = [q["sql"] for q in queries if "SAVEPOINT" not in q["sql"]]
    assert len(statements) <= 12, statements
