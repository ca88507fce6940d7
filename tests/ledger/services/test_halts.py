"""Trading states: what they stop, and who changed them when and why."""

from decimal import Decimal as D
from importlib import import_module

import pytest
from django.db import IntegrityError, connection, transaction

from arbplatform.core.errors import IllegalTransition, InvalidInput, NotFound
from ledger.domain.halts import (
    EVERYTHING,
    SELF_LIFTING_LEVELS,
    HaltLevel,
    HaltScope,
    TradingEvent,
    TradingState,
)
from ledger.domain.orders import OrderState
from ledger.errors import TradingGuarded, TradingHalted
from ledger.models import LogEntry, Order, TradingChange, TradingHalt
from ledger.selectors.halts import list_halts
from ledger.services.halts import change_trading, name_of
from ledger.services.journal import submit_orders, write_orders
from ledger.services.kill import cancel_halted_orders, stop_trading
from markets.domain.orders import TimeInForce, VenueOrderStatus
from markets.errors import OutcomeUnknown, VenueUnavailable

pytestmark = pytest.mark.django_db

REASON = "prices look wrong"


def change(event, scope=EVERYTHING, **fields):
    return change_trading(event=event, scope=scope, reason=REASON, **fields)


def rest(venue):
    """Let the orders that are sent from now on stay open, unfilled."""
    venue.fill_fraction, venue.rest_status = D(0), VenueOrderStatus.OPEN


@pytest.fixture
def scope_of(account, strategy):
    """Return a function that gives the scope of a level that covers the tests' orders."""
    targets = {
        HaltLevel.GLOBAL: None,
        HaltLevel.VENUE: account.venue_id,
        HaltLevel.ACCOUNT: account.pk,
        HaltLevel.STRATEGY: strategy.pk,
        HaltLevel.VENUE_STATE: account.venue_id,
        HaltLevel.ACCOUNT_KEY: account.pk,
    }
    return lambda level: (
        HaltScope(level, guard="disk@here")
        if level is HaltLevel.GUARD
        else HaltScope(level, targets[level])
    )


@pytest.mark.parametrize("level", HaltLevel)
def test_no_order_is_written_under_a_halt(make_plan, venue, scope_of, level):
    change(TradingEvent.HALT, scope_of(level))

    with pytest.raises(TradingHalted) as refusal:
        write_orders(plans=[make_plan()])

    assert REASON in str(refusal.value)
    assert Order.objects.count() == 0
    assert venue.submissions == []


@pytest.mark.parametrize("level", HaltLevel)
def test_an_order_that_was_written_before_a_halt_is_not_sent_after_it(
    order, venue, scope_of, level
):
    change(TradingEvent.HALT, scope_of(level))

    done = submit_orders(order_ids=[order.pk])[0]

    assert venue.submissions == []
    kind = TradingGuarded if level in SELF_LIFTING_LEVELS else TradingHalted
    assert (done.state, done.error_code) == (OrderState.REJECTED, kind.code)
    assert done.finished_at is not None
    assert done.next_lookup_at is None
    assert LogEntry.objects.get(event="order_halted").context["order_id"] == order.pk


@pytest.mark.parametrize("level", [HaltLevel.VENUE, HaltLevel.ACCOUNT])
def test_a_halt_elsewhere_stops_nothing_here(make_plan, beta, level):
    other = beta[0]
    target = other.venue_id if level is HaltLevel.VENUE else other.pk
    change(TradingEvent.HALT, HaltScope(level, target))

    orders = write_orders(plans=[make_plan()])

    assert submit_orders(order_ids=[orders[0].pk])[0].state == OrderState.FILLED


def test_of_two_orders_only_the_one_under_a_halt_is_kept_back(make_plan, beta, venue, assets):
    account, fake = beta
    market = account.venue.markets.get(symbol="BTC/USDT")
    plans = [make_plan(0), make_plan(1, account_id=account.pk, market_id=market.pk)]
    ids = [order.pk for order in write_orders(plans=plans)]
    change(TradingEvent.HALT, HaltScope(HaltLevel.VENUE, account.venue_id))

    first, second = submit_orders(order_ids=ids)

    assert (first.state, second.state) == (OrderState.FILLED, OrderState.REJECTED)
    assert len(venue.submissions) == 1
    assert fake.submissions == []


def test_while_reducing_only_orders_that_reduce_are_written_and_sent(make_plan, venue):
    before = [make_plan(0), make_plan(1, is_reducing=True)]
    increasing, reducing = write_orders(plans=before)
    change(TradingEvent.REDUCE)

    with pytest.raises(TradingHalted):
        write_orders(plans=[make_plan(2)])
    write_orders(plans=[make_plan(3, is_reducing=True)])
    done = submit_orders(order_ids=[increasing.pk, reducing.pk])

    assert [order.state for order in done] == [OrderState.REJECTED, OrderState.FILLED]
    assert len(venue.submissions) == 1


def test_after_a_resumption_orders_are_sent_again(make_plan):
    change(TradingEvent.HALT)
    change(TradingEvent.RESUME)

    orders = write_orders(plans=[make_plan()])

    assert list_halts() == []
    assert submit_orders(order_ids=[orders[0].pk])[0].state == OrderState.FILLED


def test_resuming_everything_leaves_a_narrower_halt_as_it_is(make_plan, scope_of):
    change(TradingEvent.HALT, scope_of(HaltLevel.STRATEGY))
    change(TradingEvent.HALT)
    change(TradingEvent.RESUME)

    with pytest.raises(TradingHalted):
        write_orders(plans=[make_plan()])


def test_every_change_is_kept_with_who_when_and_why(staff, clock):
    change(TradingEvent.HALT, user=staff, clock=clock)
    change(TradingEvent.HALT, clock=clock)
    change(TradingEvent.RESUME, user=staff, clock=clock)

    rows = TradingChange.objects.order_by("pk").values_list(
        "event", "before", "after", "changed_by", "user_id", "reason", "changed_at"
    )
    now = clock.now()
    assert list(rows) == [
        ("halt", "active", "halted", staff.username, staff.pk, REASON, now),
        ("halt", "halted", "halted", "system", None, REASON, now),
        ("resume", "halted", "active", staff.username, staff.pk, REASON, now),
    ]
    assert TradingHalt.objects.get().state == TradingState.ACTIVE
    assert LogEntry.objects.filter(event__startswith="trading_").count() == 3


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_tradingchange SET reason = 'another'",
        "DELETE FROM ledger_tradingchange",
    ],
)
def test_the_history_cannot_be_rewritten(statement):
    change(TradingEvent.HALT)

    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)

    assert TradingChange.objects.get().reason == REASON


def test_the_guards_of_the_history_can_be_taken_down_and_put_up_again():
    guards = import_module("ledger.migrations.0003_trading_halts")
    change(TradingEvent.HALT)

    guards.drop_guards(connection)
    TradingChange.objects.update(reason="for a test")
    guards.create_guards(connection)

    with pytest.raises(IntegrityError), transaction.atomic():
        TradingChange.objects.update(reason="another")


@pytest.mark.parametrize("reason", ["", "  ", "x" * 201])
def test_a_change_needs_a_reason(reason):
    with pytest.raises(InvalidInput):
        change_trading(event=TradingEvent.HALT, scope=EVERYTHING, reason=reason)

    assert TradingHalt.objects.count() == TradingChange.objects.count() == 0


@pytest.mark.parametrize(
    "scope", [*(HaltScope(level, 99) for level in HaltLevel), HaltScope(HaltLevel.VENUE)]
)
def test_only_what_there_is_can_be_halted(db, scope):
    with pytest.raises(NotFound):
        change(TradingEvent.HALT, scope)

    assert TradingHalt.objects.count() == TradingChange.objects.count() == 0


def test_what_is_active_cannot_be_resumed(db):
    with pytest.raises(IllegalTransition):
        change(TradingEvent.RESUME)

    assert TradingChange.objects.count() == 0


def test_a_halt_of_something_that_is_gone_is_named_by_its_key(db):
    assert str(name_of(TradingHalt(key="venue:9", level=HaltLevel.VENUE, target_id=9))) == "venue:9"


def test_the_switch_withdraws_what_was_not_sent_and_wakes_a_worker(
    order, venue, sent_tasks, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        report = stop_trading(reason=REASON)

    assert [row.pk for row in report.withdrawn] == [order.pk]
    assert (report.open, report.unknown) == ([], [])
    assert Order.objects.get().state == OrderState.REJECTED
    assert ("ledger.cancel_halted_orders", {}) in sent_tasks
    assert venue.submissions == []


def test_the_switch_lists_open_and_unknown_orders_and_open_ones_are_cancelled(
    make_plan, venue, strategy
):
    rest(venue)
    resting, lost = write_orders(
        plans=[make_plan(n, time_in_force=TimeInForce.GTC) for n in range(2)]
    )
    submit_orders(order_ids=[resting.pk])

    def lose(request):
        raise OutcomeUnknown(venue="alpha", cause="timeout")

    venue.after_submit = lose
    submit_orders(order_ids=[lost.pk])

    report = stop_trading(reason=REASON)

    assert [order.pk for order in report.open] == [resting.pk]
    assert [order.pk for order in report.unknown] == [lost.pk]
    left = cancel_halted_orders()
    assert Order.objects.get(pk=resting.pk).state == OrderState.CANCELED
    assert venue.calls.count("cancel_order") == 1
    assert lost.pk in [order.pk for order in left]


def test_what_cannot_be_cancelled_now_is_tried_again(make_plan, venue):
    rest(venue)
    order = write_orders(plans=[make_plan(time_in_force=TimeInForce.GTC)])[0]
    submit_orders(order_ids=[order.pk])
    stop_trading(reason=REASON)

    venue.failures["cancel_order"] = [VenueUnavailable(venue="alpha", cause="no route")]
    assert [row.pk for row in cancel_halted_orders()] == [order.pk]

    assert cancel_halted_orders() == []
    assert Order.objects.get().state == OrderState.CANCELED


def test_without_a_halt_nothing_is_cancelled(make_plan, venue):
    rest(venue)
    order = write_orders(plans=[make_plan(time_in_force=TimeInForce.GTC)])[0]
    submit_orders(order_ids=[order.pk])
    change(TradingEvent.REDUCE)

    assert cancel_halted_orders() == []
    assert Order.objects.get().state == OrderState.OPEN
