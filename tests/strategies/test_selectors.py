"""Queries that pages and other apps use."""

import pytest

from ledger.domain.orders import LIVE_STATES, OrderState
from ledger.models import Order
from strategies.domain.states import StrategyState
from strategies.models import Strategy
from strategies.selectors import (
    Standing,
    count_executions,
    count_strategies,
    list_recent_causes,
    map_standings,
    read_state,
)
from strategies.services.ticks import run_tick

pytestmark = pytest.mark.django_db


def test_strategies_are_counted_by_state_and_none_is_zero(make_cross, cross):
    make_cross("resting")

    assert count_strategies() == {
        StrategyState.STOPPED: 1,
        StrategyState.RUNNING: 1,
        StrategyState.STOPPING: 0,
        StrategyState.FAULTED: 0,
    }


def test_executions_are_counted_of_all_and_of_one(cross, edge):
    run_tick(strategy_id=cross.pk)

    assert count_executions()["completed"] == 1
    assert count_executions(strategy_id=4711)["completed"] == 0


@pytest.mark.parametrize("state", list(OrderState))
def test_a_strategy_stands_open_while_the_end_of_an_order_is_not_known(cross, edge, state):
    run_tick(strategy_id=cross.pk)
    Order.objects.filter(side="buy").update(state=state)

    assert map_standings([cross.pk])[cross.pk] == Standing(
        StrategyState.RUNNING, has_unresolved=state in LIVE_STATES
    )


def test_a_strategy_that_is_gone_has_no_state(db):
    assert read_state(4711) is None
    assert map_standings([4711])[4711] == Standing(None)


def test_the_state_is_read_anew(cross):
    Strategy.objects.update(state=StrategyState.FAULTED)

    assert read_state(cross.pk) is StrategyState.FAULTED


def test_causes_are_those_of_one_kind_of_line_only(cross):
    since = cross.created_at

    assert list_recent_causes(strategy_id=cross.pk, event="book_missing", since=since) == set()
