"""What executions left unhedged is listed, and at a person's word brought back by the repair."""

from decimal import Decimal as D

import pytest
from django.contrib.auth import get_user_model
from django.db import connection

from arbplatform.core.crashpoints import observe
from arbplatform.core.errors import InvalidInput
from ledger.domain.halts import EVERYTHING, HaltLevel, HaltScope, TradingEvent
from ledger.domain.orders import OrderState
from ledger.models import LogEntry, LogLevel, Order, TradingHalt
from ledger.selectors import imbalances
from ledger.services.halts import change_trading
from ledger.services.reconciliation import compare_with_venue
from markets.domain.orders import Side
from markets.errors import OutcomeUnknown, VenueRejected
from markets.models import Venue
from strategies.domain.repair import Action
from strategies.domain.states import ExecutionState
from strategies.errors import FlattenHalted, NotFlattened
from strategies.models import Execution
from strategies.services import sweeps
from strategies.services.acknowledgements import acknowledge_execution
from strategies.services.crashpoints import CrashPoint
from strategies.services.flattening import flatten, list_flattenings
from strategies.services.repairs import STEPS_MAX, go_on, repair_execution
from strategies.services.ticks import run_tick
from tests.strategies.fakes import SkewedClock

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("exact_results")]

LOOK_OF_THE_ACT = 3
"""Trading states are looked at for the whole, for each row of the list, and for each act."""


class Killed(BaseException):
    """What a SIGKILL looks like from inside: nothing after it runs."""


@pytest.fixture
def ada():
    """A person."""
    return get_user_model().objects.create_user("ada")


def facts(execution):
    """All that a refusal must leave as it was."""
    execution.refresh_from_db()
    return (
        execution.state,
        execution.fence,
        execution.steps,
        execution.deadline_at,
        Order.objects.count(),
        LogEntry.objects.filter(event="exposure_flattened").count(),
    )


def between(act):
    """Do something after the list was made, just before the first row of it is acted on."""
    looks: list[str] = []

    def watch(execute, sql, params, many, context):
        if sql.startswith("SELECT") and TradingHalt._meta.db_table in sql:
            looks.append(sql)
            if len(looks) == LOOK_OF_THE_ACT:
                act()
        return execute(sql, params, many, context)

    return connection.execute_wrapper(watch)


def sold(execution):
    return sum(order.filled_quantity for order in execution.orders.filter(side="sell"))


def bought(execution):
    return sum(order.filled_quantity for order in execution.orders.filter(side="buy"))


def test_the_list_says_what_would_be_sold_where_at_what_loss_and_sends_nothing(better, edge):
    before = facts(better)
    sent = len(edge["beta"].requests)

    row = list_flattenings()[0]

    assert row.is_possible
    assert row.market is not None
    assert row.verdict.order is not None
    assert row.verdict.loss_bps is not None
    assert (row.verdict.action, row.market.venue.code) == (Action.PROCEED, "beta")
    assert (row.verdict.order.side, row.verdict.order.limit_price) == (Side.SELL, D(50400))
    (exposure,) = row.exposures
    assert exposure.asset == "BTC"
    assert 0 < row.verdict.order.quantity <= exposure.amount
    # sold for more than it cost: a negative loss
    exact = exposure.amount * exposure.unit_value * row.verdict.loss_bps / 10_000
    assert row.estimated_loss is not None
    assert 0 <= row.estimated_loss - exact < D("1e-18")
    assert row.estimated_loss.as_tuple().exponent == -18  # as many places as amounts have
    assert row.estimated_loss < 0 < row.max_loss_bps
    assert facts(better) == before
    assert len(edge["beta"].requests) == sent


def test_a_held_execution_is_opened_again_and_its_repair_completes_it(better, accounts, ada):
    fence = better.fence

    (row,) = flatten(reason=" end of the day ", user=ada)

    assert row.is_possible
    assert (row.execution.state, row.execution.fence) == (ExecutionState.INCOMPLETE, fence + 1)
    assert row.execution.finished_at is None
    step = row.execution.steps[-1]
    assert (step["action"], step["owner"]) == ("reopen", fence + 1)
    assert step["message"]["context"] == {"user": "ada", "reason": "end of the day"}
    line = LogEntry.objects.get(event="exposure_flattened")
    assert (line.level, line.strategy_id) == (LogLevel.WARNING, better.strategy_id)
    assert (line.context["user"], line.context["reason"]) == ("ada", "end of the day")

    after = go_on(execution_id=better.pk)

    assert after.state == ExecutionState.COMPLETED
    # what the strategy bought, and no more
    assert 0 < bought(after) - sold(after) < D("0.001")
    assert imbalances() == {}
    assert not any(compare_with_venue(account_id=account.pk) for account in accounts)


def test_nothing_is_begun_that_would_lose_more_than_the_strategy_allows(held):
    before = facts(held)

    (row,) = flatten(reason="drill")

    assert not row.is_possible
    assert (row.verdict.action, row.verdict.order) == (Action.HOLD, None)
    assert "within a loss of" in str(row.reason)
    assert row.estimated_loss is None
    assert facts(held) == before


def test_what_a_person_has_acknowledged_is_left_alone(better, ada):
    acknowledge_execution(execution_id=better.pk, user=ada)
    before = facts(better)

    assert list_flattenings() == []
    assert flatten(reason="drill") == []

    assert facts(better) == before


def test_one_that_is_acknowledged_after_the_list_was_made_is_left_alone(better, ada):
    before = facts(better)

    with between(lambda: acknowledge_execution(execution_id=better.pk, user=ada)):
        (row,) = flatten(reason="drill")

    assert not row.is_possible
    assert row.reason == NotFlattened(id=better.pk).message
    assert facts(better) == before


def test_a_halt_of_everything_is_not_lifted_silently(better):
    change_trading(event=TradingEvent.HALT, scope=EVERYTHING, reason="odd prices")
    before = facts(better)

    with pytest.raises(FlattenHalted) as refusal:
        flatten(reason="drill")

    assert "kill --reduce" in str(refusal.value)
    assert facts(better) == before
    (row,) = list_flattenings()  # what would be done can still be read
    assert row.verdict.order is not None
    assert not row.is_possible


def test_it_is_done_while_only_exposure_may_be_reduced(better):
    change_trading(event=TradingEvent.HALT, scope=EVERYTHING, reason="odd prices")
    change_trading(event=TradingEvent.REDUCE, scope=EVERYTHING, reason="flatten")

    flatten(reason="drill")

    assert go_on(execution_id=better.pk).state == ExecutionState.COMPLETED


def test_what_the_halt_of_its_venue_forbids_is_listed_and_left_alone(better):
    scope = HaltScope(HaltLevel.VENUE, Venue.objects.get(code="beta").pk)
    change_trading(event=TradingEvent.HALT, scope=scope, reason="odd fills")
    before = facts(better)

    (row,) = flatten(reason="drill")

    assert not row.is_possible
    assert "the venue beta" in str(row.reason)
    assert facts(better) == before


def test_a_halt_between_list_and_act_is_heeded(better):
    before = facts(better)

    def halt():
        change_trading(event=TradingEvent.HALT, scope=EVERYTHING, reason="odd prices")

    with between(halt):
        (row,) = flatten(reason="drill")

    assert not row.is_possible
    assert "odd prices" in str(row.reason)
    assert facts(better) == before


@pytest.mark.parametrize("reason", ["", "  ", "x" * 201])
def test_nothing_is_begun_without_a_reason(better, reason):
    before = facts(better)

    with pytest.raises(InvalidInput):
        flatten(reason=reason)

    assert facts(better) == before


def test_once_flat_a_second_call_finds_nothing(better):
    flatten(reason="drill")
    go_on(execution_id=better.pk)
    before = facts(better)

    assert flatten(reason="drill") == []

    assert facts(better) == before


def test_the_price_that_goes_again_leaves_it_held_as_before(better, edge):
    flatten(reason="drill")
    edge["beta"].set_book("BTC/USDT", bids=[("40000", "5")], asks=[("60000", "5")])
    sent = Order.objects.count()

    assert go_on(execution_id=better.pk).state == ExecutionState.INCOMPLETE
    clock = SkewedClock()
    clock.advance_ms(60_000)
    sweeps.sweep(clock=clock)

    better.refresh_from_db()
    assert (better.state, better.acknowledged_at) == (ExecutionState.HELD, None)
    assert Order.objects.count() == sent


def test_one_that_waits_for_prices_gets_its_time_anew(better, edge):
    flatten(reason="first")
    clock = SkewedClock()
    clock.advance_ms(60_000)  # past the first deadline; nobody has come by

    (row,) = flatten(reason="second", clock=clock)

    assert row.is_possible
    assert row.execution.deadline_at > clock.now()
    assert repair_execution(execution_id=better.pk, clock=clock).state == ExecutionState.COMPLETED


def test_a_process_that_dies_after_opening_it_leaves_the_rest_to_the_sweep(better):
    flatten(reason="drill")

    assert sweeps.sweep() == 0

    better.refresh_from_db()
    assert better.state == ExecutionState.COMPLETED


@pytest.mark.parametrize(
    "point", [CrashPoint.REPAIR_CLAIMED, CrashPoint.REPAIR_DECIDED, CrashPoint.REPAIR_SENT]
)
def test_a_repair_that_dies_is_not_doubled_by_another_call(better, point):
    flatten(reason="drill")

    def die(reached):
        if reached is point:
            raise Killed

    with observe(die), pytest.raises(Killed):
        repair_execution(execution_id=better.pk)
    before = facts(better)

    (row,) = flatten(reason="again")
    assert not row.is_possible
    assert "being repaired" in str(row.reason)
    assert facts(better) == before

    clock = SkewedClock()
    clock.advance_ms(45_000)
    sweeps.sweep(clock=clock)
    better.refresh_from_db()
    assert better.state == ExecutionState.COMPLETED
    assert better.orders.filter(side="sell", state=OrderState.FILLED).count() == 1


def test_one_who_slept_through_the_lease_is_fenced_off(better):
    clock = SkewedClock()
    clock.advance_ms(45_000)
    flatten(reason="drill")
    asleep: list[CrashPoint] = []

    def flatten_again(point):
        if point is CrashPoint.REPAIR_DECIDED and not asleep:
            asleep.append(point)
            flatten(reason="again", clock=clock)

    with observe(flatten_again):
        slept = repair_execution(execution_id=better.pk)

    assert slept.state == ExecutionState.INCOMPLETE
    assert slept.orders.count() == 2
    assert repair_execution(execution_id=better.pk, clock=clock).orders.count() == 3


def test_refusals_and_orders_of_the_first_repair_do_not_count(cross, edge):
    def show_but_withdraw(request):
        if request.side is Side.SELL:
            edge["alpha"].set_book("BTC/USDT", bids=[], asks=[])

    def show(_symbol):
        edge["alpha"].set_book("BTC/USDT", bids=[("49990", "1")], asks=[("50000", "1")])

    def withdraw(request):
        edge["beta"].before_submit = None
        edge["beta"].set_book("BTC/USDT", bids=[], asks=[])

    edge["beta"].before_submit = withdraw
    edge["alpha"].before_submit, edge["alpha"].before_book = show_but_withdraw, show
    run_tick(strategy_id=cross.pk, is_spacing_kept=False)
    execution = Execution.objects.get()
    assert execution.state == ExecutionState.HELD
    assert execution.orders.count() == 2 + STEPS_MAX

    flatten(reason="drill")
    held_again = go_on(execution_id=execution.pk)
    assert held_again.state == ExecutionState.HELD
    assert held_again.orders.count() == 2 + 2 * STEPS_MAX  # six more, and not one after them

    edge["alpha"].before_submit = None
    flatten(reason="drill")
    assert go_on(execution_id=execution.pk).state == ExecutionState.UNWOUND


def test_a_side_that_the_venue_refused_twice_is_tried_again(better, edge):
    def refuse(request):
        raise VenueRejected(venue="beta", cause="no")

    edge["beta"].before_submit = refuse
    flatten(reason="drill")
    assert go_on(execution_id=better.pk).state == ExecutionState.INCOMPLETE
    refused = Order.objects.filter(state=OrderState.REJECTED).count()
    assert repair_execution(execution_id=better.pk).state == ExecutionState.INCOMPLETE
    assert Order.objects.filter(state=OrderState.REJECTED).count() == refused == 2
    edge["beta"].before_submit = None

    flatten(reason="drill")

    assert go_on(execution_id=better.pk).state == ExecutionState.COMPLETED


def test_while_the_end_of_an_order_is_unknown_nothing_is_begun(better, edge):
    def lose_answer(request):
        edge["beta"].after_submit = None
        raise OutcomeUnknown(venue="beta", cause="timeout")

    edge["beta"].after_submit = lose_answer
    flatten(reason="drill")
    assert go_on(execution_id=better.pk).state == ExecutionState.UNKNOWN
    before = facts(better)

    (row,) = flatten(reason="again")

    assert (row.is_possible, row.verdict.action) == (False, Action.WAIT)
    assert facts(better) == before


def test_an_execution_that_ended_well_is_not_in_the_list(cross, edge):
    run_tick(strategy_id=cross.pk, is_spacing_kept=False)
    assert Execution.objects.get().state == ExecutionState.COMPLETED

    assert flatten(reason="drill") == []

    assert Order.objects.count() == 2
