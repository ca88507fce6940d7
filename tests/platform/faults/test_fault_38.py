"""A jump of our clock ends new trades until clocks are measured and accounts read again."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import VenueAccount
from accounts.services.balances import sync_balances
from arbplatform.background.clockwatch import ClockWatch
from arbplatform.core.clock import SYSTEM_CLOCK, FixedClock
from arbplatform.watch import REREAD_WAIT_MS, ClockGuard, guard_name
from ledger.models import Order, TradingChange
from ledger.services import guards
from markets.services.clocks import keep_clock
from strategies.models import Opportunity, Reason
from strategies.services.ticks import TickOutcome, run_tick


class Clocks(FixedClock):
    """Wall and monotonic time that part from each other."""

    jumped_ms = 0

    def now_ms(self):
        return self.at_ms + self.jumped_ms

    def jump_ms(self, distance_ms):
        self.jumped_ms += distance_ms


@pytest.fixture
def clocks():
    return Clocks(at_ms=SYSTEM_CLOCK.now_ms())


@pytest.mark.parametrize("jump_ms", [500, -500, 3_600_000, -3_600_000])
def test_a_jump_is_seen_once(clocks, jump_ms):
    watch = ClockWatch(limit_ms=500, clock=clocks)
    clocks.advance_ms(1_000)
    assert watch.look() == 0

    clocks.jump_ms(jump_ms)
    clocks.advance_ms(1_000)

    assert watch.look() == jump_ms
    assert watch.look() == 0


def test_a_clock_that_is_slewed_does_not_jump(clocks):
    watch = ClockWatch(limit_ms=500, clock=clocks)

    for _ in range(100):
        clocks.advance_ms(1_000)
        clocks.jump_ms(20)
        assert watch.look() == 0


@pytest.fixture
def guard(cross, edge, clocks, sent_tasks):
    """The guard, some time after everything was read."""
    for account in VenueAccount.objects.all():
        sync_balances(account_id=account.pk)
        measure(account.venue, timezone.now())
    watcher = ClockGuard(clocks)
    watcher.look()
    return watcher


def measure(venue, at):
    keep_clock(venue_id=venue.pk, offset_ms=0, round_trip_ms=10, measured_at=at)


def test_nothing_new_is_begun_after_a_jump(guard, clocks, cross, edge, sent_tasks):
    clocks.jump_ms(-90_000)

    guard.look()

    report = run_tick(strategy_id=cross.pk, is_spacing_kept=False)
    assert report.outcome is TickOutcome.LEFT
    assert not Order.objects.exists()
    assert edge["alpha"].requests == edge["beta"].requests == []
    assert Opportunity.objects.get().reason == Reason.TRADING_HALTED
    change = TradingChange.objects.get()
    assert (change.after, str(change.to_reason())) == (
        "reducing",
        "This machine's clock has jumped by -90000 ms.",
    )
    assert {name for name, _ids in sent_tasks} >= {
        "markets.measure_clocks",
        "accounts.sync_all_balances",
    }


def test_trades_begin_again_when_everything_was_read(guard, clocks, cross, accounts):
    clocks.jump_ms(90_000)
    guard.look()
    # the wall clock went back since: times are earlier, and yet these are new readings
    earlier = timezone.now() - timedelta(hours=1)

    for account in accounts:
        sync_balances(account_id=account.pk)
    guard.look()
    assert guards.is_holding(guard_name("clock")), "the clocks are not measured yet"
    measure(accounts[0].venue, earlier)
    guard.look()
    assert guards.is_holding(guard_name("clock")), "one of two clocks is not measured yet"
    measure(accounts[1].venue, earlier)
    guard.look()

    assert not guards.is_holding(guard_name("clock"))
    report = run_tick(strategy_id=cross.pk, is_spacing_kept=False)
    assert report.outcome is TickOutcome.EXECUTED


def test_a_venue_that_stays_silent_is_not_waited_for_for_ever(guard, clocks):
    clocks.jump_ms(90_000)
    guard.look()
    clocks.advance_ms(REREAD_WAIT_MS)
    guard.look()
    assert guards.is_holding(guard_name("clock"))

    clocks.advance_ms(1)
    guard.look()

    assert not guards.is_holding(guard_name("clock"))


def test_the_next_process_goes_on_waiting(guard, clocks, accounts):
    clocks.jump_ms(90_000)
    guard.look()
    successor = ClockGuard(clocks)

    successor.look()
    successor.look()
    assert guards.is_holding(guard_name("clock"))
    for account in accounts:
        sync_balances(account_id=account.pk)
        measure(account.venue, timezone.now())
    successor.look()

    assert not guards.is_holding(guard_name("clock"))
