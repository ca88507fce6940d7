"""Accounts over HTTP."""

from decimal import Decimal as D

import pytest

from accounts.models import Balance, ReservationPurpose, VenueAccount
from accounts.services.balances import sync_balances
from accounts.services.reservations import Want, reserve
from markets.domain.funds import PermissionFinding, Wallet
from markets.errors import VenueAuthFailed, VenueUnavailable
from markets.models import Venue
from strategies.models import Strategy

BODY = {
    "venue": "alpha",
    "label": "main",
    "api_key": "planted-key-0123456789",
    "api_secret": "planted-secret-0123456789",
}
SHOWN = {
    "id",
    "venue",
    "label",
    "api_key_tail",
    "is_enabled",
    "allows_transfers",
    "permissions",
    "is_key_refused",
    "warnings",
    "tested_at",
    "test_error_code",
    "test_error",
    "synced_at",
    "sync_error_code",
    "sync_error",
    "created_at",
    "updated_at",
}
ROUTES = [
    ("get", "/api/accounts"),
    ("post", "/api/accounts"),
    ("get", "/api/accounts/1"),
    ("put", "/api/accounts/1"),
    ("patch", "/api/accounts/1"),
    ("delete", "/api/accounts/1"),
    ("post", "/api/accounts/1/transfer"),
    ("post", "/api/accounts/1/test"),
    ("get", "/api/accounts/1/balances"),
    ("get", "/api/transfers"),
    ("get", "/api/transfers/1"),
]


@pytest.fixture
def venue(db):
    return Venue.objects.create(code="alpha", name="Alpha", ccxt_id="binance")


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_stranger_is_asked_to_log_in(anonymous_api, db, method, path, refusal):
    assert refusal(getattr(anonymous_api, method)(path, {}, format="json")) == (401, 1009, [])


@pytest.mark.parametrize(("method", "path"), [r for r in ROUTES if r[0] != "get"])
def test_a_reader_changes_nothing(user_api, alpha, method, path, refusal):
    answer = getattr(user_api, method)(path, BODY | {"label": "other"}, format="json")

    assert refusal(answer) == (403, 1005, [])
    assert list(VenueAccount.objects.values_list("label", flat=True)) == ["main"]
    assert alpha[1].calls == []


@pytest.mark.parametrize(
    ("method", "path"), [r for r in ROUTES if r[1].startswith("/api/accounts/1")]
)
def test_an_unknown_account_is_named(staff_api, db, method, path, refusal):
    transfer = {
        "from_wallet": "spot",
        "to_wallet": "funding",
        "asset": "BTC",
        "amount": "1",
        "idempotency_key": "k",
    }
    body = {} if method == "get" else transfer if path.endswith("/transfer") else BODY
    assert refusal(getattr(staff_api, method)(path, body, format="json")) == (404, 3001, [])


@pytest.mark.parametrize("slash", ["", "/"])
def test_an_account_is_registered(staff_api, venue, data, slash):
    made = data(staff_api.post(f"/api/accounts{slash}", BODY, format="json"), 201)

    account = VenueAccount.objects.get()
    assert set(made) == SHOWN
    assert (made["id"], made["venue"], made["label"]) == (account.pk, "alpha", "main")
    assert (made["api_key_tail"], made["is_enabled"], made["warnings"]) == ("••••6789", True, [])
    assert account.to_credentials().api_secret == BODY["api_secret"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"venue": "nowhere"}, (404, 2010, [])),
        ({"venue": "no slug!"}, (400, 1001, ["venue"])),
        ({"label": ""}, (400, 1001, ["label"])),
        ({"label": "l" * 65}, (400, 1001, ["label"])),
        ({"label": None}, (400, 1001, ["label"])),
        ({"api_key": ""}, (400, 1001, ["api_key"])),
        ({"api_key": "k\u0000"}, (400, 1012, [])),
        ({"api_secret": {"a": 1}}, (400, 1001, ["api_secret"])),
        ({"api_secret": "s" * 9000}, (400, 1001, ["api_secret"])),
        ({"is_enabled": "perhaps"}, (400, 1001, ["is_enabled"])),
    ],
)
def test_unusable_values_are_refused_by_field(staff_api, venue, refusal, change, expected):
    answer = staff_api.post("/api/accounts", BODY | change, format="json")

    assert refusal(answer) == expected
    assert not VenueAccount.objects.exists()


def test_missing_values_are_named(staff_api, venue, refusal):
    expected = (400, 1001, ["api_key", "api_secret", "label", "venue"])
    assert refusal(staff_api.post("/api/accounts", {}, format="json")) == expected


def test_a_body_that_is_no_json_is_refused(staff_api, venue, refusal):
    answer = staff_api.post("/api/accounts", "{", content_type="application/json")

    assert refusal(answer)[:2] == (400, 1012)


def test_a_taken_label_is_a_conflict(staff_api, venue, refusal):
    staff_api.post("/api/accounts", BODY, format="json")

    assert refusal(staff_api.post("/api/accounts", BODY, format="json")) == (409, 3007, [])


def test_accounts_are_listed_filtered_and_ordered(
    user_api, make_account, data, django_assert_num_queries
):
    for code in ("alpha", "beta"):
        make_account(code)
    make_account("alpha", label="spare", is_enabled=False)

    def labels(query):
        page = data(user_api.get(f"/api/accounts?{query}"))
        return [f"{row['venue']}/{row['label']}" for row in page["results"]]

    with django_assert_num_queries(2):
        assert labels("") == ["alpha/main", "alpha/spare", "beta/main"]
    assert labels("venue=beta") == ["beta/main"]
    assert labels("venue=nowhere") == []
    assert labels("is_enabled=false") == ["alpha/spare"]
    assert labels("ordering=-id") == ["alpha/spare", "beta/main", "alpha/main"]
    page = data(user_api.get("/api/accounts?page=2&page_size=2"))
    assert (page["count"], page["page"], len(page["results"])) == (3, 2, 1)


def test_an_account_is_shown_with_its_rights_and_warnings(user_api, alpha, data):
    VenueAccount.objects.update(
        permissions=[{"name": "withdraw", "is_granted": True, "detail": "yes"}]
    )

    shown = data(user_api.get(f"/api/accounts/{alpha[0].pk}"))

    assert shown["permissions"] == [{"name": "withdraw", "is_granted": True, "detail": "yes"}]
    assert shown["warnings"][0].startswith("This key may withdraw")


def test_an_account_is_changed_and_keeps_the_secrets_that_are_not_sent(staff_api, alpha, data):
    account, _fake = alpha
    before = account.to_credentials()

    changed = data(
        staff_api.put(
            f"/api/accounts/{account.pk}",
            {"venue": "alpha", "label": "new", "api_key": "", "is_enabled": False},
            format="json",
        )
    )

    assert (changed["label"], changed["is_enabled"]) == ("new", False)
    assert VenueAccount.objects.get().to_credentials() == before


def test_a_part_of_an_account_is_changed(staff_api, alpha, data):
    account, _fake = alpha
    path = f"/api/accounts/{account.pk}"

    data(staff_api.patch(path, {"api_secret": "a-new-secret"}, format="json"))

    stored = VenueAccount.objects.get()
    assert (stored.label, stored.is_enabled) == ("main", True)
    assert (stored.api_secret, stored.api_key) == ("a-new-secret", account.api_key)


@pytest.mark.parametrize(
    ("method", "change", "field"),
    [
        ("put", {"is_enabled": True}, "label"),
        ("patch", {"venue": "beta"}, "venue"),
        ("patch", {"label": " "}, "label"),
        ("patch", {"is_enabled": 7}, "is_enabled"),
    ],
)
def test_unusable_changes_are_refused(staff_api, alpha, *, method, change, field):
    path = f"/api/accounts/{alpha[0].pk}"

    answer = getattr(staff_api, method)(path, change, format="json")

    assert (answer.status_code, answer.json()["code"]) == (400, 1001)
    assert list(answer.json()["data"]["fields"]) == [field]
    stored = VenueAccount.objects.get()
    assert (stored.venue.code, stored.label, stored.is_enabled) == ("alpha", "main", True)


def test_an_unused_account_is_deleted(staff_api, alpha, data, refusal):
    path = f"/api/accounts/{alpha[0].pk}"

    assert data(staff_api.delete(path)) is None
    assert refusal(staff_api.get(path)) == (404, 3001, [])


def test_an_account_in_use_is_not_deleted(staff_api, alpha, refusal):
    Strategy.objects.create(name="s", type="cross-venue").accounts.add(alpha[0])

    answer = staff_api.delete(f"/api/accounts/{alpha[0].pk}")

    assert refusal(answer) == (409, 3002, [])
    assert "1 strategies" in answer.json()["msg"]
    assert VenueAccount.objects.exists()


def test_a_test_answers_with_each_right(staff_api, alpha, data):
    account, fake = alpha
    fake.findings = [PermissionFinding("read", True), PermissionFinding("withdraw", True)]

    report = data(staff_api.post(f"/api/accounts/{account.pk}/test"))

    assert report["permissions"] == [
        {"name": "read", "is_granted": True, "detail": ""},
        {"name": "withdraw", "is_granted": True, "detail": ""},
    ]
    assert [text[:21] for text in report["warnings"]] == ["This key may withdraw"]
    assert report["tested_at"] is not None


@pytest.mark.parametrize(("error", "status"), [(VenueAuthFailed, 422), (VenueUnavailable, 503)])
def test_a_failed_test_answers_with_its_exact_cause(staff_api, alpha, refusal, error, status):
    account, fake = alpha
    fake.failures["fetch_permissions"] = [error(venue="alpha", cause="IP not allowed")]

    answer = staff_api.post(f"/api/accounts/{account.pk}/test")

    assert refusal(answer) == (status, error.code, [])
    assert "IP not allowed" in answer.json()["msg"]
    assert VenueAccount.objects.get().test_error_code == error.code


def test_a_disabled_account_is_not_tested(staff_api, alpha, refusal):
    VenueAccount.objects.update(is_enabled=False)

    answer = staff_api.post(f"/api/accounts/{alpha[0].pk}/test")

    assert (refusal(answer), alpha[1].calls) == ((409, 3003, []), [])


def test_balances_are_told_exactly_by_wallet_and_asset(user_api, alpha, beta, data):
    account, fake = alpha
    fake.wallets[Wallet.SPOT]["BTC"] = D("0.000000000000000001")
    fake.wallets[Wallet.FUNDING]["BTC"] = D("1E+3")
    fake.held["BTC"] = D("2.50")
    for one in (account, beta[0]):
        sync_balances(account_id=one.pk)
    path = f"/api/accounts/{account.pk}/balances"
    usdt = Balance.objects.get(account=account, asset__code="USDT").asset_id
    reserve([Want(ReservationPurpose.ORDER, 1, account.pk, Wallet.SPOT, usdt, D("0.10"))])

    rows = data(user_api.get(path))["results"]

    assert [r["reserved"] for r in rows] == ["0", "0", "0.1"]

    assert [(r["wallet"], r["asset"], r["free"], r["held"], r["total"]) for r in rows] == [
        ("funding", "BTC", "1000", "0", "1000"),
        ("spot", "BTC", "0.000000000000000001", "2.5", "2.500000000000000001"),
        ("spot", "USDT", "100000", "0", "100000"),
    ]
    assert data(user_api.get(f"{path}?wallet=funding"))["count"] == 1
    assert data(user_api.get(f"{path}?asset=USDT&ordering=-free"))["count"] == 1


def test_an_unknown_wallet_is_refused(user_api, alpha, refusal):
    answer = user_api.get(f"/api/accounts/{alpha[0].pk}/balances?wallet=pocket")

    assert refusal(answer) == (400, 1001, ["wallet"])


def test_a_lost_encryption_key_does_not_hide_the_accounts(user_api, staff_api, alpha, settings):
    settings.FIELD_ENCRYPTION_KEYS = ["dGVzdHMtb25seS1hLXF1aXRlLW90aGVyLWtleS0zMi4="]

    assert user_api.get("/api/accounts").json()["data"]["count"] == 1
    answer = staff_api.post(f"/api/accounts/{alpha[0].pk}/test")

    assert (answer.status_code, answer.json()["code"]) == (503, 1011)
    assert VenueAccount.objects.defer("api_key", "api_secret", "passphrase").get().tested_at
