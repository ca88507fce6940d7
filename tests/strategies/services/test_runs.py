"""Start and stop."""

import json
from threading import Barrier, Thread

import pytest
from django.db import connection
from django_celery_beat.models import IntervalSchedule, PeriodicTask, PeriodicTasks

from accounts.models import VenueAccount
from arbplatform.core.clock import SYSTEM_CLOCK
from arbplatform.core.errors import Message
from ledger.models import LogEntry
from ledger.selectors import wallet_balances
from markets.errors import VenueNotCertified, VenueUnavailable
from markets.models import Market, Venue
from strategies.domain.states import StrategyState
from strategies.errors import (
    AlreadyRunning,
    InvalidParams,
    NotReadyToStart,
    NotRunning,
    StrategyNotFound,
)
from strategies.models import Run, Strategy
from strategies.services.claims import claim_tick
from strategies.services.failures import Failure
from strategies.services.runs import (
    fault_strategy,
    settle_stopping,
    start_strategy,
    stop_strategy,
)
from strategies.services.strategies import update_strategy
from tests.strategies.fakes import SkewedClock

pytestmark = pytest.mark.django_db


def is_untouched(strategy):
    strategy.refresh_from_db()
    return strategy.state == StrategyState.STOPPED and not Run.objects.exists()


def test_start_opens_a_run_the_books_and_a_schedule(make_cross, calm, staff, accounts):
    strategy = make_cross()

    run = start_strategy(strategy_id=strategy.pk, user=staff)

    strategy.refresh_from_db()
    assert strategy.state == StrategyState.RUNNING
    assert strategy.started_at == run.started_at
    assert (run.started_by, run.params, run.stopped_at) == (staff, strategy.params, None)
    assert wallet_balances(accounts[0].pk)["BTC"] == 10
    task = strategy.periodic_task
    assert (task.task, json.loads(task.kwargs)) == ("strategies.tick", {"strategy_id": strategy.pk})
    assert (task.enabled, task.expire_seconds) == (True, 1)
    assert (task.interval.every, task.interval.period) == (1, IntervalSchedule.SECONDS)
    assert LogEntry.objects.get(event="strategy_started").context["user"] == "operator"


@pytest.mark.parametrize(
    ("interval_ms", "every", "period", "expire_seconds"),
    [
        (200, 200_000, IntervalSchedule.MICROSECONDS, 1),
        (1500, 1_500_000, IntervalSchedule.MICROSECONDS, 2),
        (86_400_000, 86_400, IntervalSchedule.SECONDS, 86_400),
        # more microseconds than the column holds: whole seconds, never sooner than asked for
        (3_600_500, 3_601, IntervalSchedule.SECONDS, 3_601),
    ],
)
def test_the_schedule_has_the_interval_of_the_strategy(
    *, make_cross, calm, start, interval_ms, every, period, expire_seconds
):
    strategy = make_cross(interval_ms=interval_ms)

    start(strategy)

    task = PeriodicTask.objects.get(task="strategies.tick")
    assert (task.interval.every, task.interval.period) == (every, period)
    assert task.expire_seconds == expire_seconds


def test_two_strategies_of_one_interval_share_its_row(make_cross, calm, start):
    start(make_cross("one"))
    start(make_cross("two"))

    assert IntervalSchedule.objects.filter(every=1, period=IntervalSchedule.SECONDS).count() == 1
    assert PeriodicTask.objects.filter(task="strategies.tick").count() == 2


@pytest.mark.parametrize("command", ["start", "stop"])
def test_beat_is_told_of_start_and_stop_once_more_after_their_commit(
    make_cross, calm, start, django_capture_on_commit_callbacks, command
):
    strategy = make_cross()
    if command == "stop":
        start(strategy)
    with django_capture_on_commit_callbacks() as callbacks:
        if command == "start":
            start(strategy)
        else:
            stop_strategy(strategy_id=strategy.pk, user=None)
    told_before_commit = PeriodicTasks.last_change()

    for callback in callbacks:
        callback()

    assert told_before_commit is not None
    assert PeriodicTasks.last_change() > told_before_commit


def test_a_second_start_is_refused_and_changes_nothing(cross, start):
    with pytest.raises(AlreadyRunning):
        start(cross)

    assert Run.objects.count() == 1


def test_a_strategy_that_is_still_stopping_cannot_be_started(cross, start):
    claim_tick(cross, clock=SYSTEM_CLOCK)
    stop_strategy(strategy_id=cross.pk, user=None)

    with pytest.raises(NotReadyToStart, match="still stopping"):
        start(cross)

    assert Run.objects.count() == 1


def test_a_stopped_strategy_starts_again_with_a_new_run_and_the_same_schedule(cross, start):
    stop_strategy(strategy_id=cross.pk, user=None)

    start(cross)

    cross.refresh_from_db()
    assert cross.state == StrategyState.RUNNING
    assert Run.objects.count() == 2
    assert PeriodicTask.objects.get(task="strategies.tick").enabled


@pytest.mark.parametrize("model", [VenueAccount, Venue])
def test_start_is_refused_when_an_account_or_its_venue_is_disabled(make_cross, calm, start, model):
    strategy = make_cross()
    model.objects.update(is_enabled=False)

    with pytest.raises(NotReadyToStart, match="disabled"):
        start(strategy)

    assert is_untouched(strategy)


def test_start_is_refused_at_a_venue_that_is_for_data_only(make_cross, calm, start):
    strategy = make_cross()
    Venue.objects.filter(code="beta").update(ccxt_id="bitstamp", rest_origin="")

    with pytest.raises(VenueNotCertified, match="beta is for data only"):
        start(strategy)

    assert is_untouched(strategy)
    Venue.objects.filter(code="beta").update(options={"certified_by_operator": True})
    assert start(strategy).stopped_at is None


def test_start_is_refused_when_no_venue_lists_the_symbols(make_cross, calm, start):
    strategy = make_cross(symbols=["DOGE/USDT"])

    with pytest.raises(NotReadyToStart, match="none of the markets"):
        start(strategy)

    assert is_untouched(strategy)


def test_start_is_refused_when_the_market_is_closed_on_one_of_two_venues(make_cross, calm, start):
    strategy = make_cross()
    Market.objects.filter(venue__code="beta").update(is_active=False)

    with pytest.raises(NotReadyToStart):
        start(strategy)

    assert is_untouched(strategy)


def test_start_is_refused_when_the_plugin_no_longer_accepts_the_parameters(make_cross, calm, start):
    strategy = make_cross()
    Strategy.objects.update(params={"symbols": []})

    with pytest.raises(InvalidParams):
        start(strategy)

    assert is_untouched(strategy)


def test_start_is_refused_when_the_balances_cannot_be_read(make_cross, calm, start):
    strategy = make_cross()
    calm["beta"].is_reachable = False

    with pytest.raises(VenueUnavailable):
        start(strategy)

    assert is_untouched(strategy)


def test_a_strategy_that_is_changed_while_it_is_being_started_does_not_start(
    make_cross, calm, start
):
    strategy = make_cross()
    # the balances are read between the checks and the start
    calm["beta"].before_balances = lambda: update_strategy(strategy_id=strategy.pk, name="other")

    with pytest.raises(NotReadyToStart, match="was changed"):
        start(strategy)

    assert is_untouched(strategy)


def test_stop_ends_the_run_and_switches_the_schedule_off(cross, staff):
    stopped = stop_strategy(strategy_id=cross.pk, user=staff, reason="maintenance")

    assert stopped.state == StrategyState.STOPPED
    run = Run.objects.get()
    assert run.stopped_at == stopped.stopped_at
    assert run.stop_reason == "maintenance"
    assert not PeriodicTask.objects.get(task="strategies.tick").enabled
    assert LogEntry.objects.get(event="strategy_stopping").context["user"] == "operator"


def test_stop_lets_a_running_tick_finish(cross):
    claim = claim_tick(cross, clock=SYSTEM_CLOCK)
    assert claim is not None

    stopping = stop_strategy(strategy_id=cross.pk, user=None)

    assert stopping.state == StrategyState.STOPPING
    assert stopping.tick_token == claim.token
    assert Run.objects.get().stopped_at is None
    assert settle_stopping(strategy_id=cross.pk).state == StrategyState.STOPPING


def test_a_stopping_strategy_whose_tick_never_ended_is_at_rest_when_its_lease_is_over(cross):
    clock = SkewedClock()
    claim_tick(cross, clock=clock)
    stop_strategy(strategy_id=cross.pk, user=None)

    clock.advance_ms(3_600_000)
    settled = settle_stopping(strategy_id=cross.pk, clock=clock)

    assert (settled.state, settled.tick_token) == (StrategyState.STOPPED, "")
    assert Run.objects.get().stopped_at is not None


def test_a_second_stop_is_refused_and_changes_nothing(cross):
    stop_strategy(strategy_id=cross.pk, user=None, reason="first")

    with pytest.raises(NotRunning):
        stop_strategy(strategy_id=cross.pk, user=None, reason="second")

    assert Run.objects.get().stop_reason == "first"


def test_a_stop_while_stopping_is_refused_as_well(cross):
    claim_tick(cross, clock=SYSTEM_CLOCK)
    stop_strategy(strategy_id=cross.pk, user=None)

    with pytest.raises(NotRunning):
        stop_strategy(strategy_id=cross.pk, user=None)


def test_a_faulted_strategy_is_put_at_rest_by_stop_and_may_be_started(cross, calm, start):
    fault_strategy(strategy_id=cross.pk, failure=Failure(Message("broken"), 1))
    assert stop_strategy(strategy_id=cross.pk, user=None).state == StrategyState.STOPPED

    start(cross)

    cross.refresh_from_db()
    assert (cross.state, cross.last_error, cross.last_error_code) == ("running", {}, None)
    assert cross.failure_count == 0


def test_a_fault_of_a_strategy_at_rest_changes_nothing(make_cross):
    strategy = make_cross()

    after = fault_strategy(strategy_id=strategy.pk, failure=Failure(Message("late")))

    assert after.state == StrategyState.STOPPED
    assert not LogEntry.objects.exists()


def test_nobody_starts_or_stops_what_is_not_there(db):
    with pytest.raises(StrategyNotFound):
        start_strategy(strategy_id=4711, user=None)
    with pytest.raises(StrategyNotFound):
        stop_strategy(strategy_id=4711, user=None)


@pytest.mark.django_db(transaction=True)
def test_of_two_starts_at_once_one_wins_and_the_other_is_told(make_cross, calm):
    strategy = make_cross()
    barrier = Barrier(2)
    outcomes: list[object] = []

    def begin():
        barrier.wait()
        try:
            outcomes.append(start_strategy(strategy_id=strategy.pk, user=None).pk)
        except (AlreadyRunning, NotReadyToStart) as error:
            outcomes.append(type(error))
        finally:
            connection.close()

    threads = [Thread(target=begin) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    run = Run.objects.get()
    assert sorted(outcomes, key=str) == sorted([run.pk, AlreadyRunning], key=str)
    assert PeriodicTask.objects.filter(task="strategies.tick").count() == 1
