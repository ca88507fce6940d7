"""What a venue cannot do is known before anything trades there: certified, or data only."""

from pathlib import Path

import pytest

from markets.domain.capabilities import ClientIdLookup
from markets.errors import VenueNotCertified
from markets.gateway.base import VenueSpec
from markets.gateway.capabilities import capabilities_of, list_certified
from markets.gateway.client import build_client
from markets.gateway.quirks import Lookup, quirks_for
from markets.models import Venue
from markets.services.certification import check_tradable

ROOT = Path(__file__).parents[3]
DATA_ONLY = {"code": "v", "name": "V", "ccxt_id": "bitstamp"}


def test_six_venues_are_certified():
    assert list_certified() == ["binance", "bitget", "bybit", "gate", "kraken", "okx"]


@pytest.mark.parametrize("ccxt_id", list_certified())
def test_the_table_says_what_the_gateway_does_and_the_class_offers(ccxt_id):
    stated, quirks = capabilities_of(ccxt_id), quirks_for(ccxt_id)
    client = build_client(VenueSpec("v", ccxt_id), None, timeout_ms=1)
    offered = client.features["spot"]["createOrder"]["timeInForce"]

    assert (stated.client_id_lookup is ClientIdLookup.DIRECT) == (quirks.lookup is Lookup.BY_PARAM)
    assert stated.fee_mode == quirks.fee_mode
    assert (stated.has_ioc, stated.has_fok, stated.has_post_only) == (
        offered["IOC"],
        offered["FOK"],
        offered["PO"],
    )
    assert stated.has_dead_man_switch == bool(client.has.get("cancelAllOrdersAfter"))


@pytest.mark.parametrize("ccxt_id", list_certified())
def test_the_table_is_printed_in_the_documentation(ccxt_id):
    row = capabilities_of(ccxt_id)
    assert row.fee_mode is not None
    text = (ROOT / "docs" / "venues.md").read_text(encoding="utf-8")
    cells = [
        ccxt_id,
        row.client_id_lookup.value,
        *("yes" if has else "no" for has in (row.has_ioc, row.has_fok, row.has_post_only)),
        "yes" if row.has_dead_man_switch else "no",
        row.fee_mode.value,
        f"{row.order_limit.count} in {row.order_limit.window_ms} ms",
    ]
    assert f"| {' | '.join(cells)} |" in text


@pytest.mark.parametrize(
    ("changes", "is_tradable"),
    [
        ({"ccxt_id": "okx"}, True),
        ({}, False),
        ({"rest_origin": "http://127.0.0.1:9/x"}, True),
        ({"rest_origin": "https://sandbox.example"}, False),
        ({"options": {"certified_by_operator": True}}, True),
        ({"options": {"certified_by_operator": False}}, False),
        ({"options": {"certified_by_operator": "yes"}}, False),
    ],
)
def test_who_may_trade_where(changes, is_tradable):
    venue = Venue(**{**DATA_ONLY, **changes})

    assert venue.is_tradable is is_tradable
    if is_tradable:
        check_tradable(venue)
    else:
        with pytest.raises(VenueNotCertified, match="bitstamp is not certified") as refusal:
            check_tradable(venue)
        assert refusal.value.code == 2016


def test_the_operators_word_is_no_business_of_ccxt():
    spec = VenueSpec("v", "bitstamp", options={"certified_by_operator": True})

    assert not hasattr(build_client(spec, None, timeout_ms=1), "certified_by_operator")


@pytest.mark.django_db
def test_the_operators_word_is_yes_or_no(staff_api):
    body = {**DATA_ONLY, "options": {"certified_by_operator": "yes"}}

    answer = staff_api.post("/api/venues", body, format="json")

    assert answer.status_code == 400
    assert "options" in answer.json()["data"]["fields"]
    assert Venue.objects.count() == 0


@pytest.mark.django_db
def test_what_a_venue_may_be_used_for_is_shown(user_api, console):
    known = Venue.objects.create(code="k", name="K", ccxt_id="kraken")
    Venue.objects.create(**DATA_ONLY)

    kraken = user_api.get("/api/venues/k").json()["data"]
    other = user_api.get("/api/venues/v").json()["data"]
    rows = user_api.get("/api/venues?ordering=code").json()["data"]["results"]
    page = console.get(f"/admin/markets/venue/{known.pk}/change/").content.decode()
    listed = console.get("/admin/markets/venue/").content.decode()

    assert kraken["capabilities"] == {
        "certification": "certified",
        "client_id_lookup": "by_search",
        "has_ioc": True,
        "has_fok": True,
        "has_post_only": True,
        "has_dead_man_switch": True,
        "has_dead_man_timer": True,
        "fee_mode": "quote",
        "order_limit": {"count": 60, "window_ms": 60_000},
    }
    assert (other["capabilities"]["certification"], other["is_tradable"]) == ("data_only", False)
    assert [row["is_tradable"] for row in rows] == [True, False]
    assert "dead-man switch: yes" in page
    assert "data only" in listed
