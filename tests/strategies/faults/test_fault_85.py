"""When a worker is killed in the middle, another one takes over after its lease and asks first."""

import signal

from ledger.models import Order
from ledger.services.journal import resolve_unknown_orders
from ledger.services.reconciliation import compare_with_venue
from strategies.domain.states import ExecutionState
from strategies.models import Execution
from strategies.services.sweeps import sweep
from tests.processes import send, wait_until
from tests.strategies.fakes import SkewedClock
from tests.strategies.faults.test_fault_90 import (
    ANSWER_MS,
    sim_accounts,
    simulator,
    start_worker,
    strategy,
)

__all__ = ["sim_accounts", "simulator", "strategy"]


def orders_at(simulator):
    return [
        order.client_id
        for code in ("alpha", "beta")
        for order in simulator.control.world.venues[code].engine.accounts["main"].orders.values()
    ]


def test_what_a_killed_worker_had_sent_is_looked_up_and_not_sent_again(
    start_part, redis_server, strategy, simulator
):
    worker = start_worker(start_part, strategy)
    send(redis_server.url, "strategies.tick", strategy_id=strategy.pk)
    wait_until(lambda: len(orders_at(simulator)) == 2, "both orders have arrived")

    worker.process.send_signal(signal.SIGKILL)
    worker.process.wait()

    clock = SkewedClock()
    resolve_unknown_orders(clock=clock)
    sweep(clock=clock)
    assert Execution.objects.get().state == ExecutionState.EXECUTING, "the lease still holds"
    for _ in range(3):
        clock.advance_ms(40_000 + ANSWER_MS)
        resolve_unknown_orders(clock=clock)
        assert sweep(clock=clock) == 0

    assert Execution.objects.get().state == ExecutionState.COMPLETED
    known = Order.objects.values_list("client_order_id", flat=True)
    assert sorted(orders_at(simulator)) == sorted(known)
    for account in strategy.accounts.all():
        assert compare_with_venue(account_id=account.pk) == []
