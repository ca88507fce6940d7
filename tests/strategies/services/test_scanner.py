"""One look over every market of every enabled venue."""

from decimal import Decimal as D

import pytest

from markets.domain.quote import Ticker
from markets.models import Venue
from strategies.domain.intents import Intent
from strategies.domain.scan import Kind
from strategies.domain.view import MarketKey
from strategies.services import scanner
from strategies.services.scanner import forget_scan, scan_markets
from strategies.services.sightings import CONFIRMED_MAX, price_assets
from tests.strategies.builders import make_rules

pytestmark = pytest.mark.django_db


PAIR = "BTC/USDT alpha → beta"


def subjects(sightings):
    return [item.nomination.subject for item in sightings]


def find(scan, subject):
    (found,) = [item for item in scan.sightings if item.nomination.subject == subject]
    return found


def pairs(scan, *, by_profit=False, limit=CONFIRMED_MAX):
    return scan.select(kind=Kind.CROSS_VENUE, by_profit=by_profit, limit=limit)


def test_nothing_is_found_in_calm_markets(calm):
    scan = scan_markets()

    assert (scan.venue_count, scan.markets) == (2, 6)
    assert (scan.pairs, scan.cycles) == (6, 4)
    assert scan.sightings == ()
    assert scan.errors == {}


def test_a_pair_of_venues_is_found_with_size_and_profit(edge):
    best = find(scan_markets(), PAIR)

    assert isinstance(best.intent, Intent)
    assert best.intent.legs[0].quantity == 1
    assert best.profit == best.intent.expected_profit  # the reporting asset is USDT
    assert best.edge_bps == best.intent.edge_bps
    assert best.age_ms is not None
    assert best.age_ms >= 0


def test_a_way_around_begins_at_the_reporting_asset(triangle):
    found = scan_markets().select(kind=Kind.TRIANGULAR, by_profit=False, limit=CONFIRMED_MAX)

    assert subjects(found) == ["alpha: USDT → BTC → ETH → USDT"]
    assert [item.intent.profit_asset for item in found if item.intent] == ["USDT"]


def test_a_stale_or_thin_market_prices_no_asset_although_it_comes_first():
    now_ms = 1_767_225_600_000
    stale = Ticker("alpha", "ETH/USDT", D(9000), D(9001), None, now_ms - 100_000)
    thin = Ticker("beta", "ETH/USDT", D(1), D(9000), None, now_ms)
    good = Ticker("gamma", "ETH/USDT", D(2500), D(2502), None, now_ms)
    rules = {
        MarketKey(t.venue, t.symbol): make_rules(venue=t.venue, symbol=t.symbol)
        for t in (stale, thin, good)
    }

    assert price_assets([stale, thin, good], rules, now_ms=now_ms) == {"USDT": 1, "ETH": 2501}
    assert price_assets([stale, thin], rules, now_ms=now_ms) == {"USDT": 1}


def test_what_cannot_be_traded_comes_last_and_says_why(edge):
    # BTC: a higher edge at the top, for less than a lot
    edge["alpha"].set_book("BTC/USDT", bids=[("1", "1")], asks=[("40000", "0.000001")])
    edge["beta"].set_book("ETH/USDT", bids=[("2530", "1")], asks=[("2531", "1")])

    found = pairs(scan_markets())

    assert subjects(found) == ["ETH/USDT alpha → beta", PAIR]
    assert found[1].nomination.edge.net_bps > found[0].nomination.edge.net_bps
    assert found[1].intent is None
    assert "0.000001" in str(found[1].refusal)
    assert found[1].edge_bps == found[1].nomination.edge.net_bps


def test_sightings_are_ordered_by_edge_or_by_profit(edge):
    # ETH: twice the edge of BTC, for a tenth of an ETH
    edge["beta"].set_book("ETH/USDT", bids=[("2570", "0.1")], asks=[("2571", "1")])
    scan = scan_markets()

    assert subjects(pairs(scan)) == ["ETH/USDT alpha → beta", PAIR]
    assert subjects(pairs(scan, by_profit=True)) == [PAIR, "ETH/USDT alpha → beta"]
    assert subjects(pairs(scan, by_profit=True, limit=1)) == [PAIR]


def test_a_venue_that_does_not_answer_is_named_and_the_others_are_scanned(triangle):
    triangle["beta"].is_reachable = False

    scan = scan_markets()

    assert list(scan.errors) == ["beta"]
    assert subjects(scan.sightings) == ["alpha: USDT → BTC → ETH → USDT"]


def test_a_book_that_cannot_be_had_is_said(edge):
    def fail(symbol):
        edge["beta"].books.pop(symbol, None)

    edge["beta"].before_book = fail

    sighting = find(scan_markets(), PAIR)

    assert sighting.intent is None
    assert str(sighting.refusal) == "A book is missing or broken."


def test_a_disabled_venue_is_not_asked(edge):
    Venue.objects.filter(code="beta").update(is_enabled=False)

    scan = scan_markets()

    assert (scan.venue_count, scan.sightings) == (1, ())


def test_a_scan_of_the_last_moments_is_shown_again(edge, monkeypatch):
    monkeypatch.setattr(scanner, "KEPT_S", 60.0)
    first = scan_markets()
    edge["alpha"].set_book("BTC/USDT", bids=[("49990", "1")], asks=[("60000", "1")])

    assert scan_markets() is first
    forget_scan()
    assert PAIR not in subjects(scan_markets().sightings)


def test_a_profit_that_cannot_be_valued_is_left_out(edge, settings):
    settings.REPORTING_ASSET = "EUR"

    sighting = find(scan_markets(), PAIR)

    assert sighting.intent is not None
    assert sighting.profit is None
