"""A process dies at every point of an execution; another one brings it to a good end.

The venues are simulated ones behind real HTTP, so what they hold to have happened counts.
"""

import os
import signal
import subprocess
import sys
from decimal import Decimal as D
from pathlib import Path

import pytest
from django.db import connection

from accounts.models import Reservation
from arbplatform.core.crashpoints import observe
from ledger.domain.orders import LIVE_STATES, OrderState
from ledger.models import Order
from ledger.selectors import imbalances, list_stray_reservations
from ledger.services.crashpoints import JournalPoint
from ledger.services.journal import (
    OrderPlan,
    resolve_unknown_orders,
    submit_orders,
    write_orders,
)
from ledger.services.openings import ensure_opened
from ledger.services.reconciliation import compare_with_venue
from markets.domain.orders import Side, TimeInForce
from markets.gateway.factory import close_all
from markets.simulator.running import start_in_thread
from strategies.domain.states import FINISHED_STATES, ExecutionState
from strategies.models import Execution
from strategies.services.crashpoints import CrashPoint
from strategies.services.sweeps import sweep
from strategies.services.ticks import run_tick
from tests.processes import WAIT_S
from tests.strategies.fakes import SkewedClock
from tests.strategies.simulated import LABEL, begin, market, quote_cheap_and_dear, register, venue

FUNDS = {"BTC": "5", "ETH": "50", "USDT": "500000"}
MARKETS = [market("BTC/USDT"), market("ETH/USDT"), market("ETH/BTC", tick="0.000001", lot="0.001")]
LATER_MS = (0, 16_000, 30_000, 40_000, 40_000)
"""When the sweep comes by: soon, and again when the leases are over [ms after the one before]."""
CHAIN = {CrashPoint.NEXT_LEG_WRITTEN, CrashPoint.NEXT_LEG_SENT}
"""Points that only legs in sequence come to."""


class Killed(BaseException):
    """What a SIGKILL looks like from inside: nothing after it runs."""


@pytest.fixture
def simulator():
    """Two venues; BTC is cheap on alpha and dear on beta, and alpha has a good triangle."""
    running = start_in_thread(
        {
            "seed": 7,
            "venues": [venue(code, markets=MARKETS, funds=FUNDS) for code in ("alpha", "beta")],
        }
    )
    quote_cheap_and_dear(running)
    running.control.set_book("alpha", "ETH/BTC", [("0.0489", "99")], [("0.049", "99")])
    running.control.set_book("alpha", "ETH/USDT", [("2483", "99")], [("2485", "99")])
    yield running
    close_all()
    running.stop()


@pytest.fixture
def accounts(simulator):
    return register(simulator, ["alpha", "beta"])


@pytest.fixture
def cross(accounts):
    return begin("cross-venue", accounts, symbols=["BTC/USDT"], max_notional="20000")


@pytest.fixture
def triangular(accounts):
    return begin(
        "triangular", accounts[:1], assets=["BTC", "ETH", "USDT"], max_start_amount="10000"
    )


def refuse_orders(simulator, code, times):
    """Let a venue refuse the next orders, which then do not exist there."""
    simulator.control.add_fault(
        code,
        "refuse",
        method="POST",
        path="api/v3/order",
        times=times,
        status=400,
        code=-2010,
        text="This action is disabled on this account.",
    )


def die_at(point, nth=1):
    """Return an observer that stops the process when it comes to ``point`` the ``nth`` time."""
    passed = []

    def observer(reached):
        if reached is point:
            passed.append(reached)
            if len(passed) == nth:
                raise Killed

    return observer


def recover(first_ms=0):
    """Let the sweeps of the platform come by until the leases of the dead are over."""
    clock = SkewedClock()
    clock.advance_ms(first_ms)
    for pause_ms in LATER_MS:
        clock.advance_ms(pause_ms)
        resolve_unknown_orders(clock=clock)
        assert sweep(clock=clock) == 0


def check(simulator, accounts):
    """Check what must hold whatever happened; return the execution."""
    execution = Execution.objects.get()
    assert ExecutionState(execution.state) in FINISHED_STATES
    assert execution.finished_at is not None
    assert execution.lease_expires_at is None
    orders = list(Order.objects.all())
    assert not {order.state for order in orders} & LIVE_STATES
    # what the venues have is what the journal says was taken, one to one
    at_venues = [
        order.client_id
        for account in accounts
        for order in simulator.control.world.venues[account.venue.code]
        .engine.accounts[LABEL]
        .orders.values()
    ]
    assert sorted(at_venues) == sorted(
        order.client_order_id for order in orders if order.venue_order_id
    )
    assert len(set(at_venues)) == len(at_venues)
    assert imbalances() == {}
    assert list_stray_reservations() == []
    assert Reservation.objects.count() == 0
    for account in accounts:
        assert compare_with_venue(account_id=account.pk) == []
    if execution.state != ExecutionState.HELD:
        # less than 10 USDT at any venue
        prices = {"BTC": D(50_500), "ETH": D(2_500)}
        left = {code: D(amount) * prices[code] for code, amount in execution.residuals.items()}
        assert all(abs(worth) < 10 for worth in left.values())
    return execution


def kill_at(point, action, argument):
    """Let a process do something, and kill it when it comes to ``point``."""
    arguments = (connection.settings_dict["NAME"], point.value, action, argument)
    victim = subprocess.run(
        [sys.executable, "-m", "tests.strategies.victim", *map(str, arguments)],
        cwd=Path(__file__).parents[2],
        env=os.environ,
        capture_output=True,
        timeout=WAIT_S,
        check=False,
    )
    assert victim.returncode == -signal.SIGKILL, victim.stderr.decode()


REPAIRS = [point for point in CrashPoint if point not in CHAIN]
EARLY = {CrashPoint.LEGS_WRITTEN}
"""Points at which nothing was sent: an order that waited so long is given up."""


@pytest.mark.django_db
@pytest.mark.parametrize("point", REPAIRS)
def test_an_execution_that_is_being_completed_survives_a_crash(simulator, accounts, cross, point):
    refuse_orders(simulator, "beta", times=1)
    with observe(die_at(point)), pytest.raises(Killed):
        run_tick(strategy_id=cross.pk)
    assert ExecutionState(Execution.objects.get().state) not in FINISHED_STATES or (
        point is CrashPoint.REPAIR_SETTLED
    )

    recover()

    execution = check(simulator, accounts)
    expected = ExecutionState.FAILED if point in EARLY else ExecutionState.COMPLETED
    assert execution.state == expected


@pytest.mark.django_db
@pytest.mark.parametrize("point", REPAIRS)
def test_an_execution_that_is_being_reversed_survives_a_crash(simulator, accounts, cross, point):
    refuse_orders(simulator, "beta", times=2)
    # the second order of the repair is the one that reverses
    is_order = point in {CrashPoint.REPAIR_WRITTEN, CrashPoint.REPAIR_SENT}
    with observe(die_at(point, nth=2 if is_order else 1)), pytest.raises(Killed):
        run_tick(strategy_id=cross.pk)

    recover()

    execution = check(simulator, accounts)
    expected = ExecutionState.FAILED if point in EARLY else ExecutionState.UNWOUND
    assert execution.state == expected


@pytest.mark.django_db
@pytest.mark.parametrize("leg", [1, 2])
@pytest.mark.parametrize("point", sorted(CHAIN))
def test_a_triangle_survives_a_crash_between_its_legs(simulator, accounts, triangular, point, leg):
    with observe(die_at(point, nth=leg)), pytest.raises(Killed):
        run_tick(strategy_id=triangular.pk)

    recover()

    assert check(simulator, accounts[:1]).state == ExecutionState.COMPLETED


def test_every_crash_point_has_its_test():
    assert set(REPAIRS) | CHAIN == set(CrashPoint)
    points = (SENDING_POINTS, LOOKUP_POINTS, CANCEL_POINTS)
    # an order that waits for its commit is killed with its engine: engine/test_crash_points.py
    assert set().union(*points) | {P.WAITING} == set(JournalPoint)


@pytest.mark.django_db
def test_a_repair_whose_answer_is_lost_is_found_and_not_sent_again(simulator, accounts, cross):
    refuse_orders(simulator, "beta", times=1)
    # the first order that beta does not refuse is the one of the repair
    simulator.control.add_fault(
        "beta", "drop_answer", method="POST", path="api/v3/order", times=1, after=1
    )

    run_tick(strategy_id=cross.pk)
    recover()

    execution = check(simulator, accounts)
    assert execution.state == ExecutionState.COMPLETED
    assert execution.orders.count() == 3


@pytest.mark.django_db
def test_an_exposure_that_cannot_be_repaired_is_flagged(simulator, accounts, cross):
    refuse_orders(simulator, "beta", times=10)
    simulator.control.add_fault(
        "alpha",
        "refuse",
        method="POST",
        path="api/v3/order",
        times=10,
        after=1,
        status=400,
        code=-2010,
        text="This action is disabled on this account.",
    )

    run_tick(strategy_id=cross.pk)
    recover()

    assert check(simulator, accounts).state == ExecutionState.HELD


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "point", [CrashPoint.LEGS_SENT, CrashPoint.REPAIR_WRITTEN, CrashPoint.REPAIR_SENT]
)
def test_an_execution_survives_the_sigkill_of_its_process(simulator, accounts, cross, point):
    refuse_orders(simulator, "beta", times=1)
    kill_at(point, "tick", cross.pk)

    recover()

    assert check(simulator, accounts).state == ExecutionState.COMPLETED


# in the journal: every one by SIGKILL ----------------------------------------------------------

P = JournalPoint
SENDING_POINTS = [P.WRITTEN, P.CLAIMED, P.SENDING, P.ANSWERED, P.BOOKED, P.RECORDED]
LOOKUP_POINTS = [P.LOOKUP_TAKEN, P.LOOKED_UP, P.BOOKED]
CANCEL_POINTS = [P.CANCEL_NOTED, P.CANCEL_ASKED, P.LOOKED_UP, P.BOOKED]
UNSENT = {P.WRITTEN, P.CLAIMED, P.SENDING}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("point", SENDING_POINTS)
def test_an_order_survives_the_sigkill_of_its_sender(simulator, accounts, point):
    order = write(accounts[0], TimeInForce.IOC)

    kill_at(point, "send", order.pk)
    recover()

    # sent once or not at all; what was sent is booked, and what was not is given back
    assert check_order(simulator, accounts[0], order) == (
        OrderState.REJECTED if point in UNSENT else OrderState.FILLED
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("point", LOOKUP_POINTS)
def test_an_order_survives_the_sigkill_of_who_looks_it_up(simulator, accounts, point):
    simulator.control.add_fault("alpha", "drop_answer", method="POST", path="api/v3/order", times=1)
    order = write(accounts[0], TimeInForce.IOC)
    submit_orders(order_ids=[order.pk])

    kill_at(point, "lookup", 2_000)
    recover(first_ms=65_000)

    assert check_order(simulator, accounts[0], order) == OrderState.FILLED


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("point", CANCEL_POINTS)
def test_a_resting_order_survives_the_sigkill_of_who_cancels_it(simulator, accounts, point):
    order = write(accounts[0], TimeInForce.GTC, price="49995")
    assert submit_orders(order_ids=[order.pk])[0].state == OrderState.OPEN

    kill_at(point, "cancel", order.pk)
    recover(first_ms=65_000)

    order.refresh_from_db()
    if point is P.CANCEL_NOTED:
        # nobody has told the venue: it rests, is followed, and keeps what it may spend
        assert order.state == OrderState.OPEN
        assert list_stray_reservations() == []
        assert Reservation.objects.get().owner_id == order.pk
    else:
        assert check_order(simulator, accounts[0], order) == OrderState.CANCELED


def write(account, time_in_force, price="50000"):
    """Write an order to buy 0.1 BTC at alpha down."""
    plan = OrderPlan(
        account_id=account.pk,
        market_id=account.venue.markets.get(symbol="BTC/USDT").pk,
        strategy_id=None,
        execution_id=None,
        leg_index=0,
        side=Side.BUY,
        quantity=D("0.1"),
        price=D(price),
        time_in_force=time_in_force,
    )
    ensure_opened(account_id=account.pk)
    return write_orders(plans=[plan])[0]


def check_order(simulator, account, order):
    """Check that venue and journal agree about the only order; return its state."""
    order.refresh_from_db()
    engine = simulator.control.world.venues["alpha"].engine
    at_venue = [row.client_id for row in engine.accounts[LABEL].orders.values()]
    was_taken = order.state != OrderState.REJECTED
    assert at_venue == ([order.client_order_id] if was_taken else [])
    assert Reservation.objects.count() == 0
    assert list_stray_reservations() == []
    assert imbalances() == {}
    assert compare_with_venue(account_id=account.pk) == []
    return order.state
