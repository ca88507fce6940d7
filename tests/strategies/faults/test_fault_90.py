"""A worker that is told to end finishes what it sent and hands over the rest at once."""

import re
import signal

import pytest
from django.utils import timezone

from arbplatform.background.draining import DRAIN
from ledger.domain.orders import OrderState
from ledger.models import Order
from ledger.selectors import imbalances
from ledger.selectors.reconciliation import list_unreconciled
from ledger.services.reconciliation import compare_with_venue
from markets.gateway.factory import close_all
from markets.simulator.running import start_in_thread
from strategies.domain.states import ExecutionState
from strategies.models import Execution, Strategy
from strategies.services.claims import lease
from strategies.services.gates import read_gate
from strategies.services.repairs import go_on
from strategies.services.sweeps import sweep
from strategies.services.ticks import TickOutcome, run_tick
from tests.processes import send, wait_until
from tests.strategies.simulated import begin, market, quote_cheap_and_dear, register, venue

FUNDS = {"BTC": "5", "USDT": "500000"}
ANSWER_MS = 4_000
"""So late do the venues answer: a worker is told to end in between, on a busy machine as well."""


@pytest.fixture
def simulator(transactional_db):
    """Two venues that answer orders late; BTC is cheap on alpha and dear on beta."""
    venues = [venue(code, markets=[market("BTC/USDT")], funds=FUNDS) for code in ("alpha", "beta")]
    running = start_in_thread({"seed": 7, "venues": venues})
    quote_cheap_and_dear(running)
    yield running
    close_all()
    running.stop()


@pytest.fixture
def sim_accounts(simulator):
    return register(simulator, ["alpha", "beta"])


@pytest.fixture
def strategy(sim_accounts, simulator):
    row = begin("cross-venue", sim_accounts, symbols=["BTC/USDT"], max_notional="20000")
    for code in ("alpha", "beta"):
        answer_late(simulator, code)
    return row


def answer_late(simulator, code):
    simulator.control.add_fault(
        code, "late_answer", method="POST", path="api/v3/order", delay_ms=ANSWER_MS, times=1
    )


def refuse(simulator, code):
    simulator.control.add_fault(
        code,
        "refuse",
        method="POST",
        path="api/v3/order",
        times=1,
        status=400,
        code=-2010,
        text="This action is disabled on this account.",
    )


def start_worker(start_part, strategy, **environment):
    """Start a worker and wait until it has compared the accounts: before that nothing trades."""
    before = timezone.now()
    worker = start_part("worker", **environment)
    ids = [account.pk for account in strategy.accounts.all()]
    wait_until(lambda: not list_unreconciled(ids, before), lambda: f"compared: {worker.output}")
    return worker


def is_sending():
    return Order.objects.filter(state=OrderState.SUBMITTING).exists()


def test_a_running_execution_is_finished(start_part, redis_server, strategy, sim_accounts):
    worker = start_worker(start_part, strategy)
    send(redis_server.url, "strategies.tick", strategy_id=strategy.pk)
    wait_until(is_sending, "an order is on its way")

    assert worker.end() == 0

    (drained_s,) = re.findall(r"has drained: it took (\d+\.\d) s", worker.output)
    assert float(drained_s) < 10
    assert Execution.objects.get().state == ExecutionState.COMPLETED
    strategy.refresh_from_db()
    assert strategy.tick_token == ""
    assert imbalances() == {}
    for account in sim_accounts:
        assert compare_with_venue(account_id=account.pk) == []


def test_what_takes_too_long_is_handed_over_at_once(
    start_part, redis_server, strategy, sim_accounts, simulator
):
    refuse(simulator, "beta")
    worker = start_worker(start_part, strategy, WORKER_DRAIN_MS="0")
    send(redis_server.url, "strategies.tick", strategy_id=strategy.pk)
    wait_until(is_sending, "an order is on its way")

    assert worker.end() == 0

    parked = Execution.objects.get()
    assert (parked.state, parked.lease_expires_at) == (ExecutionState.INCOMPLETE, None)
    assert Strategy.objects.get().tick_token == ""
    # no lease has to run out first
    assert sweep() == 0
    assert Execution.objects.get().state == ExecutionState.COMPLETED
    for account in sim_accounts:
        assert compare_with_venue(account_id=account.pk) == []


def test_a_worker_that_is_killed_instead_leaves_a_lease(start_part, redis_server, strategy):
    worker = start_worker(start_part, strategy)
    send(redis_server.url, "strategies.tick", strategy_id=strategy.pk)
    wait_until(is_sending, "an order is on its way")

    worker.process.send_signal(signal.SIGKILL)
    worker.process.wait()

    left = Strategy.objects.get()
    assert left.tick_expires_at is not None
    assert left.last_tick_at is not None
    assert left.tick_expires_at - left.last_tick_at >= lease()


@pytest.fixture
def draining(monkeypatch, settings):
    """The test's own process ends, and its time is over."""
    settings.WORKER_DRAIN_MS = 0
    monkeypatch.setattr(DRAIN, "_began_ms", None)
    DRAIN.begin()
    yield
    monkeypatch.undo()


def test_no_tick_begins_in_a_process_that_ends(cross, edge, draining):
    assert run_tick(strategy_id=cross.pk).outcome is TickOutcome.DROPPED

    assert not Execution.objects.exists()


def test_no_execution_begins_in_a_process_that_ends(hooked, edge, draining):
    gate = read_gate(strategy_id=hooked.pk, venues=frozenset({"alpha", "beta"}))

    assert gate.is_running is False


def test_no_repair_begins_in_a_process_that_ends(held, draining):
    Execution.objects.update(state=ExecutionState.INCOMPLETE, finished_at=None)

    left = go_on(execution_id=held.pk)

    assert (left.state, left.fence) == (ExecutionState.INCOMPLETE, held.fence)
