"""A task that is delivered twice does its work once: the row is claimed, not the message."""

import time
from uuid import uuid4

import pytest
import redis

from ledger.models import Order
from ledger.services.reconciliation import compare_with_venue
from strategies.domain.states import ExecutionState
from strategies.models import Execution
from tests.processes import sender, wait_until
from tests.strategies.faults.test_fault_90 import sim_accounts, simulator, start_worker, strategy

__all__ = ["sim_accounts", "simulator", "strategy"]
COPIES = 6


def deliver(url, task, **ids):
    """Put copies of one and the same message into the queue."""
    message_id = str(uuid4())
    with sender(url) as app:
        for _ in range(COPIES):
            app.send_task(task, kwargs=ids, task_id=message_id)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_tick_that_is_delivered_many_times_sends_its_orders_once(
    start_part, redis_server, strategy, simulator, workers
):
    for _ in range(workers):
        start_worker(start_part, strategy)

    def trades():
        if not Execution.objects.exists():
            deliver(redis_server.url, "strategies.tick", strategy_id=strategy.pk)
            time.sleep(0.7)  # a tick that comes too soon after the last one is dropped
        return Execution.objects.filter(state=ExecutionState.COMPLETED).exists()

    wait_until(trades, "an execution")
    deliver(
        redis_server.url, "strategies.settle_execution", execution_id=Execution.objects.get().pk
    )
    with redis.Redis.from_url(redis_server.url) as client:
        wait_until(
            lambda: not client.llen("trading") + client.llen("safety"), "everything was taken"
        )

    wait_until(
        lambda: {row.state for row in Execution.objects.all()} == {ExecutionState.COMPLETED},
        "all have ended",
    )
    sent = [
        order.client_id
        for code in ("alpha", "beta")
        for order in simulator.control.world.venues[code].engine.accounts["main"].orders.values()
    ]
    assert sorted(sent) == sorted(Order.objects.values_list("client_order_id", flat=True))
    assert len(set(sent)) == len(sent) == 2 * Execution.objects.count()
    for account in strategy.accounts.all():
        assert compare_with_venue(account_id=account.pk) == []
