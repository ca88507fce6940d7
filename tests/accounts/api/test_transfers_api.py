"""Transfers over HTTP."""

import pytest

from accounts.models import Transfer
from accounts.services.transfers import submit_transfer
from markets.domain.funds import Wallet
from markets.errors import VenueUnavailable

BODY = {
    "from_wallet": "spot",
    "to_wallet": "spot",
    "asset": "BTC",
    "amount": "0.5",
    "idempotency_key": "key-1",
}


@pytest.fixture
def post(staff_api, alpha, beta):
    """Ask for a transfer from alpha to beta, but for what is said."""

    def send(key=None, **changes):
        body = BODY | {"to_account": beta[0].pk} | changes
        body = {name: value for name, value in body.items() if value != "leave out"}
        headers = {} if key is None else {"Idempotency-Key": key}
        path = f"/api/accounts/{alpha[0].pk}/transfer"
        return staff_api.post(path, body, format="json", headers=headers)

    return send


def test_a_transfer_to_another_account_is_requested(post, alpha, beta, staff, data):
    made = data(post(), 201)

    transfer = Transfer.objects.get()
    assert made == {
        "id": transfer.pk,
        "from_account": alpha[0].pk,
        "from_account_name": "alpha/main",
        "from_wallet": "spot",
        "to_account": beta[0].pk,
        "to_account_name": "beta/main",
        "to_wallet": "spot",
        "asset": "BTC",
        "amount": "0.5",
        "fee": None,
        "arrived_amount": None,
        "network": "BTC",
        "fee_stated": "0.0001",
        "fee_max": "0.0001",
        "address_entry": transfer.address_entry_id,
        "address": "beta-BTC-address",
        "tag": "",
        "state": "requested",
        "error_code": None,
        "error": "",
        "note": "",
        "idempotency_key": "key-1",
        "client_transfer_id": transfer.client_transfer_id,
        "venue_transfer_id": "",
        "venue_deposit_id": "",
        "tx_id": "",
        "requested_by": staff.username,
        "approved_by": None,
        "value": "5000",
        "test_transfer": None,
        "settlement": None,
        "alarmed_at": None,
        "next_lookup_at": made["next_lookup_at"],
        "created_at": made["created_at"],
        "submitted_at": None,
        "arrived_at": None,
    }
    assert alpha[1].count("withdraw") == 0


@pytest.mark.parametrize("change", [{"to_account": "leave out"}, {"to_account": None}])
def test_a_transfer_between_wallets_is_requested(post, alpha, data, change):
    made = data(post(to_wallet="funding", **change), 201)

    assert (made["from_account"], made["to_account"]) == (alpha[0].pk, alpha[0].pk)
    assert (made["from_wallet"], made["to_wallet"], made["address"]) == ("spot", "funding", "")


def test_the_key_may_come_in_the_header(post, data):
    first = data(post(key="from-header", idempotency_key="leave out"), 201)
    again = data(post(key="from-header", idempotency_key="from-header"), 201)

    assert (first["idempotency_key"], again["id"]) == ("from-header", first["id"])
    assert Transfer.objects.count() == 1


def test_a_repeated_request_gets_the_same_answer(post, alpha, now, data):
    first = data(post(), 201)
    submit_transfer(transfer_id=first["id"], clock=now)
    alpha[1].wallets[Wallet.SPOT]["BTC"] = 0

    again = data(post(amount="0.50"), 201)

    assert (again["id"], again["state"]) == (first["id"], "submitted")
    assert (Transfer.objects.count(), alpha[1].count("withdraw")) == (1, 1)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"amount": "0"}, (400, 1001, ["amount"])),
        ({"amount": "-1"}, (400, 1001, ["amount"])),
        ({"amount": "much"}, (400, 1001, ["amount"])),
        ({"amount": None}, (400, 1001, ["amount"])),
        ({"amount": "0.0000000000000000001"}, (400, 1001, ["amount"])),
        ({"amount": "1" + "0" * 22}, (400, 1001, ["amount"])),
        ({"amount": "leave out"}, (400, 1001, ["amount"])),
        ({"amount": "3"}, (409, 3004, [])),
        ({"asset": "DOGE"}, (404, 1002, [])),
        ({"asset": ""}, (400, 1001, ["asset"])),
        ({"from_wallet": "pocket"}, (400, 1001, ["from_wallet"])),
        ({"to_wallet": ["spot"]}, (400, 1001, ["to_wallet"])),
        ({"to_wallet": "funding"}, (400, 3005, [])),
        ({"to_account": None}, (400, 3005, [])),
        ({"to_account": 10**6}, (404, 3001, [])),
        ({"to_account": 0}, (400, 1001, ["to_account"])),
        ({"to_account": 10**30}, (400, 1001, ["to_account"])),
        ({"to_account": "beta"}, (400, 1001, ["to_account"])),
        ({"network": "n" * 33}, (400, 1001, ["network"])),
        ({"idempotency_key": "leave out"}, (400, 1001, ["idempotency_key"])),
        ({"idempotency_key": "k" * 65}, (400, 1001, ["idempotency_key"])),
        ({"key": "other"}, (400, 1001, ["idempotency_key"])),
        ({"key": "k" * 65, "idempotency_key": "leave out"}, (400, 1001, ["idempotency_key"])),
    ],
)
def test_bad_requests_change_nothing(post, alpha, refusal, change, expected):
    assert refusal(post(**change)) == expected
    assert not Transfer.objects.exists()
    assert alpha[1].count("withdraw") == 0


def test_a_used_key_with_another_request_is_a_conflict(post, refusal):
    post()

    assert refusal(post(amount="0.6")) == (409, 3006, [])
    assert Transfer.objects.count() == 1


def test_a_venue_that_does_not_answer_is_told(post, alpha, refusal):
    alpha[1].failures["fetch_balances"] = [VenueUnavailable(venue="alpha", cause="down")]

    assert refusal(post()) == (503, 2004, [])
    assert not Transfer.objects.exists()


def test_a_transfer_is_shown_with_its_end(user_api, ask_inside, now, data):
    transfer = submit_transfer(transfer_id=ask_inside().pk, clock=now)

    shown = data(user_api.get(f"/api/transfers/{transfer.pk}"))

    assert (shown["state"], shown["fee"], shown["arrived_amount"]) == ("arrived", "0", "0.5")


def test_an_unknown_transfer_is_named(user_api, db, refusal):
    assert refusal(user_api.get("/api/transfers/7")) == (404, 3008, [])


def test_transfers_are_listed_newest_first_and_filtered(
    user_api, ask, ask_inside, data, django_assert_num_queries
):
    out = ask()
    inside = ask_inside(idempotency_key="key-2", asset="USDT")
    submit_transfer(transfer_id=inside.pk)

    def ids(**query):
        return [row["id"] for row in data(user_api.get("/api/transfers", query))["results"]]

    with django_assert_num_queries(2):
        assert ids() == [inside.pk, out.pk]
    assert ids(ordering="id") == [out.pk, inside.pk]
    assert ids(state="arrived") == [inside.pk]
    assert ids(asset="BTC") == [out.pk]
    assert ids(account=out.to_account_id) == [out.pk]
    assert ids(account=out.from_account_id) == [inside.pk, out.pk]
    assert ids(since="2100-01-01T00:00:00Z") == []
    assert ids(until="2100-01-01T00:00:00Z", page_size=1) == [inside.pk]


@pytest.mark.parametrize(
    ("query", "field"),
    [("state=lost", "state"), ("since=yesterday", "since"), ("account=alpha", "account")],
)
def test_unusable_filters_are_refused(user_api, db, refusal, query, field):
    assert refusal(user_api.get(f"/api/transfers?{query}")) == (400, 1001, [field])
