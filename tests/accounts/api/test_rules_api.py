"""The address book, networks and ways over HTTP."""

import pytest
from django.contrib.auth.models import Permission
from rest_framework.test import APIClient

from accounts.models import AddressEntry, VenueNetwork

BODY = {"asset": "BTC", "network": "BTC", "label": "cold"}


@pytest.fixture
def apis(people):
    """API clients of the two members of the staff, who may do everything."""
    for person in people:
        person.user_permissions.set(Permission.objects.all())
    clients = [APIClient(), APIClient()]
    for client, person in zip(clients, people, strict=True):
        client.force_authenticate(person)
    return clients


@pytest.fixture
def propose(apis, beta):
    def send(**changes):
        body = BODY | {"account": beta[0].pk} | changes
        return apis[0].post("/api/addresses", body, format="json")

    return send


def test_an_address_is_proposed_by_one_and_approved_by_another(propose, apis, beta, data, refusal):
    made = data(propose(), 201)
    assert made == {
        "id": made["id"],
        "account": beta[0].pk,
        "account_name": "beta/main",
        "asset": "BTC",
        "network": "BTC",
        "address": "beta-BTC-address",
        "tag": "",
        "label": "cold",
        "state": "proposed",
        "reason": "",
        "proposed_by": "ann",
        "approved_by": None,
        "approved_at": None,
        "usable_at": None,
        "created_at": made["created_at"],
        "changes": made["changes"],
    }
    path = f"/api/addresses/{made['id']}"
    assert refusal(apis[0].post(f"{path}/approve")) == (409, 3019, [])

    approved = data(apis[1].post(f"{path}/approve"))

    assert (approved["state"], approved["approved_by"]) == ("approved", "bob")
    assert approved["usable_at"] > approved["approved_at"]
    revoked = data(apis[0].post(f"{path}/revoke", {"reason": "moved"}, format="json"))
    assert (revoked["state"], revoked["reason"]) == ("revoked", "moved")
    shown = data(apis[0].get(path))
    assert [(row["event"], row["changed_by"]) for row in shown["changes"]] == [
        ("propose", "ann"),
        ("approve", "bob"),
        ("revoke", "ann"),
    ]
    listed = data(apis[0].get("/api/addresses", {"state": "revoked"}))
    assert [row["id"] for row in listed["results"]] == [made["id"]]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"account": 10**6}, (404, 3001, [])),
        ({"asset": "DOGE"}, (404, 1002, [])),
        ({"label": ""}, (400, 1001, ["label"])),
        ({"address": "elsewhere"}, (400, 1001, ["address"])),
    ],
)
def test_senseless_proposals_are_refused(propose, refusal, change, expected):
    assert refusal(propose(**change)) == expected
    assert not AddressEntry.objects.exists()


def test_who_may_only_read_changes_nothing(propose, user_api, data):
    entry = data(propose(), 201)["id"]

    for path in ("", f"/{entry}/approve", f"/{entry}/revoke"):
        assert user_api.post(f"/api/addresses{path}", {}, format="json").status_code == 403
    assert user_api.post("/api/networks", {}, format="json").status_code == 403
    assert data(user_api.get(f"/api/addresses/{entry}"))["state"] == "proposed"


def test_an_unknown_address_is_named(apis, refusal):
    assert refusal(apis[0].get("/api/addresses/7")) == (404, 3020, [])
    assert refusal(apis[0].post("/api/addresses/7/approve")) == (404, 3020, [])


def test_names_of_networks_are_confirmed_and_taken_back(apis, alpha, data, refusal):
    body = {"venue": "alpha", "network": "Tron", "venue_name": "TRC20"}

    made = data(apis[0].post("/api/networks", body, format="json"), 201)

    assert (made["venue"], made["network"], made["venue_name"], made["confirmed_by"]) == (
        "alpha",
        "TRX",
        "TRC20",
        "ann",
    )
    assert refusal(apis[0].post("/api/networks", body, format="json")) == (409, 3021, [])
    assert data(apis[0].get("/api/networks", {"venue": "alpha"}))["count"] == 1
    assert apis[0].delete(f"/api/networks/{made['id']}").status_code == 200
    assert refusal(apis[0].delete(f"/api/networks/{made['id']}")) == (404, 1002, [])
    assert not VenueNetwork.objects.exists()


def test_the_ways_between_two_accounts_say_what_they_cost(apis, alpha, beta, data, refusal):
    alpha[1].networks["BTC"] = [alpha[1].network("BTC"), alpha[1].network("BSC", fee=None)]
    beta[1].networks["BTC"] = [beta[1].network("BTC"), beta[1].network("BSC", can_deposit=False)]
    path = f"/api/accounts/{alpha[0].pk}/ways"

    ways = data(apis[0].get(path, {"to_account": beta[0].pk, "asset": "BTC"}))

    assert ways == [
        {
            "network": "BSC",
            "source_name": "BSC",
            "target_name": "BSC",
            "is_open": False,
            "fee": None,
            "withdraw_min": "0.001",
            "withdraw_step": "0.00000001",
        },
        {
            "network": "BTC",
            "source_name": "BTC",
            "target_name": "BTC",
            "is_open": True,
            "fee": "0.0001",
            "withdraw_min": "0.001",
            "withdraw_step": "0.00000001",
        },
    ]
    assert refusal(apis[0].get(path)) == (400, 1001, ["asset", "to_account"])


def test_where_no_network_leads_the_answer_says_what_each_venue_lists(apis, alpha, beta):
    alpha[1].networks["BTC"] = [alpha[1].network("BTC")]
    beta[1].networks["BTC"] = [beta[1].network("BSC")]
    path = f"/api/accounts/{alpha[0].pk}/ways"

    response = apis[0].get(path, {"to_account": beta[0].pk, "asset": "BTC"})

    assert (response.status_code, response.json()["code"]) == (400, 3005)
    assert "alpha lists: BTC; beta lists: BSC. Confirm what each" in response.json()["msg"]


def test_ways_of_an_asset_that_nobody_knows_are_not_looked_for(apis, alpha, beta, refusal):
    query = {"to_account": beta[0].pk, "asset": "NOPE"}

    response = apis[0].get(f"/api/accounts/{alpha[0].pk}/ways", query)

    assert refusal(response) == (404, 1002, [])
    assert alpha[1].count("fetch_networks") == 0


def test_the_address_of_limits_does_not_offer_a_form(apis):
    assert apis[0].options("/api/transfer-limits").status_code == 405


def test_limits_are_set_and_shown(apis, alpha, data, refusal):
    everyone = {"transfer_max": "6000", "approval_above": "100"}
    data(apis[0].put("/api/transfer-limits", everyone, format="json"))
    own = data(
        apis[0].put(
            "/api/transfer-limits", {"account": alpha[0].pk, "transfer_max": "7"}, format="json"
        )
    )
    bad = apis[0].put("/api/transfer-limits", {"transfer_max": "-1"}, format="json")

    assert own == {
        "account": alpha[0].pk,
        "transfer_max": "7",
        "account_day_max": None,
        "total_day_max": None,
        "approval_above": None,
        "updated_at": own["updated_at"],
    }
    assert refusal(bad) == (400, 1001, ["transfer_max"])
    rows = data(apis[0].get("/api/transfer-limits"))["results"]
    assert {row["account"]: row["transfer_max"] for row in rows} == {
        None: "6000",
        alpha[0].pk: "7",
    }


def test_a_transfer_is_approved_by_another_person_or_cancelled(apis, alpha, beta, data, refusal):
    data(apis[0].put("/api/transfer-limits", {"approval_above": "100"}, format="json"))
    body = {
        "to_account": beta[0].pk,
        "from_wallet": "spot",
        "to_wallet": "spot",
        "asset": "BTC",
        "amount": "0.5",
        "test_amount": "0.001",
        "idempotency_key": "k",
    }
    made = data(apis[0].post(f"/api/accounts/{alpha[0].pk}/transfer", body, format="json"), 201)
    assert (made["state"], made["amount"], made["value"]) == ("unapproved", "0.499", "4990")
    path = f"/api/transfers/{made['id']}"
    assert refusal(apis[0].post(f"{path}/approve")) == (409, 3019, [])

    approved = data(apis[1].post(f"{path}/approve"))
    assert (approved["state"], approved["approved_by"]) == ("testing", "bob")
    stopped = data(apis[0].post(f"{path}/cancel", {"reason": "mistake"}, format="json"))
    assert (stopped["state"], stopped["note"]) == ("failed", "ann: mistake")
    assert refusal(apis[0].post(f"{path}/cancel", {"reason": "again"}, format="json"))[0] == 409
    assert alpha[1].count("withdraw") == 0


def test_a_person_who_is_called_as_the_platform_is_does_not_pass_for_it(apis, people, alpha, data):
    people[0].username = "system"
    people[0].save()
    body = {"venue": "alpha", "network": "Tron", "venue_name": "TRC20"}

    made = data(apis[0].post("/api/networks", body, format="json"), 201)

    assert made["confirmed_by"] == f"system (#{people[0].pk})"
