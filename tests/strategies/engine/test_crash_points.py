"""An engine dies, or is paused, at every point that it passes; another one takes over.

Engines are real processes, and so are the venues' sockets: what the venues hold to have happened
counts. Nothing is sent a second time, and all of it comes to a good end.
"""

import shutil
import signal
import tempfile
import time
from pathlib import Path

import pytest
from django.db import connection

from accounts.models import Reservation
from ledger.domain.orders import LIVE_STATES, OrderState
from ledger.models import Order
from ledger.services.crashpoints import JournalPoint
from ledger.services.reconciler import reconcile_account
from ledger.services.reconciliation import compare_with_venue
from markets.gateway.factory import close_all
from markets.simulator.running import start_in_thread
from strategies.domain.states import FINISHED_STATES, ExecutionState, StrategyDriver
from strategies.models import EngineProcess
from strategies.selectors import get_strategy
from strategies.services.crashpoints import CrashPoint
from strategies.services.leases import LEASE
from tests.processes import RedisServer, wait_until
from tests.strategies.engine.nursery import DOOR, Nursery
from tests.strategies.simulated import begin, register, venue
from tests.strategies.test_crash_points import FUNDS, MARKETS, check, recover, refuse_orders

pytestmark = pytest.mark.django_db(transaction=True)

PAUSE_S = 10.0
DROWSY_MS = 5_000
"""So long after its claim an engine that is to be paused sends an order: long enough to come to its
point on a busy machine, and over when it goes on."""


@pytest.fixture(scope="module")
def nursery(django_db_setup, django_db_blocker):
    """Where engines come from; they see the database of the tests."""
    directory = Path(tempfile.mkdtemp(prefix="arb-engines-"))
    redis = RedisServer(directory)
    redis.start()
    with django_db_blocker.unblock():
        made = Nursery(redis.url, directory)
    yield made
    made.close()
    redis.stop()
    shutil.rmtree(directory)


@pytest.fixture
def engines(nursery, transactional_db):
    """Starts engines that are surely gone when the database is emptied."""
    started = []

    def start(*arguments):
        started.append(nursery.start(*arguments))
        return started[-1]

    yield start
    for engine in started:
        engine.end()


@pytest.fixture
def simulator(transactional_db):
    """Two venues whose books offer nothing; every order request that they get is counted."""
    venues = [venue(code, markets=MARKETS, funds=FUNDS) for code in ("alpha", "beta")]
    running = start_in_thread({"seed": 7, "venues": venues})
    for code in ("alpha", "beta"):
        running.control.set_book(code, "BTC/USDT", [("49990", "5")], [("50000", "0.7")])
        running.control.add_fault(
            code, "late_answer", endpoint="order.create", delay_ms=1, times=None
        )
    yield running
    close_all()
    running.stop()


@pytest.fixture
def accounts(simulator):
    return register(simulator, ["alpha", "beta"])


@pytest.fixture
def cross(accounts):
    params = {"symbols": ["BTC/USDT"], "max_notional": "20000"}
    return begin("cross-venue", accounts, driver=StrategyDriver.STREAM, **params)


@pytest.fixture
def triangular(accounts):
    params = {"assets": ["BTC", "ETH", "USDT"], "max_start_amount": "10000"}
    return begin("triangular", accounts[:1], driver=StrategyDriver.STREAM, **params)


def offer_pair(simulator):
    """Make BTC dear on beta."""
    simulator.control.set_book("beta", "BTC/USDT", [("50500", "0.9")], [("50510", "1")])


def offer_triangle(simulator):
    """Make USDT → BTC → ETH → USDT gain about 1 % on alpha."""
    simulator.control.set_book("alpha", "ETH/BTC", [("0.0489", "99")], [("0.049", "99")])
    simulator.control.set_book("alpha", "ETH/USDT", [("2483", "99")], [("2485", "99")])


def count_requests(simulator):
    """Return how many orders the venues were asked for, refused ones included."""
    return sum(sum(strikes(simulator, kind)) for kind in ("late_answer", "drop_answer", "refuse"))


def strikes(simulator, kind):
    """Return how often a fault struck, by venue."""
    return [simulator.control.count_strikes(code).get(kind, 0) for code in ("alpha", "beta")]


def holder(strategy):
    name = get_strategy(strategy.pk).lease_holder
    return int(name.split(":")[1]) if name else None


def start_two(engines, strategy, accounts, *how):
    """Return one engine that holds the strategy and does not survive a point, and its heir."""
    victim = engines(*how)
    wait_until(lambda: holder(strategy) == victim.pid, lambda: f"it is held: {victim.output}")
    heir = engines()
    wait_until(lambda: EngineProcess.objects.filter(pid=heir.pid), lambda: heir.output)
    for account in accounts:  # nothing trades before; who takes over waits for another comparison
        reconcile_account(account_id=account.pk)
    return victim, heir


def take_over(strategy, heir, since):
    """Wait until the heir has the strategy; return how long it took [s]."""
    wait_until(lambda: holder(strategy) == heir.pid, lambda: f"it is taken over: {heir.output}")
    return time.monotonic() - since


def check_taken_at_once(strategy, victim, heir, claimed_at):
    """The first look of the heir after the end of the victim's lease has found the strategy."""
    renewed_at = EngineProcess.objects.get(pid=victim.pid).heartbeat_at
    free_at = max(claimed_at, renewed_at) + LEASE
    taken_at = get_strategy(strategy.pk).last_tick_at
    looks = [at for at in heir.looked_at if free_at <= at <= taken_at]
    assert len(looks) <= 1, (claimed_at, renewed_at, taken_at, looks)


def end(*running):
    """Let engines end in order, and the sweeps of the platform come by."""
    for engine in running:
        engine.signal(signal.SIGTERM)
        assert engine.wait() == 0
    recover()


@pytest.fixture
def kill(simulator, engines):
    """Kills an engine at a point of its first execution and lets another one take over."""

    def run(strategy, point, offer=offer_pair):
        accounts = list(strategy.accounts.all())
        victim, heir = start_two(engines, strategy, accounts, point)
        claimed_at = get_strategy(strategy.pk).last_tick_at
        offer(simulator)
        assert victim.wait() == -signal.SIGKILL
        take_over(strategy, heir, time.monotonic())
        check_taken_at_once(strategy, victim, heir, claimed_at)
        end(heir)

    return run


@pytest.fixture
def survive(simulator, kill):
    """Does the same, checks everything, and returns the execution."""

    def run(strategy, point, offer=offer_pair):
        kill(strategy, point, offer)
        execution = check(simulator, list(strategy.accounts.all()))
        refused = sum(strikes(simulator, "refuse"))
        there = sum(bool(order.venue_order_id) for order in Order.objects.all())
        assert count_requests(simulator) == there + refused  # none was made a second time
        return execution

    return run


J, C = JournalPoint, CrashPoint
UNSENT = [C.LEGS_WRITTEN, J.CLAIMED]
SENDING = [*UNSENT, J.SENDING, J.ANSWERED, J.BOOKED, J.RECORDED, C.LEGS_SENT]
REPAIRING = [
    *(C.SETTLED, C.REPAIR_CLAIMED, C.REPAIR_DECIDED, C.REPAIR_WRITTEN, C.REPAIR_SENT),
    *(C.REPAIR_SETTLED, J.WRITTEN),
]
CHAINED = [C.NEXT_LEG_WRITTEN, C.NEXT_LEG_SENT]
LOOKING_UP = [J.LOOKUP_TAKEN, J.LOOKED_UP]
NEVER = {J.CANCEL_NOTED, J.CANCEL_ASKED}
"""An engine cancels nothing that was sent: its orders do not rest."""


def test_every_point_has_its_test():
    passed = {J.WAITING, *SENDING, *REPAIRING, *CHAINED, *LOOKING_UP}

    assert passed | NEVER == {*JournalPoint, *CrashPoint}


def test_orders_that_waited_for_the_commit_when_their_engine_died_never_were(
    simulator, accounts, kill, cross
):
    kill(cross, J.WAITING)

    # the commit may just have come all the same: then it is known that nothing had left
    assert not Order.objects.exclude(state=OrderState.REJECTED).exists()
    assert count_requests(simulator) == count_orders(simulator) == 0
    assert not Reservation.objects.exists()
    for account in accounts:
        assert compare_with_venue(account_id=account.pk) == []


@pytest.mark.parametrize("point", SENDING)
def test_what_an_engine_was_sending_when_it_died_is_sent_once_or_not_at_all(
    simulator, survive, cross, point
):
    execution = survive(cross, point)

    if point in UNSENT:
        assert execution.state == ExecutionState.FAILED
        assert count_requests(simulator) == 0
    else:
        assert execution.state in {ExecutionState.COMPLETED, ExecutionState.FAILED}


@pytest.mark.parametrize("point", REPAIRING)
def test_what_an_engine_was_repairing_when_it_died_is_repaired(simulator, survive, cross, point):
    refuse_orders(simulator, "beta", times=1)

    assert survive(cross, point).state == ExecutionState.COMPLETED


@pytest.mark.parametrize("point", CHAINED)
def test_a_triangle_whose_engine_died_between_its_legs_is_completed(survive, triangular, point):
    assert survive(triangular, point, offer_triangle).state == ExecutionState.COMPLETED


@pytest.mark.parametrize("point", LOOKING_UP)
def test_what_an_engine_was_looking_up_when_it_died_is_looked_up_again(
    simulator, survive, cross, point
):
    # the answer is lost, and a moment later the account hears of the order
    simulator.control.add_fault("alpha", "late_fill", delay_ms=1_500)
    simulator.control.add_fault("alpha", "drop_answer", endpoint="order.create")
    users = simulator.control.world.venues["alpha"].listener.users

    def offer(simulator):
        wait_until(lambda: users.is_heard, "somebody listens to the account")
        offer_pair(simulator)

    assert survive(cross, point, offer).state == ExecutionState.COMPLETED


@pytest.mark.parametrize("point", [C.LEGS_WRITTEN, J.SENDING, DOOR])
def test_an_engine_that_was_paused_sends_nothing_after_another_took_over(
    simulator, accounts, engines, cross, point
):
    if connection.vendor == "sqlite":
        pytest.skip("A process that is paused while it writes holds the whole file.")
    sleeper, heir = start_two(engines, cross, accounts, point, signal.SIGSTOP, DROWSY_MS)
    offer_pair(simulator)
    wait_until(lambda: sleeper.is_stopped, lambda: f"it is paused: {sleeper.output}")
    took_s = take_over(cross, heir, time.monotonic())
    time.sleep(max(0.0, PAUSE_S - took_s))
    before = count_requests(simulator)
    at_venues = count_orders(simulator)

    woken_at = time.monotonic()
    sleeper.signal(signal.SIGCONT)
    wait_until(
        lambda: not Order.objects.filter(state__in=LIVE_STATES).exists(),
        lambda: f"it has looked at its orders: {sleeper.output}",
    )

    # no question was answered with yes any more; what one had been before (that of the other leg as
    # well, which comes to its own door at about the same time) is too old for the venue to take it
    assert all(asked_at < woken_at for asked_at in sleeper.asked_at)
    assert count_requests(simulator) - before <= len(sleeper.asked_at)
    assert count_orders(simulator) == at_venues
    end(sleeper, heir)
    assert ExecutionState(check(simulator, accounts).state) in FINISHED_STATES


def count_orders(simulator):
    """Return how many orders the venues have."""
    venues = simulator.control.world.venues
    return sum(len(venues[code].engine.accounts["main"].orders) for code in ("alpha", "beta"))
