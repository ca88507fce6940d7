"""Nothing trades on an account before it was found equal to its venue."""

from datetime import timedelta

import pytest
from django.db import OperationalError

from arbplatform.core.clock import FixedClock
from ledger.models import AccountReconciliation
from ledger.selectors.reconciliation import map_last_clean
from ledger.services import readiness as services
from ledger.services import reconciler
from ledger.services.openings import ensure_opened
from ledger.services.readiness import ASK_EVERY_MS, Readiness, Trader, prepare
from ledger.services.reconciler import reconcile_account
from markets.domain.funds import Wallet


@pytest.fixture
def opened(account, clock):
    ensure_opened(account_id=account.pk, clock=clock)
    return account


@pytest.fixture
def own_clock():
    return FixedClock(at_ms=0)


@pytest.fixture
def readiness(own_clock):
    return Readiness(own_clock)


def is_ready(readiness, account, clock):
    trader = Trader(run_id=1, started_at=clock.now(), account_ids=[account.pk])
    return readiness.find_ready([trader]) == {1}


def test_books_that_were_just_opened_are_equal(readiness, opened, clock):
    assert is_ready(readiness, opened, clock)


def test_what_was_equal_before_this_worker_began_does_not_count(readiness, opened, clock):
    readiness.begin()
    assert not is_ready(readiness, opened, clock)

    reconcile_account(account_id=opened.pk, clock=clock)

    assert is_ready(readiness, opened, clock)


def test_an_account_that_differs_is_not_traded(readiness, opened, venue, clock):
    readiness.begin()
    venue.balances[Wallet.SPOT]["USDT"] -= 1

    reconcile_account(account_id=opened.pk, clock=clock)

    assert not is_ready(readiness, opened, clock)


def test_an_old_comparison_is_too_old_for_a_new_start(readiness, opened, clock):
    clock.advance_ms(600_001)

    assert not is_ready(readiness, opened, clock)


def test_an_account_whose_books_were_never_opened_is_not_ready(readiness, account, clock):
    assert not is_ready(readiness, account, clock)


@pytest.mark.django_db
def test_a_run_that_is_ready_costs_no_more_queries(
    readiness, opened, clock, django_assert_num_queries
):
    with django_assert_num_queries(1):
        assert is_ready(readiness, opened, clock)
    AccountReconciliation.objects.update(last_clean_at=clock.now() - timedelta(days=1))

    with django_assert_num_queries(0):
        assert is_ready(readiness, opened, clock)


@pytest.mark.django_db(transaction=True)
def test_who_waits_has_its_accounts_compared_now_and_then(
    readiness, account, clock, own_clock, sent_tasks
):
    for _tick in range(3):
        assert not is_ready(readiness, account, clock)
    wanted = ("ledger.reconcile_account", {"account_id": account.pk})
    assert sent_tasks == [wanted]

    own_clock.advance_ms(ASK_EVERY_MS)
    is_ready(readiness, account, clock)

    assert sent_tasks == [wanted, wanted]


@pytest.mark.django_db(transaction=True)
def test_a_start_has_only_old_accounts_compared(opened, beta, clock, sent_tasks):
    prepare(account_ids=[opened.pk, beta[0].pk], now=clock.now())

    assert sent_tasks == [("ledger.reconcile_account", {"account_id": beta[0].pk})]


def test_a_take_over_in_the_middle_of_a_look_is_not_forgotten(
    readiness, opened, clock, monkeypatch
):
    look = map_last_clean

    def take_over(asked):
        clean = look(asked)
        readiness.distrust([1])
        return clean

    monkeypatch.setattr(services, "map_last_clean", take_over)
    assert not is_ready(readiness, opened, clock)
    monkeypatch.undo()

    assert not is_ready(readiness, opened, clock)
    reconcile_account(account_id=opened.pk, clock=clock)
    assert is_ready(readiness, opened, clock)


def test_a_clock_that_runs_ahead_makes_no_comparison_later_than_a_take_over(
    readiness, opened, clock
):
    ahead = FixedClock(clock.at_ms + 3_600_000)
    reconcile_account(account_id=opened.pk, clock=ahead)
    assert is_ready(readiness, opened, clock)

    readiness.distrust([1])

    assert not is_ready(readiness, opened, clock)


def test_a_clock_that_is_behind_makes_no_comparison_earlier_than_a_take_over(
    readiness, opened, clock
):
    readiness.distrust([1])

    reconcile_account(account_id=opened.pk, clock=FixedClock(clock.at_ms - 300_000))

    assert is_ready(readiness, opened, clock)


def test_a_comparison_that_had_begun_before_a_take_over_does_not_count(
    readiness, opened, clock, monkeypatch
):
    finish = reconciler._finish

    def take_over(round_, claim):
        readiness.distrust([1])
        return finish(round_, claim)

    monkeypatch.setattr(reconciler, "_finish", take_over)
    assert reconcile_account(account_id=opened.pk, clock=clock).outcome == "clean"
    monkeypatch.undo()

    assert not is_ready(readiness, opened, clock)


def test_without_a_database_the_start_is_as_late_as_the_first_look(
    readiness, opened, clock, monkeypatch
):
    def away():
        raise OperationalError("no database")

    monkeypatch.setattr(services, "map_rounds", away)
    readiness.begin()
    with pytest.raises(OperationalError):
        is_ready(readiness, opened, clock)
    monkeypatch.undo()

    assert not is_ready(readiness, opened, clock)
    reconcile_account(account_id=opened.pk, clock=clock)
    assert is_ready(readiness, opened, clock)


def test_many_runs_are_asked_about_at_once(
    readiness, opened, beta, clock, django_assert_num_queries
):
    other, _venue = beta
    traders = [
        Trader(run_id=1, started_at=clock.now(), account_ids=[opened.pk]),
        Trader(run_id=2, started_at=clock.now(), account_ids=[opened.pk, other.pk]),
        Trader(run_id=3, started_at=clock.now(), account_ids=[opened.pk]),
    ]

    with django_assert_num_queries(1):
        assert readiness.find_ready(traders) == {1, 3}


def test_of_more_take_overs_than_are_remembered_none_is_forgotten(
    readiness, opened, clock, monkeypatch
):
    monkeypatch.setattr(services, "RUNS_MAX", 2)
    for run_id in (1, 2, 3):
        readiness.distrust([run_id])

    assert not is_ready(readiness, opened, clock)

    reconcile_account(account_id=opened.pk, clock=clock)
    assert is_ready(readiness, opened, clock)
