"""Planted secrets must not come out anywhere: logs, answers, pages, errors, messages."""

import logging

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import call_command
from django.urls import reverse

from accounts import tasks
from accounts.models import VenueAccount
from arbplatform.core.errors import ArbError
from markets.errors import VenueAuthFailed

KEY = "PLANTEDKEY0123456789planted"
SECRETS = ("PLANTEDSECRET0123456789", "PLANTEDPHRASE0123456789")
PLANTED = (KEY, *SECRETS)


@pytest.fixture
def account(staff_api, world, alpha):
    """An account that was registered over HTTP, with planted secrets."""
    answer = staff_api.post(
        "/api/accounts",
        {
            "venue": "alpha",
            "label": "planted",
            "api_key": KEY,
            "api_secret": SECRETS[0],
            "passphrase": SECRETS[1],
        },
        format="json",
    )
    assert answer.status_code == 201
    assert_clean(answer.content.decode())
    world.by_key[KEY] = alpha[1]
    return VenueAccount.objects.get(label="planted")


def assert_clean(text):
    for secret in PLANTED:
        assert secret not in text


def test_no_answer_of_the_api_shows_a_secret(staff_api, account, alpha, beta):
    alpha[1].failures["fetch_balances"] = [VenueAuthFailed(venue="alpha", cause="revoked")]
    base = f"/api/accounts/{account.pk}"
    body = {"label": "planted", "api_key": KEY, "api_secret": SECRETS[0], "passphrase": SECRETS[1]}
    transfer = {
        "to_account": beta[0].pk,
        "from_wallet": "spot",
        "to_wallet": "spot",
        "asset": "BTC",
        "amount": "1",
        "idempotency_key": "k",
    }
    answers = [
        staff_api.get("/api/accounts"),
        staff_api.get(base),
        staff_api.put(base, body, format="json"),
        staff_api.patch(base, {"api_secret": SECRETS[0], "label": ""}, format="json"),
        staff_api.patch(base, {"api_secret": [SECRETS[0]]}, format="json"),
        staff_api.post("/api/accounts", body | {"venue": "alpha"}, format="json"),
        staff_api.post(f"{base}/transfer", transfer, format="json"),
        staff_api.post(f"{base}/transfer", transfer, format="json"),
        staff_api.post(f"{base}/test"),
        staff_api.get(f"{base}/balances"),
        staff_api.get("/api/transfers"),
        staff_api.delete(base),
    ]

    for answer in answers:
        assert_clean(answer.content.decode())
    statuses = [answer.status_code for answer in answers]
    assert statuses == [200, 200, 200, 400, 400, 409, 422, 201, 200, 200, 200, 409]


def test_no_page_and_no_history_of_the_console_shows_a_secret(console, account):
    change = reverse("admin:accounts_venueaccount_change", args=(account.pk,))
    form = {
        "label": "",
        "new_api_key": KEY,
        "new_api_secret": SECRETS[0],
        "new_passphrase": SECRETS[1],
        "balances-TOTAL_FORMS": "0",
        "balances-INITIAL_FORMS": "0",
    }
    pages = [
        console.get(reverse("admin:accounts_venueaccount_changelist")),
        console.get(change),
        console.post(change, form),
        console.post(change, form | {"label": "planted"}, follow=True),
        console.get(reverse("admin:accounts_venueaccount_history", args=(account.pk,))),
        console.get(reverse("admin:accounts_venueaccount_delete", args=(account.pk,))),
        console.get(reverse("admin:accounts_transfer_add")),
        console.get(reverse("admin:accounts_balance_changelist")),
    ]

    for page in pages:
        assert page.status_code == 200
        assert_clean(page.content.decode())
    for entry in LogEntry.objects.all():
        assert_clean(f"{entry} {entry.change_message} {entry.get_change_message()}")


def test_no_log_line_shows_a_secret(account, alpha, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    alpha[1].failures["fetch_permissions"] = [VenueAuthFailed(venue="alpha", cause="revoked")]
    alpha[1].failures["fetch_balances"] = [VenueAuthFailed(venue="alpha", cause="revoked")]

    tasks.test_connection(account.pk)
    tasks.sync_balances(account.pk)
    tasks.sync_all_balances()
    tasks.test_connection(account.pk)
    call_command("rotate_secrets")

    assert "revoked" in caplog.text
    captured = capfd.readouterr()
    assert_clean(caplog.text + captured.out + captured.err)


def test_no_representation_shows_a_secret(account):
    stored = VenueAccount.objects.get(pk=account.pk)

    for thing in (stored, stored.__dict__, stored.to_credentials(), [stored.api_secret]):
        assert_clean(repr(thing))


def test_no_message_to_a_worker_shows_a_secret(commit, staff_api, account):
    with commit() as sent:
        staff_api.patch(f"/api/accounts/{account.pk}", {"api_secret": SECRETS[1]}, format="json")

    assert sent == [("accounts.test_connection", {"account_id": account.pk})]


def test_no_error_shows_a_secret(account, settings):
    settings.FIELD_ENCRYPTION_KEYS = ["dGVzdHMtb25seS1hLXF1aXRlLW90aGVyLWtleS0zMi4="]

    with pytest.raises(ArbError) as refusal:
        VenueAccount.objects.get(pk=account.pk)

    text = f"{refusal.value} {refusal.value!r} {refusal.value.message}"
    assert_clean(text)
    assert settings.FIELD_ENCRYPTION_KEYS[0] not in text
