"""Trading is halted while a killed process has an execution under way, and a fill comes late.

A SIGKILL ends the process when both legs have left. Of the one at beta the venue says that it has
expired, and fills it after all when another process has taken over.
"""

import pytest

from arbplatform.core.clock import SYSTEM_CLOCK
from ledger.domain.halts import EVERYTHING, HaltLevel, HaltScope, TradingEvent
from ledger.domain.orders import OrderState
from ledger.models import Order
from ledger.services.halts import change_trading
from ledger.services.journal import resolve_unknown_orders
from ledger.services.kill import cancel_halted_orders
from ledger.services.reconciler import reconcile_account
from markets.gateway.factory import close_all
from markets.simulator.running import start_in_thread
from strategies.domain.states import ExecutionState
from strategies.models import Execution
from strategies.services.crashpoints import CrashPoint
from strategies.services.sweeps import sweep
from strategies.services.ticks import TickOutcome, run_tick
from tests.strategies.fakes import SkewedClock
from tests.strategies.simulated import begin, quote_cheap_and_dear, register, venue
from tests.strategies.test_crash_points import FUNDS, LATER_MS, MARKETS, check, kill_at

pytestmark = pytest.mark.django_db(transaction=True)

LATE_MS = 600_000
AFTER_LEASE_MS, AFTER_DEADLINE_MS = 40_000, 70_000
C, E, L, S = CrashPoint, TradingEvent, HaltLevel, ExecutionState
POINTS = [(point, L.GLOBAL) for point in (C.LEGS_SENT, C.REPAIR_WRITTEN, C.REPAIR_SENT)]
LEVELS = [(C.LEGS_SENT, level) for level in (L.VENUE, L.ACCOUNT, L.STRATEGY)]


class Heir:
    """Another process, to which time passes as a test says."""

    def __init__(self, simulator, accounts, strategy):
        self.simulator = simulator
        self.accounts = accounts
        self.strategy = strategy
        self.clock = SkewedClock()
        self.found: set[str] = set()

    def change(self, event, level=L.GLOBAL):
        """Change the trading state of everything, or of what a level means at beta."""
        beta = self.accounts[1]
        targets = {L.VENUE: beta.venue_id, L.ACCOUNT: beta.pk, L.STRATEGY: self.strategy.pk}
        scope = EVERYTHING if level is L.GLOBAL else HaltScope(level, targets[level])
        self.found = {order.client_order_id for order in Order.objects.all()}
        change_trading(event=event, scope=scope, reason="a test")

    @property
    def sent_since(self):
        """Orders that were written since the trading state was changed."""
        return list(Order.objects.exclude(client_order_id__in=self.found))

    def work(self, *pauses_ms):
        """Do what workers do by themselves, after each of some pauses; return the execution."""
        for pause_ms in pauses_ms:
            self.clock.advance_ms(pause_ms)
            cancel_halted_orders(clock=self.clock)
            resolve_unknown_orders(clock=self.clock)
            assert sweep(clock=self.clock) == 0
        return Execution.objects.get()

    def hear_late(self):
        """Let beta fill the leg after all, and hear of it; return the execution."""
        beta = self.simulator.control.world.venues["beta"]
        at_ms = SYSTEM_CLOCK.now_ms() + LATE_MS
        self.simulator.control.call(lambda: beta.fill_what_is_late(at_ms))
        for account in self.accounts * 2:
            reconcile_account(account_id=account.pk, clock=self.clock)
        assert Order.objects.get(leg_index=1, is_reducing=False).state == OrderState.FILLED
        return self.work(0, AFTER_LEASE_MS, AFTER_DEADLINE_MS)


@pytest.fixture
def heir():
    """Who takes over; BTC is cheap on alpha and dear on beta, where a sale is filled late."""
    venues = [venue(code, markets=MARKETS, funds=FUNDS) for code in ("alpha", "beta")]
    simulator = start_in_thread({"seed": 7, "venues": venues})
    quote_cheap_and_dear(simulator)
    simulator.control.add_fault("beta", "late_fill", delay_ms=LATE_MS)
    accounts = register(simulator, ["alpha", "beta"])
    strategy = begin("cross-venue", accounts, symbols=["BTC/USDT"], max_notional="20000")
    yield Heir(simulator, accounts, strategy)
    close_all()
    simulator.stop()


def check_nothing_was_opened(heir):
    """Check that the one execution has its first two orders only, and no other one was begun."""
    tick = run_tick(strategy_id=heir.strategy.pk, is_spacing_kept=False)
    assert tick.outcome in {TickOutcome.LEFT, TickOutcome.NOTHING}
    assert Order.objects.filter(is_reducing=False).count() == 2
    return check(heir.simulator, heir.accounts)


@pytest.mark.parametrize(("point", "level"), POINTS + LEVELS)
def test_under_a_halt_nothing_leaves_and_what_is_left_over_is_flagged(heir, point, level):
    kill_at(point, "tick", heir.strategy.pk)
    heir.change(E.HALT, level)

    taken_over = heir.work(*LATER_MS)
    was_repaired = point is C.REPAIR_SENT
    assert taken_over.state == (S.COMPLETED if was_repaired else S.HELD)
    assert heir.sent_since == []

    heard = heir.hear_late()
    assert heir.sent_since == []
    # the late fill is what was missing, or comes on top of what was repaired
    assert heard.state == (S.HELD if was_repaired else S.COMPLETED)
    assert check_nothing_was_opened(heir).state == heard.state


@pytest.mark.parametrize(("point", "level"), POINTS)
def test_while_reducing_it_is_repaired_and_so_is_what_the_late_fill_overdoes(heir, point, level):
    kill_at(point, "tick", heir.strategy.pk)
    heir.change(E.REDUCE, level)

    assert heir.work(*LATER_MS).state == S.COMPLETED
    assert heir.hear_late().state == S.COMPLETED

    assert heir.sent_since
    assert all(order.is_reducing for order in heir.sent_since)
    assert check_nothing_was_opened(heir).state == S.COMPLETED


@pytest.mark.parametrize("lifted", [E.RESUME, E.REDUCE])
def test_a_halt_that_is_lifted_in_the_middle_lets_the_repair_go_on(heir, lifted):
    kill_at(C.LEGS_SENT, "tick", heir.strategy.pk)
    heir.change(E.HALT)
    assert heir.work(0, AFTER_LEASE_MS).state == S.INCOMPLETE
    assert heir.sent_since == []

    heir.change(lifted)

    assert heir.work(0).state == S.COMPLETED
    assert [order.is_reducing for order in heir.sent_since] == [True]
    assert heir.hear_late().state == S.COMPLETED
    assert check(heir.simulator, heir.accounts).state == S.COMPLETED


def test_what_was_held_under_a_halt_waits_for_a_person_also_when_it_is_lifted(heir):
    kill_at(C.LEGS_SENT, "tick", heir.strategy.pk)
    heir.change(E.HALT)
    assert heir.work(*LATER_MS).state == S.HELD

    heir.change(E.RESUME)

    assert heir.work(*LATER_MS).state == S.HELD
    assert heir.sent_since == []
    assert check_nothing_was_opened(heir).state == S.HELD
