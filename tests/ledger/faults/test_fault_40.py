"""A key that its venue refuses is not tried again, until a test of the connection succeeds."""

import pytest
from celery import current_app

from accounts import tasks as account_tasks
from accounts.errors import AccountKeyRefused
from accounts.models import VenueAccount
from accounts.services.accounts import test_connection as try_connection
from accounts.services.accounts import update_account
from ledger.domain.halts import TradingState
from ledger.domain.orders import OrderState
from ledger.errors import TradingGuarded
from ledger.models import LogEntry, LogLevel, Order, TradingHalt
from ledger.services.conditions import heed_account, heed_conditions
from markets.errors import VenueAuthFailed

WORDS = "Invalid API-key, IP, or permissions for action."
REFUSED = {"kind": "refuse", "path": "", "code": -2015, "text": WORDS, "status": 401}


@pytest.fixture
def sent(monkeypatch):
    """What was sent to the workers."""
    names = []
    monkeypatch.setattr(current_app, "send_task", lambda name, kwargs: names.append((name, kwargs)))
    return names


def revoke(wire):
    """Let the venue refuse the key, whatever it is asked for."""
    for method in ("GET", "POST", "DELETE"):
        wire.simulator.control.add_fault("alpha", **REFUSED, method=method, times=None)


def test_an_order_that_meets_it_is_a_definite_no_and_has_the_key_tested(
    wire, sent, django_capture_on_commit_callbacks
):
    revoke(wire)

    with django_capture_on_commit_callbacks(execute=True):
        order = wire.send()

    assert (order.state, order.error_code) == (OrderState.REJECTED, VenueAuthFailed.code)
    assert WORDS in str(order.to_error())
    assert sent == [("accounts.test_connection", {"account_id": wire.account.pk})]


def test_after_one_test_nothing_is_tried_any_more(wire):
    order = wire.rest()
    lost = wire.rest(leg_index=1)
    Order.objects.filter(pk=lost.pk).update(state=OrderState.UNKNOWN)
    revoke(wire)
    account_tasks.test_connection(wire.account.pk)
    before = len(wire.requests)

    refused = VenueAccount.objects.get()
    with pytest.raises(AccountKeyRefused, match="left alone") as refusal:
        wire.cancel(order)
    found = wire.look_up(lost)
    account_tasks.sync_all_balances()

    assert refused.is_key_refused
    assert (refusal.value.code, WORDS in str(refusal.value)) == (3070, True)
    assert (found.state, found.error_code) == (OrderState.UNKNOWN, AccountKeyRefused.code)
    assert len(wire.requests) == before
    assert VenueAccount.objects.get().is_key_refused


def test_strategies_are_told_before_anything_is_written(wire):
    revoke(wire)
    account_tasks.test_connection(wire.account.pk)

    heed_conditions()

    halt = TradingHalt.objects.get()
    assert (halt.level, halt.state) == ("account_key", TradingState.HALTED)
    with pytest.raises(TradingGuarded, match="by its key"):
        wire.send()
    alarm = LogEntry.objects.get(event="trading_halted")
    assert alarm.level == LogLevel.ERROR
    assert WORDS in str(alarm.to_message())
    assert Order.objects.count() == 0


def test_a_test_that_succeeds_lets_everything_go_on(wire):
    revoke(wire)
    account_tasks.test_connection(wire.account.pk)
    heed_account(account_id=wire.account.pk)
    wire.simulator.control.clear_faults("alpha")

    try_connection(account_id=wire.account.pk)
    heed_conditions()

    assert not VenueAccount.objects.get().is_key_refused
    assert wire.send().state == OrderState.FILLED
    wire.assert_exact()


def test_a_new_key_is_a_new_beginning(wire):
    revoke(wire)
    account_tasks.test_connection(wire.account.pk)

    update_account(account_id=wire.account.pk, api_secret="another-secret-of-ours")

    assert not VenueAccount.objects.get().is_key_refused


def test_it_is_shown(wire, console, user_api):
    revoke(wire)
    account_tasks.test_connection(wire.account.pk)

    page = console.get(f"/admin/accounts/venueaccount/{wire.account.pk}/change/").content.decode()
    row = user_api.get(f"/api/accounts/{wire.account.pk}").json()["data"]

    assert "key refused" in page
    assert WORDS in page
    assert row["is_key_refused"] is True


def test_an_account_that_is_gone_is_forgotten(db):
    assert heed_account(account_id=987_654) is TradingState.ACTIVE
