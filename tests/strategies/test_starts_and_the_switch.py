"""A strategy is started at the very moment at which somebody presses the kill switch."""

import threading
import time
from contextlib import closing

import pytest
from celery import current_app
from django.db import connection

from ledger.domain.halts import EVERYTHING, TradingEvent
from ledger.domain.orders import OrderState
from ledger.models import Order
from ledger.services.halts import change_trading
from ledger.services.kill import stop_trading
from strategies.domain.states import StrategyDriver, StrategyState
from strategies.models import Execution, Opportunity, Reason
from strategies.services import deciding, execution, runs, ticks
from strategies.services.batch_ticks import run_batch
from strategies.services.runs import start_strategy, stop_strategy
from strategies.services.ticks import TickOutcome, run_tick
from tests.leaving import leave_in_time
from tests.strategies.engine.stage import Stage, offer

LIMIT_MS = 1_000
PATIENCE_S = 30
STARTING = [
    *((runs, name) for name in ("get_strategy", "build_setup", "read_own_fees")),
    *((runs, name) for name in ("ensure_opened", "prepare", "_open_run")),
]
TICKING = [
    *((ticks, name) for name in ("get_strategy", "claim_tick", "read_basis", "fetch_books")),
    *((ticks, "carry_out"), (deciding, "extend_claim"), (execution, "_engage")),
]
"""Steps of a start and of the tick after it, and before which of them the switch is pressed."""


@pytest.fixture
def press_before(monkeypatch):
    """Have the switch pressed before a step is taken for the first time."""

    def install(module, name):
        step = getattr(module, name)

        def pressed(*args, **options):
            monkeypatch.setattr(module, name, step)
            stop_trading(reason="at this moment")
            return step(*args, **options)

        monkeypatch.setattr(module, name, pressed)

    return install


def check_nothing_left(venues):
    """Check that no venue was asked for an order, and that none is to be sent."""
    assert venues["alpha"].requests == venues["beta"].requests == []
    assert not Order.objects.exists()
    assert not Execution.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(("module", "name"), STARTING + TICKING)
def test_wherever_a_start_is_when_the_switch_is_pressed_no_order_leaves(
    make_cross, edge, press_before, module, name
):
    strategy = make_cross()
    press_before(module, name)

    start_strategy(strategy_id=strategy.pk, user=None)
    report = run_tick(strategy_id=strategy.pk)

    assert (report.outcome, report.error) == (TickOutcome.LEFT, "")
    assert Opportunity.objects.get().reason == Reason.TRADING_HALTED
    check_nothing_left(edge)


@pytest.mark.django_db
def test_a_message_of_beat_that_is_taken_as_the_switch_is_pressed_sends_nothing(
    make_cross, edge, monkeypatch
):
    strategy, reports = make_cross(), []
    start_strategy(strategy_id=strategy.pk, user=None)

    def take(_name, kwargs, **_options):
        stop_trading(reason="at this moment")
        reports.append(run_tick(**kwargs))

    monkeypatch.setattr(current_app, "send_task", take)

    assert run_batch(strategy_ids=[strategy.pk]).alone == [strategy.pk]

    assert [report.outcome for report in reports] == [TickOutcome.LEFT]
    check_nothing_left(edge)


@pytest.mark.django_db
@pytest.mark.parametrize("is_read_before", [True, False])
def test_a_stream_that_decides_as_the_switch_is_pressed_sends_nothing(
    make_cross, calm, is_read_before
):
    strategy = make_cross(driver=StrategyDriver.STREAM)
    start_strategy(strategy_id=strategy.pk, user=None)
    stage = Stage(calm)
    for code in ("alpha", "beta"):
        stage.books.show(code)
    stage.employ(strategy)
    if is_read_before:
        offer(stage)  # an errand waits for a thread when it is pressed
        stop_trading(reason="at this moment")
    else:
        stop_trading(reason="at this moment")
        stage.refresh()
        offer(stage)

    stage.crew.work()

    check_nothing_left(calm)


@pytest.mark.django_db
def test_what_is_stopped_stays_so_when_the_switch_is_released_and_what_runs_trades_again(
    make_cross, edge
):
    """As the runbook says: the switch stops orders, not strategies."""
    stopped, running = make_cross("stopped"), make_cross("running")
    start_strategy(strategy_id=stopped.pk, user=None)
    stop_trading(reason="at this moment")
    start_strategy(strategy_id=running.pk, user=None)
    stop_strategy(strategy_id=stopped.pk, user=None)
    assert run_tick(strategy_id=running.pk).outcome is TickOutcome.LEFT

    change_trading(event=TradingEvent.RESUME, scope=EVERYTHING, reason="it is safe")

    assert run_tick(strategy_id=stopped.pk).outcome is TickOutcome.DROPPED
    assert not Order.objects.exists()
    again = run_tick(strategy_id=running.pk, is_spacing_kept=False)
    assert again.outcome is TickOutcome.EXECUTED
    stopped.refresh_from_db()
    assert stopped.state == StrategyState.STOPPED


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("exact_deadline")
@pytest.mark.parametrize("after_ms", [0, 10, 30, 60, 100, 200])
def test_while_one_starts_and_another_presses_no_order_leaves_a_second_later(
    make_cross, edge, after_ms
):
    strategy, sent_at, errors = make_cross(), [], []
    outcomes: list[TickOutcome] = []
    for venue in (edge["alpha"], edge["beta"]):
        venue.before_submit = lambda request: sent_at.append(leave_in_time(request))

    def trade():
        with closing(connection):
            try:
                start_strategy(strategy_id=strategy.pk, user=None)
                while not outcomes or outcomes[-1] is not TickOutcome.LEFT:
                    offer_again(edge)
                    report = run_tick(strategy_id=strategy.pk, is_spacing_kept=False)
                    outcomes.append(report.outcome)
            except Exception as error:  # noqa: BLE001  the test shows it
                errors.append(error)

    thread = threading.Thread(target=trade)
    thread.start()
    time.sleep(after_ms / 1_000)
    halt = stop_trading(reason="at this moment").halt
    thread.join(PATIENCE_S)

    assert (errors, outcomes[-1]) == ([], TickOutcome.LEFT)
    halted_ms = int(halt.changed_at.timestamp() * 1_000)
    assert max(sent_at, default=0) <= halted_ms + LIMIT_MS
    unsent = [OrderState.PENDING, OrderState.SUBMITTING]
    assert not Order.objects.filter(state__in=unsent).exists()


def offer_again(venues):
    """Put the books there that the last trade took."""
    venues["alpha"].set_book("BTC/USDT", bids=[("49990", "1")], asks=[("50000", "0.01")])
    venues["beta"].set_book("BTC/USDT", bids=[("50500", "0.01")], asks=[("50510", "1")])
