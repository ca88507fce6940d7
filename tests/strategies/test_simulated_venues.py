"""Both plugins trade for real: over HTTP, with signatures, on simulated venues."""

from decimal import Decimal as D

import pytest

from ledger.domain.orders import OrderState
from ledger.models import Order
from ledger.selectors import imbalances, pnl_by_asset, wallet_balances
from ledger.services.reconciliation import compare_with_venue
from markets.gateway.factory import close_all
from markets.simulator.running import start_in_thread
from strategies.domain.states import ExecutionState
from strategies.models import Execution, Opportunity
from strategies.services.evidence import recompute
from strategies.services.ticks import TickOutcome, run_tick
from tests.strategies.samples import Hooked
from tests.strategies.simulated import (
    RECORDING,
    begin,
    market,
    register,
    replayed,
    stated,
    venue,
)

pytestmark = pytest.mark.django_db

FUNDS = {"BTC": "5", "ETH": "50", "USDT": "500000"}
MARKETS = [market("BTC/USDT"), market("ETH/USDT"), market("ETH/BTC", tick="0.000001", lot="0.001")]


@pytest.fixture
def run_simulator():
    """Return a function that starts a simulator; all of them are stopped at the end."""
    running = []

    def start(*venues):
        running.append(start_in_thread({"seed": 7, "venues": list(venues)}))
        return running[-1]

    yield start
    close_all()
    for simulator in running:
        simulator.stop()


@pytest.fixture
def simulator(run_simulator):
    """Two venues whose books the test sets."""
    return run_simulator(
        venue("alpha", markets=MARKETS, funds=FUNDS), venue("beta", markets=MARKETS, funds=FUNDS)
    )


def tick(strategy):
    report = run_tick(strategy_id=strategy.pk, is_spacing_kept=False)
    assert report.error == ""
    return report


def realised():
    return sum(execution.realised_profit for execution in Execution.objects.all())


def check_books(simulator, accounts):
    """Check that the ledger says exactly what the venues say, asset by asset."""
    assert imbalances() == {}
    for account in accounts:
        assert compare_with_venue(account_id=account.pk) == []
        ours = {asset: amount for asset, amount in wallet_balances(account.pk).items() if amount}
        theirs = {
            asset: D(amount)
            for asset, amount in stated(simulator, account.venue.code).items()
            if D(amount)
        }
        assert ours == theirs


def test_a_cross_venue_arbitrage_is_executed_and_booked_to_the_last_decimal(simulator):
    simulator.control.set_book("alpha", "BTC/USDT", [("49990", "1")], [("50000", "0.7")])
    simulator.control.set_book("beta", "BTC/USDT", [("50500", "0.9")], [("50510", "1")])
    accounts = register(simulator, ["alpha", "beta"])
    strategy = begin("cross-venue", accounts, symbols=["BTC/USDT"], max_notional="20000")

    report = tick(strategy)

    assert report.outcome is TickOutcome.EXECUTED
    execution = Execution.objects.get()
    assert execution.state == ExecutionState.COMPLETED
    buy, sell = execution.orders.order_by("leg_index")
    assert (buy.market.venue.code, sell.market.venue.code) == ("alpha", "beta")
    assert buy.filled_quantity >= sell.filled_quantity > D("0.3")
    assert execution.realised_profit == pnl_by_asset(strategy.pk)["USDT"]
    assert execution.realised_profit == sell.filled_cost * D("0.999") - buy.filled_cost
    check_books(simulator, accounts)
    assert recompute(opportunity_id=Opportunity.objects.get().pk).matches


def test_a_triangular_arbitrage_is_executed_and_booked_to_the_last_decimal(simulator):
    simulator.control.set_book("alpha", "BTC/USDT", [("49990", "5")], [("50000", "5")])
    simulator.control.set_book("alpha", "ETH/BTC", [("0.0489", "99")], [("0.049", "99")])
    simulator.control.set_book("alpha", "ETH/USDT", [("2483", "99")], [("2485", "99")])
    accounts = register(simulator, ["alpha"])
    strategy = begin(
        "triangular", accounts, assets=["BTC", "ETH", "USDT"], max_start_amount="10000"
    )

    report = tick(strategy)

    assert report.outcome is TickOutcome.EXECUTED
    execution = Execution.objects.get()
    assert execution.state == ExecutionState.COMPLETED
    assert [order.market.symbol for order in execution.orders.order_by("leg_index")] == [
        "BTC/USDT",
        "ETH/BTC",
        "ETH/USDT",
    ]
    assert execution.realised_profit > 50
    # what the lots left over is in the books as well, and no more than a lot of each asset
    assert set(execution.residuals) <= {"BTC", "ETH"}
    assert all(D(amount) >= 0 for amount in execution.residuals.values())
    check_books(simulator, accounts)
    assert recompute(opportunity_id=Opportunity.objects.get().pk).matches


def test_a_book_that_moves_between_decision_and_order_costs_the_trade_but_not_the_books(
    simulator, settings
):
    settings.STRATEGY_PACKAGES = ["strategies.plugins", "tests.strategies.samples"]
    simulator.control.set_book("alpha", "BTC/USDT", [("49990", "1")], [("50000", "0.7")])
    simulator.control.set_book("beta", "BTC/USDT", [("50500", "0.9")], [("50510", "1")])
    accounts = register(simulator, ["alpha", "beta"])
    strategy = begin(Hooked.slug, accounts, symbols=["BTC/USDT"], max_notional="20000")
    Hooked.hook = lambda: simulator.control.set_book(
        "beta", "BTC/USDT", [("49000", "0.9")], [("50510", "1")]
    )

    try:
        tick(strategy)
    finally:
        Hooked.hook = None

    execution = Execution.objects.get()
    assert execution.state == ExecutionState.UNWOUND
    missed, reversing = execution.orders.filter(side="sell").order_by("pk")
    assert (missed.state, missed.filled_quantity) == (OrderState.CANCELED, D(0))
    assert (reversing.state, reversing.market.venue.code) == (OrderState.FILLED, "alpha")
    assert 0 <= D(execution.residuals.get("BTC", "0")) < D("0.00001")
    check_books(simulator, accounts)


def test_an_edge_is_traded_down_until_it_is_gone_and_then_left_alone(simulator):
    simulator.control.set_book("alpha", "BTC/USDT", [("49990", "1")], [("50000", "0.7")])
    simulator.control.set_book("beta", "BTC/USDT", [("50500", "0.9")], [("50510", "1")])
    accounts = register(simulator, ["alpha", "beta"])
    strategy = begin("cross-venue", accounts, symbols=["BTC/USDT"], max_notional="20000")

    outcomes = [tick(strategy).outcome for _ in range(25)]

    executed = [outcome for outcome in outcomes if outcome is TickOutcome.EXECUTED]
    assert 3 <= len(executed) < 25
    assert outcomes[-1] is TickOutcome.NOTHING
    assert {execution.state for execution in Execution.objects.all()} == {ExecutionState.COMPLETED}
    assert realised() == pnl_by_asset(strategy.pk)["USDT"]
    check_books(simulator, accounts)


@pytest.mark.skipif(not RECORDING.exists(), reason=f"the recording {RECORDING} is not there")
def test_recorded_books_of_two_venues_are_traded_with_a_profit_always_in_one_direction(
    run_simulator,
):
    # frames 11,750 to 12,250 of 16,267: seventeen minutes with edges of up to 22 BRL
    simulator = run_simulator(
        replayed("EX1", "ex1", start=11_750, count=500),
        replayed("EX2", "ex2", start=11_750, count=500),
    )
    simulator.control.advance_replay(2)
    accounts = register(simulator, ["ex1", "ex2"])
    strategy = begin(
        "cross-venue",
        accounts,
        symbols=["BTC/BRL"],
        min_edge_bps="1",
        max_notional="20000",
        participation="1",
        depth=100,
    )

    while simulator.control.advance_replay(1):
        tick(strategy)

    assert Execution.objects.count() >= 5
    for order in Order.objects.select_related("market__venue"):
        assert order.market.venue.code == {"buy": "ex1", "sell": "ex2"}[order.side]
    assert {execution.state for execution in Execution.objects.all()} == {ExecutionState.COMPLETED}
    assert pnl_by_asset(strategy.pk)["BRL"] > 0
    assert realised() == pnl_by_asset(strategy.pk)["BRL"]
    check_books(simulator, accounts)
