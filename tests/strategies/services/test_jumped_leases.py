"""What was claimed by a clock that was hours ahead, and left, is taken up once that is right."""

from datetime import timedelta

import pytest
from django.utils import timezone

from ledger.domain.orders import SUBMIT_TIMEOUT_MS
from ledger.services import journal
from ledger.services.journal import resolve_unknown_orders
from strategies.domain.states import ExecutionState, StrategyDriver
from strategies.models import Execution, Strategy
from strategies.selectors import get_strategy
from strategies.services import sweeps
from strategies.services.leases import Engine, acquire_leases
from strategies.services.runs import start_strategy
from strategies.services.ticks import TickOutcome, run_tick
from tests.strategies.fakes import SkewedClock

pytestmark = pytest.mark.django_db

AHEAD = timedelta(hours=5)


class Killed(BaseException):
    """What a SIGKILL looks like from inside: nothing after it runs."""


def kill(*_args, **_kwargs):
    raise Killed


@pytest.fixture
def left(cross, edge):
    """An execution that bought and cannot sell; whoever repaired it is gone, by a wrong clock."""

    def move(_request):
        edge["alpha"].before_submit = edge["beta"].before_submit = None
        edge["alpha"].set_book("BTC/USDT", bids=[("40000", "5")], asks=[("50000", "1")])
        edge["beta"].set_book("BTC/USDT", bids=[("40000", "5")], asks=[("60000", "5")])

    edge["alpha"].before_submit = edge["beta"].before_submit = move
    run_tick(strategy_id=cross.pk)
    then = timezone.now() + AHEAD
    Execution.objects.update(lease_expires_at=then, deadline_at=then)
    execution = Execution.objects.get()
    assert execution.state == ExecutionState.INCOMPLETE
    return execution


def test_a_repair_is_gone_on_with(left, edge):
    edge["beta"].set_book("BTC/USDT", bids=[("50500", "5")], asks=[("50510", "1")])

    sweeps.sweep()

    left.refresh_from_db()
    assert left.state == ExecutionState.COMPLETED


@pytest.mark.parametrize("lease", [timezone.now() + AHEAD, None])
def test_what_cannot_be_repaired_is_held_at_a_deadline_of_now(left, lease):
    Execution.objects.update(lease_expires_at=lease)
    clock = SkewedClock()

    sweeps.sweep(clock=clock)
    clock.advance_ms(60_000)
    sweeps.sweep(clock=clock)

    left.refresh_from_db()
    assert left.state == ExecutionState.HELD


def test_what_a_tick_had_sent_is_settled_and_the_next_one_runs(cross, edge, monkeypatch):
    monkeypatch.setattr(journal, "_record", kill)
    with pytest.raises(Killed):
        run_tick(strategy_id=cross.pk)
    monkeypatch.undo()
    Strategy.objects.update(tick_expires_at=timezone.now() + AHEAD)
    clock = SkewedClock()
    clock.advance_ms(SUBMIT_TIMEOUT_MS + 1)

    resolve_unknown_orders(clock=clock)
    sweeps.sweep(clock=clock)

    assert Execution.objects.get().state == ExecutionState.COMPLETED
    report = run_tick(strategy_id=cross.pk, is_spacing_kept=False)
    assert report.outcome is not TickOutcome.DROPPED


@pytest.mark.usefixtures("long_leases")
def test_an_engine_takes_what_another_one_had_taken(make_cross, calm):
    row = make_cross("stream", driver=StrategyDriver.STREAM)
    start_strategy(strategy_id=row.pk, user=None)
    one, two = Engine("here:1:aa", "here", 1), Engine("there:2:bb", "there", 2)
    acquire_leases(engine=one, limit=1)
    assert acquire_leases(engine=two, limit=1) == []
    Strategy.objects.update(tick_expires_at=timezone.now() + AHEAD)

    (taken,) = acquire_leases(engine=two, limit=1)

    assert taken.is_taken_over
    assert get_strategy(row.pk).lease_holder == two.name
