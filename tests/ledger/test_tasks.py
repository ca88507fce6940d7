"""Tasks are thin: ids in, one service each; what they meet twice they do once."""

import logging
from datetime import timedelta

import pytest
from celery import current_app
from django.conf import settings
from django.utils import timezone

from accounts.models import VenueAccount
from ledger import tasks
from ledger.domain.orders import OrderState
from ledger.models import AccountReconciliation, Entry, EquitySnapshot, Order
from ledger.services.readiness import READINESS, Trader

NAMES = {
    "ledger.resolve_unknown_orders",
    "ledger.cancel_halted_orders",
    "ledger.repeat_cancellations",
    "ledger.heed_conditions",
    "ledger.heed_venue",
    "ledger.renew_dead_man_switches",
    "ledger.heed_account",
    "ledger.book_transfer",
    "ledger.book_transfers",
    "ledger.open_account",
    "ledger.reconcile_account",
    "ledger.reconcile_accounts",
    "ledger.take_equity_snapshot",
}


def test_every_task_has_its_public_name():
    assert {name for name in current_app.tasks if name.startswith("ledger.")} == NAMES


def test_beat_schedules_only_what_exists():
    scheduled = {row["task"] for row in settings.CELERY_BEAT_SCHEDULE.values()}

    assert {name for name in scheduled if name.startswith("ledger.")} <= NAMES


def test_the_sweep_looks_up_what_is_due(order, venue):
    venue._accept(order.to_request())
    Order.objects.update(
        state=OrderState.SUBMITTING, submitted_at=timezone.now() - timedelta(seconds=16)
    )
    Order.objects.update(next_lookup_at=timezone.now())

    tasks.resolve_unknown_orders()

    assert Order.objects.get().state == OrderState.FILLED
    assert venue.submissions == []


def test_an_account_is_opened_once(account, venue):
    tasks.open_account(account.pk)
    tasks.open_account(account.pk)

    assert Entry.objects.get().key == f"opening:{account.pk}"


def test_an_account_that_cannot_be_opened_is_only_logged(account, caplog):
    VenueAccount.objects.update(is_enabled=False)

    tasks.open_account(account.pk)

    assert not Entry.objects.exists()
    assert "not opened" in caplog.text


@pytest.mark.django_db
def test_a_snapshot_of_empty_books_is_not_taken():
    tasks.take_equity_snapshot()

    assert not EquitySnapshot.objects.exists()


def test_an_account_that_somebody_is_comparing_is_no_cause_for_a_warning(account, venue, caplog):
    tasks.open_account(account.pk)
    AccountReconciliation.objects.update_or_create(
        account=account,
        defaults={"token": "other", "lease_until": timezone.now() + timedelta(seconds=30)},
    )

    with caplog.at_level(logging.INFO, logger="ledger.tasks"):
        tasks.reconcile_account(account.pk)

    (record,) = [each for each in caplog.records if each.name == "ledger.tasks"]
    assert record.levelname == "INFO"
    assert "being compared" in record.getMessage()


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_starts_trusts_no_earlier_comparison(account):
    tasks.open_account(account.pk)
    trader = Trader(run_id=1, started_at=timezone.now(), account_ids=[account.pk])
    assert READINESS.find_ready([trader]) == {1}

    try:
        tasks._begin()
        assert READINESS.find_ready([trader]) == frozenset()
    finally:
        READINESS.reset()
