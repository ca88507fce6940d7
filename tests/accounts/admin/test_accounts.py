"""The pages of accounts and balances."""

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django.utils import translation

from accounts.admin.forms import AccountForm
from accounts.errors import AccountKeyRefused
from accounts.models import Balance, VenueAccount
from accounts.services.accounts import open_gateway, update_account
from accounts.services.accounts import test_connection as check_connection
from accounts.services.balances import sync_balances
from accounts.services.transfers import submit_transfer
from arbplatform.console.refusals import complain
from arbplatform.core.errors import InvalidInput, Message
from arbplatform.wording import render
from markets.domain.funds import PermissionFinding
from markets.errors import VenueAuthFailed, VenueError, VenueUnavailable
from strategies.models import Strategy
from tests.accounts.admin.pages import ACCOUNTS, CONFIRMED, said, text
from tests.accounts.conftest import PASSPHRASE, SECRET


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_page_opens_in_both_languages(console, ask, alpha, now, language):
    console.cookies["django_language"] = language
    sync_balances(account_id=alpha[0].pk)
    alpha[1].findings = [PermissionFinding("withdraw", True), PermissionFinding("trade", None)]
    check_connection(account_id=alpha[0].pk)
    transfer = submit_transfer(transfer_id=ask().pk, clock=now)
    paths = [
        reverse(f"admin:accounts_{model}_{page}", args=args)
        for model, page, args in (
            ("venueaccount", "changelist", ()),
            ("venueaccount", "add", ()),
            ("venueaccount", "change", (alpha[0].pk,)),
            ("venueaccount", "history", (alpha[0].pk,)),
            ("balance", "changelist", ()),
            ("balance", "change", (Balance.objects.earliest("pk").pk,)),
            ("transfer", "changelist", ()),
            ("transfer", "add", ()),
            ("transfer", "change", (transfer.pk,)),
        )
    ]

    for path in paths:
        page = text(console.get(path))
        assert SECRET not in page
        assert PASSPHRASE not in page
        assert alpha[0].api_key not in page


@pytest.mark.parametrize(
    ("language", "refused", "away"),
    [
        ("en", "alpha does not accept the API key: IP. Check", "alpha cannot be reached: timeout."),
        ("zh-hans", "alpha 不接受该 API Key：IP。", "无法连接交易所 alpha：timeout。"),
    ],
)
def test_what_went_wrong_is_told_in_the_readers_language(console, alpha, language, refused, away):
    account, fake = alpha
    fake.failures["fetch_permissions"] = [VenueAuthFailed(venue="alpha", cause="IP")]
    fake.failures["fetch_balances"] = [VenueUnavailable(venue="alpha", cause="timeout")]
    for ask in (sync_balances, check_connection):
        with pytest.raises(VenueError):
            ask(account_id=account.pk)

    asked = {"headers": {"Accept-Language": language}}
    page = text(console.get(f"{ACCOUNTS}{account.pk}/change/", **asked))
    shown = console.get(f"/api/accounts/{account.pk}", **asked).json()["data"]

    assert refused in page
    assert away in page
    assert refused in shown["test_error"]
    assert away in shown["sync_error"]
    # what follows from it quotes it
    with pytest.raises(AccountKeyRefused) as refusal:
        open_gateway(VenueAccount.objects.get())
    with translation.override(language):
        assert refused in render(refusal.value.message)


def test_an_error_that_was_kept_as_text_is_shown_as_it_was(console, staff_api, alpha):
    account, _fake = alpha
    old = "what {it} was: 100 %"
    VenueAccount.objects.update(test_error=old, test_error_code=2004, sync_error=old)

    shown = staff_api.get(f"/api/accounts/{account.pk}").json()["data"]

    assert (shown["test_error"], shown["sync_error"]) == (old, old)
    assert text(console.get(f"{ACCOUNTS}{account.pk}/change/")).count(old) == 2


def test_a_secret_in_an_error_is_kept_nowhere(alpha):
    account, fake = alpha
    said = '{"api_secret": "5up3r5ecret"}'
    fake.failures["fetch_permissions"] = [VenueUnavailable(venue="alpha", cause=said)]
    with pytest.raises(VenueUnavailable):
        check_connection(account_id=account.pk)

    kept = VenueAccount.objects.get(pk=account.pk)

    assert "5up3r5ecret" not in kept.test_error
    assert "***" in str(kept.to_test_error())


@pytest.fixture
def account_form(alpha):
    """What a browser sends when nothing is typed in."""
    return {
        "label": "main",
        "is_enabled": "on",
        "new_api_key": "",
        "new_api_secret": "",
        "new_passphrase": "",
        "balances-TOTAL_FORMS": "0",
        "balances-INITIAL_FORMS": "0",
    }


def test_an_account_is_registered(console, alpha):
    console.post(
        f"{ACCOUNTS}add/",
        {
            "venue": alpha[0].venue.pk,
            "label": "second",
            "is_enabled": "on",
            "new_api_key": "typed-key-0123456789",
            "new_api_secret": "typed-secret",
            "new_passphrase": "",
        },
    )

    made = VenueAccount.objects.get(label="second")
    assert made.to_credentials().api_secret == "typed-secret"
    assert (made.api_key_tail, made.passphrase) == ("••••6789", "")
    assert [str(entry) for entry in LogEntry.objects.all()] == ["Added “alpha/second”."]


def test_secrets_are_needed_of_a_new_account_and_never_sent_back(console, alpha):
    page = text(
        console.post(
            f"{ACCOUNTS}add/",
            {
                "venue": alpha[0].venue.pk,
                "label": "second",
                "new_api_key": "",
                "new_api_secret": "typed-secret",
                "new_passphrase": "typed-passphrase",
            },
        )
    )

    assert "This field is required" in page
    assert "typed-" not in page
    assert VenueAccount.objects.count() == 1


def test_a_taken_label_is_refused_at_the_form(console, alpha):
    page = text(
        console.post(
            f"{ACCOUNTS}add/",
            {
                "venue": alpha[0].venue.pk,
                "label": "main",
                "new_api_key": "k",
                "new_api_secret": "s",
            },
        )
    )

    assert "already" in page
    assert page.count("Type it in again: a secret is never sent back.") == 2
    assert VenueAccount.objects.count() == 1


def test_empty_secrets_keep_what_is_stored(console, alpha, account_form):
    before = alpha[0].to_credentials()

    console.post(f"{ACCOUNTS}{alpha[0].pk}/change/", account_form | {"label": "renamed"})

    stored = VenueAccount.objects.get()
    assert (stored.label, stored.to_credentials()) == ("renamed", before)


def test_a_new_secret_is_stored_and_the_history_names_only_the_field(console, alpha, account_form):
    console.post(
        f"{ACCOUNTS}{alpha[0].pk}/change/", account_form | {"new_api_secret": "typed-secret"}
    )

    stored = VenueAccount.objects.get()
    assert (stored.api_secret, stored.api_key) == ("typed-secret", alpha[0].api_key)
    (entry,) = LogEntry.objects.all()
    assert "API secret" in str(entry)
    assert "typed-secret" not in entry.change_message


def test_the_venue_of_an_account_cannot_be_changed(console, alpha, beta, account_form):
    form = account_form | {"venue": beta[0].venue.pk}

    console.post(f"{ACCOUNTS}{alpha[0].pk}/change/", form)

    assert VenueAccount.objects.get(pk=alpha[0].pk).venue.code == "alpha"


def test_another_accounts_label_is_refused(console, alpha, make_account, account_form):
    make_account("alpha", label="spare")

    page = text(console.post(f"{ACCOUNTS}{alpha[0].pk}/change/", account_form | {"label": "spare"}))

    assert "already" in page
    assert VenueAccount.objects.get(pk=alpha[0].pk).label == "main"


def test_what_the_service_refuses_comes_back_as_typed(console, alpha, account_form, settings):
    settings.TRANSFER_TRUST_LOCAL = False  # a real venue
    alpha[1].findings = [PermissionFinding("read", True), PermissionFinding("withdraw", True)]
    update_account(account_id=alpha[0].pk, allows_transfers=True)
    check_connection(account_id=alpha[0].pk)
    VenueAccount.objects.update(is_enabled=True)
    typed = account_form | {"label": "typed label"}

    page = text(console.post(f"{ACCOUNTS}{alpha[0].pk}/change/", typed))

    assert "may withdraw" in page
    assert 'value="typed label"' in page
    assert "Type it in again" not in page
    stored = VenueAccount.objects.get()
    assert (stored.label, stored.allows_transfers) == ("main", True)


def test_a_secret_that_the_service_refuses_is_complained_of_at_its_field(console, alpha):
    form = AccountForm({"new_api_key": "typed-key"})

    complain(form, InvalidInput(fields={"api_key": [Message("Not this one.")]}), "a form")

    assert form.errors["new_api_key"] == [
        "Type it in again: a secret is never sent back.",
        "Not this one.",
    ]


def test_an_unused_account_is_deleted(console, alpha):
    console.post(f"{ACCOUNTS}{alpha[0].pk}/delete/", {"post": "yes"})

    assert not VenueAccount.objects.exists()


def test_an_account_in_use_is_not_deleted_and_the_reason_is_said(console, alpha):
    Strategy.objects.create(name="s", type="cross-venue").accounts.add(alpha[0])

    answer = console.post(f"{ACCOUNTS}{alpha[0].pk}/delete/", {"post": "yes"})

    assert answer["Location"] == f"{ACCOUNTS}{alpha[0].pk}/change/"
    assert said(answer) == [
        (
            "error",
            (
                "The account alpha/main is in use by 1 strategies and cannot be deleted. "
                "Disable it instead. (error 3002)"
            ),
        )
    ]
    assert VenueAccount.objects.exists()


def test_an_account_in_use_is_explained_before_anybody_confirms(console, alpha):
    Strategy.objects.create(name="s", type="cross-venue").accounts.add(alpha[0])

    answer = console.get(f"{ACCOUNTS}{alpha[0].pk}/delete/")

    assert answer["Location"] == f"{ACCOUNTS}{alpha[0].pk}/change/"
    assert "cannot be deleted. Disable it instead." in said(answer)[0][1]


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_an_account_takes_its_balances_along(console, alpha, language):
    console.cookies["django_language"] = language
    sync_balances(account_id=alpha[0].pk)

    page = console.get(f"{ACCOUNTS}{alpha[0].pk}/delete/")
    console.post(f"{ACCOUNTS}{alpha[0].pk}/delete/", {"post": "yes"})

    assert page.status_code == 200
    assert not page.context["perms_lacking"]
    assert not VenueAccount.objects.exists()


def test_bulk_deletion_is_not_offered(console, alpha):
    answer = console.post(
        ACCOUNTS, {"action": "delete_selected", "_selected_action": [alpha[0].pk]}
    )

    assert answer.status_code in {200, 302}
    assert VenueAccount.objects.exists()


def test_a_test_reports_row_by_row_and_warns_of_withdrawals(console, alpha, beta, superuser):
    alpha[1].findings = [PermissionFinding("read", True), PermissionFinding("withdraw", True)]
    beta[1].failures["fetch_permissions"] = [VenueAuthFailed(venue="beta", cause="expired")]

    answer = console.post(
        ACCOUNTS, {"action": "test_selected", "_selected_action": [alpha[0].pk, beta[0].pk]}
    )

    levels = [(level, message.split(":")[0]) for level, message in said(answer)]
    assert levels == [
        ("warning", "alpha/main"),
        ("success", "alpha/main"),
        ("error", "beta/main"),
    ]
    assert "This key may withdraw" in said(answer)[0][1]
    assert said(answer)[1][1].endswith("The key may: read, withdraw.")
    assert "expired" in said(answer)[2][1]
    log = LogEntry.objects.values_list("user", "object_repr", "change_message")
    assert set(log) == {
        (superuser.pk, "alpha/main", "Tested the connection."),
        (superuser.pk, "beta/main", "Tested the connection."),
    }


def test_the_warning_stays_on_the_list_and_the_page(console, alpha):
    VenueAccount.objects.update(
        permissions=[{"name": "withdraw", "is_granted": True, "detail": ""}]
    )

    assert "may withdraw" in text(console.get(ACCOUNTS))
    assert "This key may withdraw: whoever" in text(console.get(f"{ACCOUNTS}{alpha[0].pk}/change/"))


def test_balances_are_synchronised_row_by_row(console, alpha, beta):
    beta[1].failures["fetch_balances"] = [VenueAuthFailed(venue="beta", cause="expired")]

    answer = console.post(
        ACCOUNTS, {"action": "sync_selected", "_selected_action": [alpha[0].pk, beta[0].pk]}
    )

    assert said(answer)[0] == ("success", "alpha/main: Balances read: 2.")
    assert said(answer)[1][0] == "error"
    page = text(console.get(f"{ACCOUNTS}{alpha[0].pk}/change/"))
    assert "100000" in page
    assert "100000.000" not in page


def test_accounts_are_switched_off_and_on(console, alpha, superuser):
    choice = {"_selected_action": [alpha[0].pk]}

    console.post(ACCOUNTS, choice | {"action": "disable_selected"})
    assert not VenueAccount.objects.get().is_enabled
    console.post(ACCOUNTS, choice | {"action": "enable_selected"})
    assert VenueAccount.objects.get().is_enabled
    assert LogEntry.objects.filter(user=superuser).count() == 2


@pytest.mark.parametrize(
    ("button", "called"),
    [("test_one", ["fetch_permissions"]), ("sync_one", ["fetch_balances", "fetch_balances"])],
)
def test_the_buttons_of_a_row_act_on_a_confirmed_post_only(console, alpha, button, called):
    path = f"{ACCOUNTS}{alpha[0].pk}/{button.replace('_', '-')}/"
    path = reverse(f"admin:accounts_venueaccount_{button}", args=(alpha[0].pk,))

    assert console.get(path).status_code == 200
    assert alpha[1].calls == []
    assert console.post(path, CONFIRMED).status_code == 302
    assert alpha[1].calls == called


def test_a_wrong_encryption_key_leaves_the_list_usable(console, alpha, settings):
    settings.FIELD_ENCRYPTION_KEYS = ["dGVzdHMtb25seS1hLXF1aXRlLW90aGVyLWtleS0zMi4="]

    assert "alpha/main" in text(console.get(ACCOUNTS))
    answer = console.post(ACCOUNTS, {"action": "sync_selected", "_selected_action": [alpha[0].pk]})
    assert "FIELD_ENCRYPTION_KEYS" in said(answer)[0][1]
