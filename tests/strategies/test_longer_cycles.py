"""Ways around more than three markets: found, traded leg by leg, undone when they break off."""

from decimal import Decimal as D

import pytest

from ledger.selectors import imbalances
from ledger.services.reconciliation import compare_with_venue
from markets.gateway.factory import close_all
from markets.simulator.running import start_in_thread
from strategies.domain.states import ExecutionState, StrategyDriver
from strategies.models import Execution, Opportunity
from strategies.services.evidence import recompute
from strategies.services.runs import start_strategy
from strategies.services.strategies import create_strategy
from strategies.services.ticks import TickOutcome, run_tick
from tests.patience import PATIENT_BOOKS
from tests.strategies.samples import HookedCycle
from tests.strategies.simulated import market, register, venue

pytestmark = pytest.mark.django_db

ROUTE = ["BTC/USDT", "XRP/BTC", "XRP/ETH", "ETH/USDT"]
"""USDT → BTC → XRP → ETH → USDT; there is no triangle among these markets."""


@pytest.fixture
def simulator():
    fine = {"tick": "0.00000001", "lot": "0.1"}
    markets = [
        market("BTC/USDT"),
        market("XRP/BTC", **fine),
        {**market("XRP/ETH", **fine), "notional_min": "0.001"},
        market("ETH/USDT"),
    ]
    funds = {"BTC": "1", "ETH": "10", "XRP": "1000", "USDT": "500000"}
    running = start_in_thread({"seed": 7, "venues": [venue("alpha", markets=markets, funds=funds)]})
    running.control.set_book("alpha", "BTC/USDT", [("49990", "5")], [("50000", "5")])
    running.control.set_book("alpha", "XRP/BTC", [("0.0000099", "90000")], [("0.00001", "90000")])
    running.control.set_book("alpha", "XRP/ETH", [("0.0002", "90000")], [("0.000201", "90000")])
    running.control.set_book("alpha", "ETH/USDT", [("2525", "99")], [("2526", "99")])
    yield running
    HookedCycle.hook = None
    close_all()
    running.stop()


@pytest.fixture
def strategy(simulator, settings):
    """A strategy that watches four legs and knows of no triangle."""
    settings.STRATEGY_PACKAGES = ["strategies.plugins", "tests.strategies.samples"]
    params = {
        "assets": ["BTC", "ETH", "USDT", "XRP"],
        "max_start_amount": "10000",
        "legs_max": 4,
        "max_loss_bps": "100",
        **PATIENT_BOOKS,
    }
    (account,) = register(simulator, ["alpha"])
    strategy = create_strategy(
        driver=StrategyDriver.SCHEDULE,
        name="around",
        slug=HookedCycle.slug,
        params=params,
        account_ids=[account.pk],
    )
    start_strategy(strategy_id=strategy.pk, user=None)
    return strategy


def tick(strategy):
    report = run_tick(strategy_id=strategy.pk, is_spacing_kept=False)
    assert (report.outcome, report.error) == (TickOutcome.EXECUTED, "")
    return Execution.objects.get()


def check_books(strategy):
    assert imbalances() == {}
    (account,) = strategy.accounts.all()
    assert compare_with_venue(account_id=account.pk) == []


def test_four_legs_are_traded_one_after_the_other(strategy):
    execution = tick(strategy)

    assert execution.state == ExecutionState.COMPLETED
    orders = execution.orders.order_by("leg_index")
    assert [order.market.symbol for order in orders] == ROUTE
    # 1 % before four fees of 0.1 %, of nearly 10,000 USDT
    assert D(50) < execution.realised_profit < D(61)
    assert all(D(amount) >= 0 for amount in execution.residuals.values())
    check_books(strategy)
    assert recompute(opportunity_id=Opportunity.objects.get().pk).matches


def test_four_legs_that_break_off_at_the_last_are_undone_through_three(strategy, simulator):
    HookedCycle.hook = lambda: simulator.control.set_book(
        "alpha", "ETH/USDT", [("2000", "99")], [("2526", "99")]
    )
    simulator.control.set_book(
        "alpha", "XRP/BTC", [("0.00000999", "90000")], [("0.00001", "90000")]
    )
    simulator.control.set_book("alpha", "XRP/ETH", [("0.0002", "90000")], [("0.00020001", "90000")])

    execution = tick(strategy)

    assert execution.state == ExecutionState.UNWOUND
    sent = list(execution.orders.order_by("pk").values_list("leg_index", "side", "state"))
    assert sent == [
        (0, "buy", "filled"),
        (1, "buy", "filled"),
        (2, "sell", "filled"),
        (3, "sell", "canceled"),
        (2, "buy", "filled"),
        (1, "sell", "filled"),
        (0, "sell", "filled"),
    ]
    # six fees of 0.1 % and what the spreads take
    assert D(-80) < execution.realised_profit < D(-50)
    check_books(strategy)
