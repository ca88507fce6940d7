"""What a worker that was killed has left undone is finished."""

import pytest
from django.db.models.signals import pre_save
from django_celery_beat.models import PeriodicTask

from arbplatform.core.clock import FixedClock, SystemClock
from ledger.domain.orders import OrderState
from ledger.models import LogEntry, Order
from ledger.selectors import imbalances
from ledger.services import journal
from ledger.services.journal import resolve_unknown_orders
from ledger.services.reconciliation import compare_with_venue
from strategies.domain.states import ExecutionState, StrategyState
from strategies.models import Execution, Strategy
from strategies.services import sweeps
from strategies.services.claims import claim_tick
from strategies.services.runs import stop_strategy
from strategies.services.ticks import TickOutcome, run_tick
from tests.strategies.fakes import SkewedClock
from tests.strategies.samples import Hooked

pytestmark = pytest.mark.django_db


class Killed(BaseException):
    """What a SIGKILL looks like from inside: nothing after it runs."""


class LaterClock(SkewedClock):
    """The system's clock, an hour ahead: every lease is over."""

    def __init__(self):
        super().__init__()
        self.advance_ms(3_600_000)


def kill(*_args, **_kwargs):
    raise Killed


def is_exact(accounts):
    return imbalances() == {} and not any(
        compare_with_venue(account_id=account.pk) for account in accounts
    )


def test_a_tick_killed_while_deciding_leaves_nothing_and_the_next_one_trades(
    hooked, edge, accounts
):
    Hooked.hook = kill
    with pytest.raises(Killed):
        run_tick(strategy_id=hooked.pk)
    Hooked.hook = None
    assert run_tick(strategy_id=hooked.pk, is_spacing_kept=False).outcome is TickOutcome.DROPPED

    assert sweeps.sweep(clock=LaterClock()) == 0

    report = run_tick(strategy_id=hooked.pk, is_spacing_kept=False)
    assert report.outcome is TickOutcome.EXECUTED
    assert LogEntry.objects.filter(event="tick_lost").count() == 1
    assert is_exact(accounts)


def test_a_tick_killed_between_writing_and_sending_gives_its_orders_up(
    cross, edge, accounts, monkeypatch
):
    monkeypatch.setattr(journal, "send_all", kill)
    with pytest.raises(Killed):
        run_tick(strategy_id=cross.pk)
    monkeypatch.undo()
    assert {order.state for order in Order.objects.all()} == {OrderState.SUBMITTING}

    clock = LaterClock()
    for _ in range(4):  # the venue is asked until it is sure that they never arrived
        resolve_unknown_orders(clock=clock)
        sweeps.sweep(clock=clock)
        clock.advance_ms(31_000)

    assert {order.state for order in Order.objects.all()} == {OrderState.REJECTED}
    assert Execution.objects.get().state == ExecutionState.FAILED
    assert edge["alpha"].requests == edge["beta"].requests == []
    assert is_exact(accounts)


def test_a_tick_killed_while_sending_is_looked_up_and_never_sent_again(
    cross, edge, accounts, monkeypatch
):
    monkeypatch.setattr(journal, "_record", kill)
    with pytest.raises(Killed):
        run_tick(strategy_id=cross.pk)
    monkeypatch.undo()
    assert {order.state for order in Order.objects.all()} == {OrderState.SUBMITTING}
    assert (len(edge["alpha"].requests), len(edge["beta"].requests)) == (1, 1)

    sweeps.sweep(clock=LaterClock())
    assert Execution.objects.get().state == ExecutionState.UNKNOWN
    resolve_unknown_orders(clock=LaterClock())
    sweeps.sweep(clock=LaterClock())

    execution = Execution.objects.get()
    assert execution.state == ExecutionState.COMPLETED
    assert execution.realised_profit > 0
    assert (len(edge["alpha"].requests), len(edge["beta"].requests)) == (1, 1)
    assert is_exact(accounts)


@pytest.mark.parametrize("leg", [1, 2, 3])
def test_a_triangle_killed_at_any_leg_is_completed_by_the_sweep(
    triangular, triangle, accounts, leg
):
    def after(request):
        if len(triangle["alpha"].requests) == leg:
            raise Killed

    triangle["alpha"].after_submit = after
    with pytest.raises(Killed):
        run_tick(strategy_id=triangular.pk)
    triangle["alpha"].after_submit = None

    for _ in range(2):
        sweeps.sweep(clock=LaterClock())
        resolve_unknown_orders(clock=LaterClock())
    sweeps.sweep(clock=LaterClock())

    execution = Execution.objects.get()
    assert execution.state == ExecutionState.COMPLETED
    assert len(triangle["alpha"].requests) == 3
    assert len({request.client_order_id for request in triangle["alpha"].requests}) == 3
    assert is_exact(accounts[:1])


def test_an_execution_whose_own_tick_still_runs_is_left_alone(triangular, triangle):
    states = []

    def sweep_in_between(request):
        # the sweep of another process, while this tick is between two legs
        sweeps.recover_execution(execution=Execution.objects.get())
        states.append(Execution.objects.get().state)

    triangle["alpha"].before_submit = sweep_in_between

    run_tick(strategy_id=triangular.pk)

    assert states == [ExecutionState.EXECUTING] * 3
    assert Execution.objects.get().state == ExecutionState.COMPLETED


def test_a_stopping_strategy_is_brought_to_rest(cross):
    claim_tick(cross, clock=SystemClock())
    stop_strategy(strategy_id=cross.pk, user=None)

    sweeps.sweep()
    assert Strategy.objects.get().state == StrategyState.STOPPING
    sweeps.sweep(clock=LaterClock())

    assert Strategy.objects.get().state == StrategyState.STOPPED


@pytest.mark.parametrize("state", [StrategyState.RUNNING, StrategyState.STOPPED])
def test_a_schedule_that_does_not_agree_with_the_state_is_put_right(cross, state):
    if state is StrategyState.STOPPED:
        stop_strategy(strategy_id=cross.pk, user=None)
    task = PeriodicTask.objects.get(task="strategies.tick")
    task.enabled = not task.enabled
    task.save()

    assert sweeps.sweep() == 0

    task.refresh_from_db()
    assert task.enabled is (state is StrategyState.RUNNING)


def test_a_schedule_that_somebody_deleted_is_made_again(cross):
    PeriodicTask.objects.filter(task="strategies.tick").delete()

    sweeps.sweep()

    cross.refresh_from_db()
    assert cross.periodic_task.enabled


def test_a_sweep_with_nothing_to_do_does_nothing(cross, calm):
    run_tick(strategy_id=cross.pk)
    lines = LogEntry.objects.count()

    assert sweeps.sweep(clock=LaterClock()) == 0
    assert LogEntry.objects.count() == lines


def test_one_row_that_fails_does_not_keep_the_others_from_being_settled(
    make_cross, start, calm, caplog
):
    for name in ("one", "two"):
        start(make_cross(name))
    first, second = Strategy.objects.order_by("pk")
    PeriodicTask.objects.filter(task="strategies.tick").delete()

    def refuse(sender, instance, **_):
        if instance.description == "one":
            raise RuntimeError("the row cannot be written")

    pre_save.connect(refuse, sender=PeriodicTask)
    try:
        failed = sweeps.sweep()
    finally:
        pre_save.disconnect(refuse, sender=PeriodicTask)

    assert failed == 1
    assert "tried again with the next sweep" in caplog.text
    first.refresh_from_db()
    second.refresh_from_db()
    assert first.periodic_task is None
    assert second.periodic_task is not None


def test_executions_whose_end_stays_unknown_hide_no_other(make_cross, start, edge, monkeypatch):
    monkeypatch.setattr(sweeps, "BATCH_MAX", 1)
    with monkeypatch.context() as patch:
        patch.setattr(journal, "_record", kill)
        for name in ("one", "two"):
            strategy = make_cross(name)
            start(strategy)
            with pytest.raises(Killed):
                run_tick(strategy_id=strategy.pk)

    for _ in range(2):
        sweeps.sweep(clock=LaterClock())

    states = Execution.objects.values_list("state", flat=True)
    assert list(states) == [ExecutionState.UNKNOWN] * 2


def test_a_venue_that_hangs_is_waited_for_once_a_sweep(make_cross, start, edge, monkeypatch):
    plans = ("hung", "well"), ("hung", "well"), ("well",), ("hung",), ("hung", "other")
    with monkeypatch.context() as patch:
        patch.setattr(journal, "_record", kill)
        for number, venues in enumerate(plans):
            strategy = make_cross(f"s{number}")
            start(strategy)
            with pytest.raises(Killed):
                run_tick(strategy_id=strategy.pk)
            rows = Execution.objects.filter(strategy=strategy)
            rows.update(plan=[{"venue": venue} for venue in venues])
    clock = FixedClock(0)
    tried = []

    def wait_for_venues(*, execution, clock):
        venues = tuple(leg["venue"] for leg in execution.plan)
        tried.append(venues)
        if "hung" in venues:
            clock.advance_ms(sweeps.SLOW_MS + 1)

    monkeypatch.setattr(sweeps, "recover_execution", wait_for_venues)

    assert sweeps.sweep(clock=clock) == 0

    assert tried == [("hung", "well"), ("well",), ("hung",)]


def test_a_schedule_that_lost_its_link_is_taken_up_again(cross):
    Strategy.objects.update(periodic_task=None)

    assert sweeps.sweep() == 0

    cross.refresh_from_db()
    assert cross.periodic_task == PeriodicTask.objects.get(task="strategies.tick")
