"""One tick at a time, and only for so long."""

from datetime import timedelta
from threading import Barrier, Event, Thread

import pytest
from django.db import connection

from arbplatform.core.clock import SYSTEM_CLOCK
from ledger.models import Order
from ledger.selectors import imbalances
from ledger.services.reconciliation import compare_with_venue
from strategies.domain.states import StrategyState
from strategies.models import Run, Strategy
from strategies.services.claims import claim_tick, extend_claim, lease, step_max
from strategies.services.ticks import TickOutcome, run_tick
from tests.processes import wait_until
from tests.strategies.samples import Hooked

pytestmark = pytest.mark.django_db


@pytest.fixture
def running(make_cross):
    strategy = make_cross()
    Strategy.objects.update(state=StrategyState.RUNNING)
    return strategy


def win(strategy, clock):
    claim = claim_tick(strategy, clock=clock, is_spacing_kept=False)
    assert claim is not None
    return claim


def test_a_claim_is_won_once_until_it_is_given_back(running, clock):
    won = win(running, clock)

    assert claim_tick(running, clock=clock, is_spacing_kept=False) is None
    running.refresh_from_db()
    assert (running.tick_token, running.tick_expires_at) == (won.token, clock.now() + lease())


def test_an_expired_claim_is_anybodys(running, clock):
    first = win(running, clock)
    clock.advance_ms(lease() // timedelta(milliseconds=1))

    second = win(running, clock)

    assert second.token != first.token


@pytest.mark.parametrize("state", [s for s in StrategyState if s is not StrategyState.RUNNING])
def test_there_is_nothing_to_claim_of_a_strategy_that_does_not_run(running, clock, state):
    Strategy.objects.update(state=state)

    assert claim_tick(running, clock=clock) is None
    running.refresh_from_db()
    assert (running.tick_token, running.last_tick_at) == ("", None)


@pytest.mark.parametrize(
    ("waited_ms", "is_won"), [(0, False), (499, False), (500, True), (5000, True), (-1, True)]
)
def test_a_message_that_comes_too_soon_after_the_last_tick_is_dropped(
    running, clock, waited_ms, is_won
):
    Strategy.objects.update(last_tick_at=clock.now())
    clock.advance_ms(waited_ms)

    assert (claim_tick(running, clock=clock) is not None) is is_won


def test_the_time_between_ticks_can_be_left_out_of_account(running, clock):
    Strategy.objects.update(last_tick_at=clock.now())

    assert claim_tick(running, clock=clock, is_spacing_kept=False) is not None


def test_a_fresh_claim_needs_no_extension(running, clock):
    claim = win(running, clock)
    Strategy.objects.update(tick_token="taken away")

    assert extend_claim(claim, clock=clock)  # nothing was read or written


def test_a_claim_that_runs_short_is_given_its_full_time_again(running, clock):
    claim = win(running, clock)
    clock.advance_ms((lease() - step_max()) // timedelta(milliseconds=1) + 1)

    assert extend_claim(claim, clock=clock)

    running.refresh_from_db()
    assert running.tick_expires_at == claim.expires_at == clock.now() + lease()


@pytest.mark.parametrize("loss", ["expired", "taken"])
def test_a_claim_that_is_gone_cannot_be_extended(running, clock, loss):
    claim = win(running, clock)
    if loss == "expired":
        clock.advance_ms(lease() // timedelta(milliseconds=1))
    else:
        clock.advance_ms(lease() // timedelta(milliseconds=1) - 1)
        Strategy.objects.update(tick_token="another tick")
    expires_at = claim.expires_at

    assert not extend_claim(claim, clock=clock)
    assert claim.expires_at == expires_at


@pytest.mark.django_db(transaction=True)
def test_of_many_ticks_at_once_one_runs_and_the_others_are_dropped(cross, edge, accounts):
    barrier, all_tried = Barrier(6), Event()
    outcomes: list[TickOutcome] = []

    def begin():
        barrier.wait()
        try:
            report = run_tick(strategy_id=cross.pk, is_spacing_kept=False)
            outcomes.append(report.outcome)
        finally:
            connection.close()

    # the one that runs is held until all others have tried
    edge["alpha"].before_book = lambda symbol: all_tried.wait(timeout=60)
    threads = [Thread(target=begin) for _ in range(6)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(outcomes) == 5, lambda: f"all others have tried: {outcomes}")
    all_tried.set()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == [TickOutcome.DROPPED] * 5 + [TickOutcome.EXECUTED]
    assert Order.objects.count() == 2
    assert Run.objects.get().tick_count == 1
    assert imbalances() == {}
    assert [compare_with_venue(account_id=account.pk) for account in accounts] == [[], []]


@pytest.mark.django_db(transaction=True)
def test_a_tick_that_runs_keeps_another_worker_out_whenever_it_comes(hooked, edge):
    seen = []

    def come_in_between():
        thread = Thread(target=another_worker)
        thread.start()
        thread.join()

    def another_worker():
        try:
            report = run_tick(strategy_id=hooked.pk, is_spacing_kept=False)
            seen.append(report.outcome)
        finally:
            connection.close()

    Hooked.hook = come_in_between

    report = run_tick(strategy_id=hooked.pk, clock=SYSTEM_CLOCK)

    assert report.outcome is TickOutcome.EXECUTED
    assert seen == [TickOutcome.DROPPED]
