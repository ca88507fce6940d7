"""What could be earned anywhere now, over HTTP."""

import pytest

pytestmark = pytest.mark.django_db


def scan(client, **query):
    response = client.get("/api/scanner", query)
    assert response.status_code == 200, response.json()
    return response.json()["data"]


def test_a_scan_counts_what_it_looked_at_and_lists_what_earns(user_api, edge):
    data = scan(user_api)

    assert (data["venues"], data["markets"], data["pairs"], data["cycles"]) == (2, 6, 6, 4)
    assert (data["nominated"], data["venue_errors"]) == (2, [])
    (row,) = [row for row in data["results"] if row["kind"] == "cross-venue"]
    assert row["summary"] == "BTC/USDT alpha → beta"
    assert row["top_edge_bps"] == "79.8101"
    assert row["is_suspicious"] is False
    assert row["profit"] == row["expected_profit"]
    assert [(leg["venue"], leg["side"], leg["quantity"]) for leg in row["legs"]] == [
        ("alpha", "buy", "1"),
        ("beta", "sell", "0.99899"),
    ]


def test_a_round_trip_without_a_size_says_why(user_api, edge):
    edge["alpha"].set_book("BTC/USDT", bids=[("1", "1")], asks=[("40000", "0.000001")])

    (row,) = scan(user_api, kind="cross-venue")["results"]

    assert (row["edge_bps"], row["profit"]) == (None, None)
    assert row["refusal"].startswith("Only 0.000001 BTC can be traded at a profit on alpha")
    assert row["legs"][0] == {
        "venue": "alpha",
        "symbol": "BTC/USDT",
        "side": "buy",
        "quantity": None,
        "limit_price": None,
    }


def test_a_scan_is_narrowed_sorted_and_cut(user_api, edge):
    (way,) = scan(user_api, kind="triangular", ordering="-profit")["results"]

    assert way["summary"].startswith("beta: USDT → ")
    assert len(scan(user_api)["results"]) == 2
    assert len(scan(user_api, limit=1)["results"]) == 1


def test_a_venue_that_does_not_answer_is_named(user_api, triangle):
    triangle["beta"].is_reachable = False

    (error,) = scan(user_api)["venue_errors"]

    assert (error["venue"], error["code"]) == ("beta", 2004)


@pytest.mark.parametrize(
    "query", [{"kind": "magic"}, {"ordering": "luck"}, {"sort": "profit"}, {"limit": 0}]
)
def test_a_senseless_question_is_refused(user_api, calm, query):
    response = user_api.get("/api/scanner", query)

    assert (response.status_code, response.json()["code"]) == (400, 1001)
    assert list(response.json()["data"]["fields"]) == list(query)


def test_a_stranger_is_refused(anonymous_api):
    assert anonymous_api.get("/api/scanner").status_code == 401
