from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import VenueAccount
from arbplatform.core.masking import redact
from markets.errors import VenueUnavailable
from markets.models import Market, Venue
from tests.markets.conftest import Venues
from tests.markets.fakes.gateway import make_rules

pytestmark = pytest.mark.django_db

BODY: dict[str, Any] = {
    "code": "self-hosted",
    "name": "Self hosted",
    "ccxt_id": "kraken",
    "rest_origin": "http://127.0.0.1:1234/x",
    "ws_origin": "ws://127.0.0.1:1234/x",
    "options": {"enableRateLimit": False},
}


def test_venues_are_listed_in_pages(user_api: APIClient, alpha: Venue, beta: Venue) -> None:
    answer = user_api.get("/api/venues?page_size=1&ordering=-code").json()

    assert (answer["code"], answer["msg"]) == (0, "success")
    assert (answer["data"]["count"], answer["data"]["page_size"]) == (2, 1)
    (row,) = answer["data"]["results"]
    assert row["code"] == "beta"
    assert row["market_count"] == 1
    assert row["sync_error"] == ""


def test_venues_are_filtered(user_api: APIClient, alpha: Venue, beta: Venue) -> None:
    Venue.objects.filter(pk=beta.pk).update(is_enabled=False)

    by_state = user_api.get("/api/venues?is_enabled=false").json()["data"]["results"]
    by_class = user_api.get("/api/venues?ccxt_id=binance").json()["data"]["results"]

    assert [row["code"] for row in by_state] == ["beta"]
    assert [row["code"] for row in by_class] == ["alpha"]


@pytest.mark.parametrize("by", ["code", "id"])
def test_a_venue_is_shown_by_code_and_by_id(user_api: APIClient, alpha: Venue, by: str) -> None:
    key = alpha.code if by == "code" else alpha.pk

    for path in (f"/api/venues/{key}", f"/api/venues/{key}/"):
        data = user_api.get(path).json()["data"]
        assert (data["id"], data["code"], data["options"]) == (alpha.pk, "alpha", {})


def test_a_venue_of_any_class_is_added_by_configuration_alone(staff_api: APIClient) -> None:
    answer = staff_api.post("/api/venues", BODY, format="json")

    assert answer.status_code == 201
    venue = Venue.objects.get()
    assert answer.json()["data"]["id"] == venue.pk
    assert venue.to_spec().rest_origin == BODY["rest_origin"]
    assert venue.options == BODY["options"]


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("ccxt_id", "nosuch", 2013),
        ("ccxt_id", "binanceusdm", 1001),
        ("code", "not a slug", 1001),
        ("code", None, 1001),
        ("rest_origin", "nonsense", 1001),
        ("ws_origin", 5, 1001),
        ("options", [], 1001),
        ("options", {"secret": "x"}, 2057),
        ("is_enabled", "perhaps", 1001),
        ("name", "n" * 65, 1001),
    ],
)
def test_bad_input_is_named_and_makes_nothing(
    staff_api: APIClient, field: str, value: Any, code: int
) -> None:
    answer = staff_api.post("/api/venues", {**BODY, field: value}, format="json")

    assert answer.status_code == 400
    assert answer.json()["code"] == code
    if code in {1001, 2057}:
        assert list(answer.json()["data"]["fields"]) == [field]
    assert not Venue.objects.exists()


@pytest.mark.parametrize("missing", ["code", "ccxt_id"])
def test_what_is_missing_is_named(staff_api: APIClient, missing: str) -> None:
    body = {name: value for name, value in BODY.items() if name != missing}

    answer = staff_api.post("/api/venues", body, format="json")

    assert (answer.status_code, answer.json()["code"]) == (400, 1001)
    assert list(answer.json()["data"]["fields"]) == [missing]


def test_malformed_json_is_refused(staff_api: APIClient) -> None:
    answer = staff_api.post("/api/venues", "{", content_type="application/json")

    assert answer.status_code == 400
    assert answer.json()["code"] == 1012


def test_a_code_that_is_taken_is_refused(staff_api: APIClient, alpha: Venue) -> None:
    answer = staff_api.post("/api/venues", {**BODY, "code": "alpha"}, format="json")

    assert answer.status_code == 400
    assert list(answer.json()["data"]["fields"]) == ["code"]
    assert Venue.objects.get().ccxt_id == "binance"


def test_a_part_of_a_venue_is_changed(staff_api: APIClient, alpha: Venue) -> None:
    answer = staff_api.patch("/api/venues/alpha", {"name": "New"}, format="json")

    assert answer.status_code == 200
    assert answer.json()["data"]["name"] == "New"
    alpha.refresh_from_db()
    assert (alpha.name, alpha.ccxt_id) == ("New", "binance")


def test_a_venue_is_replaced_and_what_is_not_sent_gets_its_default(
    staff_api: APIClient, alpha: Venue
) -> None:
    Venue.objects.update(rest_origin="http://old", is_enabled=False)

    answer = staff_api.put(
        f"/api/venues/{alpha.pk}", {"code": "alpha", "ccxt_id": "okx"}, format="json"
    )

    assert answer.status_code == 200
    alpha.refresh_from_db()
    assert (alpha.ccxt_id, alpha.rest_origin, alpha.is_enabled) == ("okx", "", True)


def test_the_code_cannot_change(staff_api: APIClient, alpha: Venue) -> None:
    answer = staff_api.patch("/api/venues/alpha", {"code": "beta"}, format="json")

    assert (answer.status_code, answer.json()["code"]) == (400, 1001)
    assert list(answer.json()["data"]["fields"]) == ["code"]
    assert Venue.objects.get().code == "alpha"


def test_an_unused_venue_is_deleted(staff_api: APIClient, alpha: Venue) -> None:
    answer = staff_api.delete("/api/venues/alpha")

    assert answer.json() == {"code": 0, "msg": "success", "data": None}
    assert not Market.objects.exists()
    assert staff_api.delete("/api/venues/alpha").json()["code"] == 2010


def test_deleting_a_venue_in_use_is_refused_with_the_reason(
    staff_api: APIClient, alpha: Venue
) -> None:
    VenueAccount.objects.create(venue=alpha, label="main", api_key="k", api_secret="s")

    answer = staff_api.delete("/api/venues/alpha")

    assert (answer.status_code, answer.json()["code"]) == (409, 2014)
    assert "1 venue accounts" in answer.json()["msg"]
    assert Venue.objects.exists()


def test_markets_are_synchronised_on_demand(
    staff_api: APIClient, alpha: Venue, venues: Venues
) -> None:
    venues.answer("alpha", fetch_markets=[make_rules("alpha", "SOL/USDT")])

    answer = staff_api.post("/api/venues/alpha/sync")

    assert answer.json()["data"] == {"added": 1, "updated": 0, "deactivated": 2, "total": 1}


def test_a_venue_that_cannot_be_reached_is_named_and_nothing_changes(
    staff_api: APIClient, alpha: Venue, venues: Venues
) -> None:
    venues.answer("alpha", fetch_markets=VenueUnavailable(venue="alpha", cause="no route"))

    answer = staff_api.post("/api/venues/alpha/sync")

    assert (answer.status_code, answer.json()["code"]) == (503, 2004)
    assert "no route" in answer.json()["msg"]
    assert alpha.markets.filter(is_active=True).count() == 2


def test_synchronising_a_disabled_venue_is_refused(staff_api: APIClient, alpha: Venue) -> None:
    Venue.objects.update(is_enabled=False)

    answer = staff_api.post("/api/venues/alpha/sync")

    assert (answer.status_code, answer.json()["code"]) == (409, 2012)


CALLS: list[tuple[str, str, Any]] = [
    ("get", "/api/venues/nowhere", None),
    ("put", "/api/venues/nowhere", {"ccxt_id": "okx"}),
    ("patch", "/api/venues/nowhere", {"name": "x"}),
    ("delete", "/api/venues/nowhere", None),
    ("post", "/api/venues/nowhere/sync", None),
    ("get", "/api/venues/99999999999999999999999", None),
]


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_a_venue_that_is_not_there_is_named(
    staff_api: APIClient, method: str, path: str, body: Any
) -> None:
    answer = getattr(staff_api, method)(path, body, format="json")

    assert (answer.status_code, answer.json()["code"]) == (404, 2010)


WRITES: list[tuple[str, str, Any]] = [
    ("post", "/api/venues", BODY),
    ("put", "/api/venues/alpha", {"ccxt_id": "okx"}),
    ("patch", "/api/venues/alpha", {"name": "x"}),
    ("delete", "/api/venues/alpha", None),
    ("post", "/api/venues/alpha/sync", None),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_who_only_reads_changes_nothing(
    user_api: APIClient, alpha: Venue, method: str, path: str, body: Any
) -> None:
    before = list(Venue.objects.values())

    answer = getattr(user_api, method)(path, body, format="json")

    assert (answer.status_code, answer.json()["code"]) == (403, 1005)
    assert list(Venue.objects.values()) == before


@pytest.mark.parametrize(
    ("method", "path", "body"), [("get", "/api/venues", None), ("get", "/api/venues/alpha", None),
                                 *WRITES]
)  # fmt: skip
def test_who_is_not_logged_in_gets_nothing(
    anonymous_api: APIClient, alpha: Venue, method: str, path: str, body: Any
) -> None:
    answer = getattr(anonymous_api, method)(path, body, format="json")

    assert (answer.status_code, answer.json()["code"]) == (401, 1009)
    assert Venue.objects.count() == 1


def test_passwords_in_options_are_shown_to_nobody_and_stay_when_sent_back(
    staff_api: APIClient, alpha: Venue
) -> None:
    kept = {"httpsProxy": "http://user:planted@proxy:1", "options": {"secret": "planted"}}
    Venue.objects.filter(pk=alpha.pk).update(options=kept)

    shown = staff_api.get("/api/venues/alpha").json()["data"]["options"]
    listed = staff_api.get("/api/venues")
    changed = staff_api.patch("/api/venues/alpha", {"options": shown}, format="json")

    assert shown == {"httpsProxy": "http://user:***@proxy:1", "options": {"secret": "***"}}
    assert changed.status_code == 200
    assert "planted" not in listed.content.decode() + changed.content.decode()
    alpha.refresh_from_db()
    assert alpha.options == kept


@pytest.mark.parametrize(
    ("field", "address"),
    [("rest_origin", "https://user:planted@host/x"), ("ws_origin", "wss://planted@host")],
)
def test_a_login_in_an_address_is_refused(staff_api, alpha, field, address):
    made = staff_api.post("/api/venues", BODY | {"code": "new", field: address}, format="json")
    changed = staff_api.patch("/api/venues/alpha", {field: address}, format="json")

    text = "Leave the login out of the address: whoever sees the venue would read it."
    for answer in (made, changed):
        assert (answer.status_code, answer.json()["data"]) == (400, {"fields": {field: [text]}})
    alpha.refresh_from_db()
    assert getattr(alpha, field) == ""
    assert not Venue.objects.filter(code="new").exists()


def test_a_password_in_an_address_of_long_ago_is_shown_to_nobody_and_stays(
    staff_api, console, alpha, django_user_model
):
    old = {"rest_origin": "https://user:planted@host/x", "ws_origin": "wss://user:planted@host"}
    Venue.objects.filter(pk=alpha.pk).update(**old)
    watcher = django_user_model.objects.create_user("watcher", is_staff=True)
    watcher.user_permissions.set(Permission.objects.filter(codename="view_venue"))
    reader = Client()
    reader.force_login(watcher)

    shown = staff_api.get("/api/venues/alpha").json()["data"]
    sent = {name: shown[name] for name in old}
    answer = staff_api.patch("/api/venues/alpha", sent | {"name": "Mine"}, format="json")

    assert sent == {"rest_origin": "https://user:***@host/x", "ws_origin": "wss://user:***@host"}
    assert answer.status_code == 200
    page = f"/admin/markets/venue/{alpha.pk}/change/"
    for browser, path in ((console, page), (reader, page), (console, "/admin/markets/venue/")):
        text = browser.get(path).content.decode()
        assert "user:***@host" in text
        assert "planted" not in text
    assert "planted" not in staff_api.get("/api/venues").content.decode()
    kept = Venue.objects.get(pk=alpha.pk)
    assert {name: getattr(kept, name) for name in old} == old
    kept.to_spec()
    assert "planted" not in redact("cannot reach https://user:planted@host/x")
