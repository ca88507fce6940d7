"""Registering, changing, removing and testing accounts."""

import pytest
from cryptography.fernet import Fernet
from django.db import connection
from django.utils import timezone

from accounts.errors import AccountDisabled, AccountInUse, AccountLabelTaken, AccountNotFound
from accounts.models import Balance, VenueAccount
from accounts.services import accounts
from arbplatform.core.errors import InvalidInput
from arbplatform.persistence.fields import SecretUnreadable
from arbplatform.persistence.sentences import read_sentence
from ledger.models import Order
from markets.domain.funds import PermissionFinding
from markets.errors import VenueAuthFailed, VenueDisabled, VenueUnavailable
from markets.models import Market, Venue
from strategies.models import Strategy

KEY = "abcdefghijklmnop"


@pytest.fixture
def venue(db):
    return Venue.objects.create(code="alpha", name="Alpha", ccxt_id="binance")


def create(venue, **changes):
    values = {"label": "main", "api_key": KEY, "api_secret": "s" * 20} | changes
    return accounts.create_account(venue=venue, **values)


def raw_row(account):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT api_key, api_secret, passphrase FROM accounts_venueaccount WHERE id = %s",
            [account.pk],
        )
        return cursor.fetchone()


def test_an_account_is_stored_with_its_secrets_encrypted(venue):
    account = create(venue, api_secret=" the secret\n", passphrase="the phrase")

    stored = VenueAccount.objects.get(pk=account.pk)
    assert stored.to_credentials().api_key == KEY
    assert stored.to_credentials().api_secret == "the secret"
    assert stored.to_credentials().passphrase == "the phrase"
    assert stored.api_key_tail == "••••mnop"
    text = " ".join(raw_row(account))
    assert all(secret not in text for secret in (KEY, "the secret", "the phrase"))


@pytest.mark.parametrize(
    ("key", "shown"), [("k" * 12, "••••kkkk"), ("k" * 11, "••••"), ("k", "••••")]
)
def test_a_short_key_shows_nothing(venue, key, shown):
    assert create(venue, api_key=key).api_key_tail == shown


def test_a_new_account_is_tested_after_the_commit(venue, commit):
    with commit() as sent_tasks:
        account = create(venue)

    assert sent_tasks == [("accounts.test_connection", {"account_id": account.pk})]


def test_a_disabled_account_is_not_tested(venue, commit):
    with commit() as sent_tasks:
        create(venue, is_enabled=False)

    assert sent_tasks == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"label": " "}, "label"),
        ({"label": "l" * 65}, "label"),
        ({"api_key": " "}, "api_key"),
        ({"api_secret": ""}, "api_secret"),
        ({"api_secret": "s" * 8193}, "api_secret"),
        ({"passphrase": "s" * 8193}, "passphrase"),
    ],
)
def test_unusable_values_are_refused_by_field(venue, change, field):
    with pytest.raises(InvalidInput) as refusal:
        create(venue, **change)

    assert list(refusal.value.fields) == [field]
    assert not VenueAccount.objects.exists()


def test_two_accounts_of_one_venue_cannot_bear_one_label(venue):
    create(venue)

    with pytest.raises(AccountLabelTaken) as refusal:
        create(venue)

    assert (refusal.value.code, "alpha" in str(refusal.value)) == (3007, True)
    assert VenueAccount.objects.count() == 1


def test_an_empty_secret_keeps_the_stored_one(venue):
    account = create(venue, passphrase="the phrase")
    before = raw_row(account)

    accounts.update_account(account_id=account.pk, label="other", api_key="", api_secret=None)

    changed = VenueAccount.objects.get(pk=account.pk)
    assert changed.label == "other"
    assert raw_row(account) == before


def test_a_new_secret_voids_what_the_old_one_showed(venue, commit):
    account = create(venue)
    VenueAccount.objects.filter(pk=account.pk).update(
        permissions=[{"name": "read", "is_granted": True, "detail": ""}],
        tested_at=timezone.now(),
        sync_error_code=VenueAuthFailed.code,
        sync_error="wrong key",
    )

    with commit() as sent_tasks:
        accounts.update_account(account_id=account.pk, api_key="a-new-key-of-it", passphrase="p")

    changed = VenueAccount.objects.get(pk=account.pk)
    assert (changed.api_key, changed.api_secret, changed.passphrase) == (
        "a-new-key-of-it",
        "s" * 20,
        "p",
    )
    assert (changed.api_key_tail, changed.permissions, changed.tested_at) == ("••••f-it", [], None)
    assert (changed.sync_error_code, changed.sync_error) == (None, "")
    assert sent_tasks == [("accounts.test_connection", {"account_id": account.pk})]


def test_switching_off_needs_no_secret(venue, settings):
    account = create(venue)
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]

    accounts.update_account(account_id=account.pk, is_enabled=False)

    assert list(VenueAccount.objects.values_list("is_enabled", flat=True)) == [False]


def test_a_taken_label_is_refused_on_change(venue):
    create(venue)
    other = create(venue, label="other")

    with pytest.raises(AccountLabelTaken):
        accounts.update_account(account_id=other.pk, label="main")

    assert VenueAccount.objects.get(pk=other.pk).label == "other"


def test_unknown_accounts_are_named(db):
    with pytest.raises(AccountNotFound) as refusal:
        accounts.update_account(account_id=7, label="x")

    assert "7" in str(refusal.value)


def test_an_unused_account_is_deleted_with_its_balances(alpha, assets):
    account, _venue = alpha
    Balance.objects.create(
        account=account,
        wallet="spot",
        asset=assets["BTC"],
        free=1,
        held=0,
        synced_at=timezone.now(),
    )

    accounts.delete_account(account_id=account.pk)

    assert (VenueAccount.objects.count(), Balance.objects.count()) == (0, 0)


def test_an_account_of_a_strategy_is_not_deleted(alpha):
    account, _venue = alpha
    strategy = Strategy.objects.create(name="s", type="cross-venue")
    strategy.accounts.add(account)

    with pytest.raises(AccountInUse) as refusal:
        accounts.delete_account(account_id=account.pk)

    assert "1 strategies" in str(refusal.value)
    assert list(strategy.accounts.all()) == [account]


def test_an_account_with_history_is_not_deleted(alpha, assets):
    account, _venue = alpha
    market = Market.objects.create(
        venue=account.venue,
        symbol="BTC/USDT",
        base=assets["BTC"],
        quote=assets["USDT"],
        tick=1,
        lot=1,
        quantity_min=0,
        notional_min=0,
        maker_fee=0,
        taker_fee=0,
        synced_at=timezone.now(),
    )
    for number in range(2):
        Order.objects.create(
            client_order_id=f"id{number}", account=account, market=market, side="buy", quantity=1
        )

    with pytest.raises(AccountInUse) as refusal:
        accounts.delete_account(account_id=account.pk)

    assert str(refusal.value) == (
        "The account alpha/main is in use by 2 orders and cannot be deleted. Disable it instead."
    )
    assert VenueAccount.objects.filter(pk=account.pk).exists()


def test_a_test_names_each_right_and_warns_of_withdrawals(alpha, now, commit):
    account, fake = alpha
    fake.findings = [PermissionFinding("read", True), PermissionFinding("withdraw", True, "yes")]
    with commit() as sent_tasks:
        report = accounts.test_connection(account_id=account.pk, clock=now)

    assert report.findings == tuple(fake.findings)
    assert [str(text)[:21] for text in report.warnings] == ["This key may withdraw"]
    stored = VenueAccount.objects.get(pk=account.pk)
    assert stored.permissions == [
        {"name": "read", "is_granted": True, "detail": ""},
        {"name": "withdraw", "is_granted": True, "detail": "yes"},
    ]
    assert (stored.tested_at, stored.test_error_code, stored.test_error) == (now.now(), None, "")
    assert sent_tasks == [
        ("accounts.sync_balances", {"account_id": account.pk}),
        ("ledger.open_account", {"account_id": account.pk}),
    ]


@pytest.mark.parametrize("error", [VenueAuthFailed, VenueUnavailable])
def test_a_failed_test_tells_and_keeps_the_exact_cause(alpha, now, commit, error):
    account, fake = alpha
    fake.failures["fetch_permissions"] = [error(venue="alpha", cause="code -2015")]

    with commit() as sent_tasks, pytest.raises(error, match="code -2015"):
        accounts.test_connection(account_id=account.pk, clock=now)

    stored = VenueAccount.objects.get(pk=account.pk)
    assert (stored.test_error_code, stored.tested_at) == (error.code, now.now())
    assert "code -2015" in str(stored.to_test_error())
    told = [("ledger.heed_account", {"account_id": account.pk})]
    assert stored.permissions == []
    assert sent_tasks == (told if error is VenueAuthFailed else [])


def test_a_good_test_clears_the_causes_of_earlier_failures(alpha):
    account, _fake = alpha
    VenueAccount.objects.update(
        test_error_code=2003, test_error="x", sync_error_code=2003, sync_error="x"
    )

    accounts.test_connection(account_id=account.pk)

    stored = VenueAccount.objects.get(pk=account.pk)
    assert (stored.test_error_code, stored.test_error) == (None, "")
    assert (stored.sync_error_code, stored.sync_error) == (None, "")


def test_the_outcome_is_dropped_if_the_key_was_changed_meanwhile(alpha, now):
    account, fake = alpha
    fake.on_call = lambda name: accounts.update_account(
        account_id=account.pk, api_key="another-key-than-the-tested"
    )

    accounts.test_connection(account_id=account.pk, clock=now)

    stored = VenueAccount.objects.get(pk=account.pk)
    assert (stored.tested_at, stored.permissions) == (None, [])


def test_the_venue_is_asked_outside_of_any_transaction(make_account, outside_transactions):
    account, fake = make_account("alpha")
    fake.on_call = outside_transactions

    accounts.test_connection(account_id=account.pk)

    assert fake.calls == ["fetch_permissions"]


def test_disabled_accounts_and_venues_are_not_contacted(alpha):
    account, fake = alpha
    Venue.objects.update(is_enabled=False)
    with pytest.raises(VenueDisabled):
        accounts.test_connection(account_id=account.pk)
    VenueAccount.objects.update(is_enabled=False)
    with pytest.raises(AccountDisabled):
        accounts.test_connection(account_id=account.pk)

    assert fake.calls == []
    assert VenueAccount.objects.get(pk=account.pk).tested_at is None


def test_a_wrong_encryption_key_fails_closed_and_is_kept_as_the_cause(alpha, settings, now):
    account, fake = alpha
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]

    with pytest.raises(SecretUnreadable) as refusal:
        accounts.test_connection(account_id=account.pk, clock=now)

    assert (refusal.value.code, fake.calls) == (1011, [])
    rows = VenueAccount.objects.filter(pk=account.pk).values_list("test_error_code", "test_error")
    code, kept = rows[0]
    assert (code, read_sentence(kept)) == (1011, SecretUnreadable().message)


def test_a_gateway_is_opened_with_the_accounts_own_key(alpha, beta):
    assert accounts.open_gateway(alpha[0]) is alpha[1]
    assert accounts.open_gateway(beta[0]) is beta[1]


def test_a_gateway_is_refused_to_a_disabled_account_but_for_following_up(alpha):
    account, fake = alpha
    account.is_enabled = False

    with pytest.raises(AccountDisabled):
        accounts.open_gateway(account)
    assert accounts.open_gateway(account, even_if_disabled=True) is fake
