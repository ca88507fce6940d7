"""The whole drill over real HTTP: a leg is refused, trading is halted, a person flattens."""

from decimal import Decimal as D

import pytest

from arbplatform.core.crashpoints import observe
from ledger.domain.halts import EVERYTHING, TradingEvent
from ledger.domain.orders import OrderState
from ledger.models import Order
from ledger.selectors import imbalances, wallet_balances
from ledger.services.halts import change_trading
from ledger.services.journal import resolve_unknown_orders
from ledger.services.kill import stop_trading
from ledger.services.reconciliation import compare_with_venue
from markets.gateway.factory import close_all
from markets.simulator.running import start_in_thread
from strategies.domain.states import ExecutionState
from strategies.errors import FlattenHalted
from strategies.models import Execution
from strategies.services.crashpoints import CrashPoint
from strategies.services.flattening import flatten, list_flattenings
from strategies.services.repairs import repair_execution
from strategies.services.sweeps import sweep
from strategies.services.ticks import run_tick
from tests.strategies.fakes import SkewedClock
from tests.strategies.simulated import begin, market, quote_cheap_and_dear, register, venue

pytestmark = pytest.mark.django_db

FUNDS = {"BTC": "5", "USDT": "500000"}
LATER_MS = (0, 16_000, 30_000, 40_000, 40_000)
"""When the sweep comes by after a death: soon, and when the lease is over [ms]."""


class Killed(BaseException):
    """What a SIGKILL looks like from inside: nothing after it runs."""


@pytest.fixture
def simulator():
    """BTC is cheap on alpha and dear on beta, which refuses orders for now."""
    venues = [venue(code, markets=[market("BTC/USDT")], funds=FUNDS) for code in ("alpha", "beta")]
    running = start_in_thread({"seed": 7, "venues": venues})
    quote_cheap_and_dear(running)
    running.control.add_fault(
        "beta",
        "refuse",
        method="POST",
        path="api/v3/order",
        times=3,
        status=400,
        code=-2010,
        text="This action is disabled on this account.",
    )
    yield running
    close_all()
    running.stop()


@pytest.fixture
def accounts(simulator):
    return register(simulator, ["alpha", "beta"])


@pytest.fixture
def held(accounts):
    """An execution that bought on alpha; beta refused, and to go back loses too much."""
    strategy = begin(
        "cross-venue", accounts, symbols=["BTC/USDT"], max_notional="20000", max_loss_bps="1"
    )
    run_tick(strategy_id=strategy.pk, is_spacing_kept=False)
    clock = SkewedClock()
    clock.advance_ms(60_000)
    sweep(clock=clock)
    execution = Execution.objects.get()
    assert execution.state == ExecutionState.HELD
    return execution


@pytest.mark.parametrize("point", [None, CrashPoint.REPAIR_WRITTEN, CrashPoint.REPAIR_SENT])
def test_what_was_bought_is_sold_once_whoever_dies_in_between(simulator, accounts, held, point):
    owned_before = sum(wallet_balances(account.pk)["BTC"] for account in accounts)
    stop_trading(reason="drill")
    sent = Order.objects.count()
    with pytest.raises(FlattenHalted):
        flatten(reason="drill")
    change_trading(event=TradingEvent.REDUCE, scope=EVERYTHING, reason="flatten")
    (row,) = list_flattenings()
    assert row.market is not None
    assert row.verdict.order is not None
    assert (row.market.venue.code, row.verdict.order.side) == ("beta", "sell")
    assert Order.objects.count() == sent

    wanted = row.verdict.order.quantity
    assert [row.is_possible for row in flatten(reason="drill")] == [True]

    def die(reached):
        if reached is point:
            raise Killed

    if point is None:
        repair_execution(execution_id=held.pk)
    else:
        with observe(die), pytest.raises(Killed):
            repair_execution(execution_id=held.pk)
        clock = SkewedClock()
        for pause_ms in LATER_MS:
            clock.advance_ms(pause_ms)
            resolve_unknown_orders(clock=clock)
            assert sweep(clock=clock) == 0

    held.refresh_from_db()
    assert held.state == ExecutionState.COMPLETED
    (sale,) = held.orders.filter(side="sell", state=OrderState.FILLED)
    buy = held.orders.get(side="buy")
    assert sale.filled_quantity == wanted
    owned = sum(wallet_balances(account.pk)["BTC"] for account in accounts)
    assert owned == owned_before - sale.filled_quantity
    # the strategy's own, fee included, to the lot; the 10 BTC that it did not buy are untouched
    assert D(10) <= owned < D(10) + D("0.00001")
    assert sale.filled_quantity < buy.filled_quantity
    assert imbalances() == {}
    assert not any(compare_with_venue(account_id=account.pk) for account in accounts)
    assert list_flattenings() == []
