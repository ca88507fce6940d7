"""Where a venue takes its fee from the bought coin, the sale is planned for what really arrives."""

from decimal import Decimal as D

import pytest

from ledger.models import Order
from ledger.selectors import execution_movements
from strategies.domain.states import ExecutionState
from strategies.models import Execution
from strategies.services.ticks import run_tick
from tests.strategies.fakes import FEE

LOT = D("0.00001")


@pytest.mark.django_db
def test_no_more_is_sold_than_was_bought_after_the_fee(cross, edge):
    run_tick(strategy_id=cross.pk)

    bought = Order.objects.get(side="buy").quantity * (1 - FEE)
    sold = Order.objects.get(side="sell").quantity
    assert 0 <= bought - sold <= LOT
    execution = Execution.objects.get()
    assert execution.state == ExecutionState.COMPLETED
    # never short: what is left over is one lot at most
    assert 0 <= execution_movements(execution.pk).get("BTC", D(0)) <= LOT


@pytest.mark.django_db
def test_each_leg_of_a_triangle_spends_what_the_one_before_brought(triangular, triangle):
    run_tick(strategy_id=triangular.pk)

    execution = Execution.objects.get()
    assert execution.state == ExecutionState.COMPLETED
    movements = execution_movements(execution.pk)
    assert movements["USDT"] > 0
    assert all(movements.get(code, D(0)) >= 0 for code in ("BTC", "ETH"))
