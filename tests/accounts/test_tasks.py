"""Background work."""

import pytest
from celery import current_app

from accounts import tasks
from accounts.models import Balance, Transfer, VenueAccount
from markets.errors import VenueAuthFailed, VenueUnavailable


def test_the_tasks_bear_the_names_that_schedules_and_other_apps_use():
    names = {name for name in current_app.tasks if name.startswith("accounts.")}

    assert names == {
        "accounts.test_connection",
        "accounts.sync_balances",
        "accounts.sync_all_balances",
        "accounts.submit_transfer",
        "accounts.poll_transfers",
    }


def test_one_failing_venue_does_not_keep_the_others_from_being_synchronised(alpha, beta):
    alpha[1].failures["fetch_balances"] = [VenueUnavailable(venue="alpha", cause="down")]

    tasks.sync_all_balances()

    assert set(Balance.objects.values_list("account__venue__code", flat=True)) == {"beta"}
    assert VenueAccount.objects.get(pk=alpha[0].pk).sync_error_code == 2004


@pytest.mark.parametrize("task", [tasks.sync_balances, tasks.test_connection])
def test_a_removed_account_is_no_failure(db, caplog, task):
    task(7)

    assert "No account has the id 7" in caplog.text


def test_a_failing_venue_is_told_in_the_log(alpha, caplog):
    account, fake = alpha
    fake.failures["fetch_balances"] = [VenueAuthFailed(venue="alpha", cause="revoked")]
    fake.failures["fetch_permissions"] = [VenueAuthFailed(venue="alpha", cause="expired")]

    tasks.sync_balances(account.pk)
    tasks.test_connection(account.pk)

    assert "revoked" in caplog.text
    assert "expired" in caplog.text
    stored = VenueAccount.objects.get(pk=account.pk)
    assert (stored.sync_error_code, stored.test_error_code) == (2003, 2003)


def test_a_good_connection_is_kept(alpha):
    tasks.test_connection(alpha[0].pk)
    tasks.sync_balances(alpha[0].pk)

    assert len(VenueAccount.objects.get(pk=alpha[0].pk).permissions) == 3
    assert Balance.objects.count() == 2


def test_a_transfer_message_that_comes_twice_sends_once(ask, alpha):
    transfer = ask()

    tasks.submit_transfer(transfer.pk)
    tasks.submit_transfer(transfer.pk)
    tasks.poll_transfers()

    assert alpha[1].count("withdraw") == 1
    assert Transfer.objects.get().state == "submitted"
