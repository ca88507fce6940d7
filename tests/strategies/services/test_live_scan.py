"""The scanner that is told of prices, and how its result is passed on."""

from dataclasses import replace
from decimal import Decimal as D
from threading import Event

import orjson
import pytest

from arbplatform.core.clock import SYSTEM_CLOCK, FixedClock
from arbplatform.core.errors import Message
from markets.domain.quote import Ticker
from markets.models import Market, Venue
from markets.services.data import fetch_books, fetch_tickers
from strategies.domain.scan import Kind
from strategies.domain.view import MarketKey
from strategies.services import scan_store
from strategies.services.live_scan import UNTOLD_MS_MAX, LiveScanner
from strategies.services.scan_store import (
    KEPT_MS,
    read_scan,
    scan_from_json,
    scan_to_json,
    write_scan,
)
from strategies.services.scanner import scan_markets
from strategies.services.sightings import UNCONFIRMED, Failure, Source
from tests.processes import wait_until

pytestmark = pytest.mark.django_db

PAIR = "BTC/USDT alpha → beta"
PATIENCE_S = 60.0
"""So long an answer is waited for where all venues answer, however busy the machine is [s]."""


@pytest.fixture
def clock():
    return FixedClock(SYSTEM_CLOCK.now_ms())


@pytest.fixture
def kept_for_long(monkeypatch):
    """What a scanner saw is shown for minutes: the first page of a process may take seconds."""
    monkeypatch.setattr(scan_store, "KEPT_MS", 600_000)


@pytest.fixture
def scanner(edge, clock):
    """A scanner that knows all prices of two venues between which BTC earns."""
    made = LiveScanner(clock=clock, answer_s=PATIENCE_S)
    made.reload()
    for code, tickers in fetch_tickers(list(Venue.objects.all())).tickers.items():
        made.tickers_changed(code, tickers.values(), Source.STREAM)
    return made


def find(scan, subject):
    (found,) = [item for item in scan.sightings if item.nomination.subject == subject]
    return found


def test_what_it_sees_is_what_a_scan_over_rest_finds(scanner):
    live, rest = scanner.scan(), scan_markets()

    assert (live.markets, live.pairs, live.cycles, live.nominated) == (
        *(rest.markets, rest.pairs, rest.cycles),
        rest.nominated,
    )
    ours, theirs = find(live, PAIR), find(rest, PAIR)
    assert (ours.intent, ours.profit, ours.edge_bps) == (
        *(theirs.intent, theirs.profit),
        theirs.edge_bps,
    )
    assert (live.source, rest.source) == (Source.STREAM, Source.REST)
    assert live.feeds == {"alpha": Source.STREAM, "beta": Source.STREAM}


def test_how_old_the_books_are_and_how_long_it_stands_is_told(scanner, clock):
    first = find(scanner.scan(), PAIR)
    clock.advance_ms(700)

    later = find(scanner.scan(), PAIR)

    assert first.standing_ms == 0
    assert later.standing_ms == 700
    assert later.age_ms is not None


def test_a_price_that_closes_the_gap_is_known_at_once(scanner):
    tickers = [
        Ticker("beta", "BTC/USDT", D(49990), D(50010), None, received_at_ms=0),
    ]

    scanner.tickers_changed("beta", tickers, Source.STREAM)

    assert PAIR not in {item.nomination.subject for item in scanner.scan().sightings}


def test_a_venue_that_is_lost_is_named_and_counts_no_more(scanner):
    scanner.venue_lost("beta", Failure(2004, Message("gone")))

    scan = scanner.scan()

    assert (scan.errors, scan.feeds) == (
        {"beta": Failure(2004, Message("gone"))},
        {"alpha": Source.STREAM},
    )
    assert (scan.markets, scan.sightings) == (3, ())


def test_books_are_asked_for_in_turn_and_never_too_many(edge, clock):
    asked = []

    def fetch(keys):
        asked.append(keys)
        return {}

    scanner = LiveScanner(clock=clock, fetch=fetch, books_per_scan=3, answer_s=PATIENCE_S)
    scanner.reload()
    for code, symbol, bid, ask in (
        ("alpha", "BTC/USDT", "49990", "50000"),
        ("beta", "BTC/USDT", "50500", "50510"),
        ("alpha", "ETH/USDT", "2490", "2500"),
        ("beta", "ETH/USDT", "2600", "2610"),
        ("alpha", "ETH/BTC", "0.0400", "0.0401"),
        ("beta", "ETH/BTC", "0.0600", "0.0601"),
    ):
        prices = [Ticker(code, symbol, D(bid), D(ask), None, received_at_ms=0)]
        scanner.tickers_changed(code, prices, Source.STREAM)

    scans = [scanner.scan() for _ in range(9)]

    waiting = [sum(item.refusal == UNCONFIRMED for item in scan.sightings) for scan in scans]
    assert waiting == sorted(waiting, reverse=True)
    assert waiting[0] > waiting[-1] == 0
    assert all(0 < len(keys) <= 3 for keys in asked)
    assert str(scans[-1].sightings[0].refusal) == "A book is missing or broken."


def test_a_venue_that_hangs_holds_up_its_own_round_trips_only(edge, clock):
    """Until it answers it is not asked again, and nobody waits for it a second time."""
    answers, asked = Event(), []
    books = fetch_books([(venue, "BTC/USDT") for venue in Venue.objects.all()]).books
    edge.add("gamma", symbols=("BTC/USDT",), free={})

    def fetch(keys):
        codes = {spec.code for spec, _symbol in keys}
        asked.append(codes)
        if codes == {"gamma"}:
            answers.wait(2 * PATIENCE_S)
        return {MarketKey(*key): book for key, book in books.items() if key[0] in codes}

    scanner = LiveScanner(clock=clock, fetch=fetch, books_per_scan=3, answer_s=0.1)
    scanner.reload()
    for code, bid, ask in (
        ("alpha", "49990", "50000"),
        ("beta", "50500", "50510"),
        ("gamma", "50600", "50610"),
    ):
        prices = [Ticker(code, "BTC/USDT", D(bid), D(ask), None, received_at_ms=0)]
        scanner.tickers_changed(code, prices, Source.STREAM)

    scanner.scan()
    scanner._desk._answer_s = PATIENCE_S  # whoever waited for it again would wait for so long
    wait_until(lambda: find(scanner.scan(), PAIR).intent is not None, "the others have answered")
    scan = scanner.scan()
    answers.set()

    assert find(scan, PAIR).intent is not None
    assert find(scan, "BTC/USDT alpha → gamma").refusal == UNCONFIRMED
    assert asked.count({"gamma"}) == 1
    assert scan.took_ms < PATIENCE_S * 1_000


def test_what_earns_is_watched_and_live_books_cost_no_request(edge, clock):
    watched, asked = [], []
    books = fetch_books([(venue, "BTC/USDT") for venue in Venue.objects.all()]).books

    def fetch(keys):
        asked.append(keys)
        return {}

    scanner = LiveScanner(
        clock=clock,
        fetch=fetch,
        read_live=lambda keys: {MarketKey(*key): book for key, book in books.items()},
        watch=lambda pairs: watched.append(set(pairs)),
        books_per_scan=3,
        answer_s=PATIENCE_S,
    )
    scanner.reload()
    for code, bid, ask in (("alpha", "49990", "50000"), ("beta", "50500", "50510")):
        prices = [Ticker(code, "BTC/USDT", D(bid), D(ask), None, received_at_ms=0)]
        scanner.tickers_changed(code, prices, Source.STREAM)

    found = find(scanner.scan(), PAIR)

    assert found.intent is not None
    assert watched == [{("alpha", "BTC/USDT"), ("beta", "BTC/USDT")}]
    assert asked == []


def test_a_market_that_is_listed_no_more_is_forgotten(scanner):
    Venue.objects.filter(code="beta").update(is_enabled=False)

    specs = scanner.reload()

    assert [spec.code for spec in specs] == ["alpha"]
    assert (scanner.scan().markets, scanner.scan().venue_count) == (3, 1)


def test_a_price_that_nobody_tells_again_is_forgotten(scanner, clock):
    """The market was taken from the list; its venue says nothing of it any more."""
    clock.advance_ms(UNTOLD_MS_MAX)
    told = [Ticker("alpha", "BTC/USDT", D(49990), D(50000), None, received_at_ms=0)]
    scanner.tickers_changed("alpha", told, Source.STREAM)
    assert (find(scanner.scan(), PAIR).nomination.subject, scanner.scan().markets) == (PAIR, 6)

    clock.advance_ms(1)

    assert (scanner.scan().markets, scanner.scan().sightings) == (1, ())


def test_who_takes_over_again_believes_nothing_of_before(scanner, clock):
    """It had lost the lease, and followed no venue in the meantime."""
    scanner.scan()
    scanner.forget()
    clock.advance_ms(60_000)

    scan = scanner.scan()

    assert (scan.markets, scan.sightings, scan.feeds) == (0, (), {})
    for code, bid, ask in (("alpha", "49990", "50000"), ("beta", "50500", "50510")):
        prices = [Ticker(code, "BTC/USDT", D(bid), D(ask), None, received_at_ms=0)]
        scanner.tickers_changed(code, prices, Source.STREAM)
    assert find(scanner.scan(), PAIR).standing_ms == 0


def test_what_stands_goes_on_standing_when_the_rules_of_a_market_change(scanner, clock):
    scanner.scan()
    clock.advance_ms(700)
    Market.objects.filter(symbol="ETH/BTC").update(is_active=False)

    scanner.reload()

    scan = scanner.scan()
    assert (scan.markets, find(scan, PAIR).standing_ms) == (4, 700)


def test_what_is_too_good_to_be_true_comes_last(scanner):
    for code, bid, ask in (("alpha", "1", "2"), ("beta", "5000", "5001")):
        prices = [Ticker(code, "ETH/USDT", D(bid), D(ask), None, received_at_ms=0)]
        scanner.tickers_changed(code, prices, Source.STREAM)

    scan = scanner.scan()

    names = [item.nomination.subject for item in scan.sightings]
    assert (names[0], len(names) > 1) == (PAIR, True)
    for by_profit in (True, False):
        chosen = scan.select(kind=None, by_profit=by_profit, limit=40)
        doubts = [item.nomination.is_suspicious for item in chosen]
        assert doubts == [False] + [True] * (len(names) - 1)


def test_a_result_survives_the_way_through_redis(scanner):
    scan = replace(
        scanner.scan(),
        errors={"gamma": Failure(2004, Message("{cause}", {"cause": Message("late")}))},
    )

    assert scan_from_json(scan_to_json(scan)) == scan


def test_the_newest_result_is_shown_instead_of_a_scan_until_it_is_old(scanner, clock):
    write_scan(scanner.scan())
    assert scan_markets().source is Source.STREAM

    clock.advance_ms(KEPT_MS + 1_000)

    assert read_scan(clock=clock) is None
    assert scan_markets(clock=clock).source is Source.REST


@pytest.mark.parametrize("changed", [{"errors": []}, {"sightings": [{"edge": ["x", "1"]}]}])
def test_a_result_of_another_version_is_not_shown(scanner, clock, monkeypatch, changed):
    values = {**scan_to_json(scanner.scan()), **changed}
    monkeypatch.setattr(scan_store, "_read", lambda: orjson.dumps(values))

    assert read_scan(clock=clock) is None


@pytest.mark.usefixtures("kept_for_long")
def test_live_opportunities_are_listed_over_http(user_api, scanner):
    write_scan(scanner.scan())

    answer = user_api.get("/api/opportunities", {"view": "live", "ordering": "-profit", "limit": 1})

    data = answer.json()["data"]
    assert answer.status_code == 200
    assert data["prices"] == "stream"
    assert data["feeds"][0] == {"venue": "alpha", "prices": "stream"}
    (row,) = data["results"]
    assert (row["summary"], row["kind"]) == (PAIR, Kind.CROSS_VENUE)
    assert row["standing_ms"] >= 0
    assert user_api.get("/api/opportunities").json()["data"]["count"] == 0
    refused = user_api.get("/api/opportunities", {"view": "magic"})
    assert (refused.status_code, list(refused.json()["data"]["fields"])) == (400, ["view"])
    # the live ones and the stored ones know different parameters
    for query, name in (
        ({"view": "live", "ordering": "luck"}, "ordering"),
        ({"view": "live", "page": 2}, "page"),
        ({"kind": "triangular"}, "kind"),
    ):
        refused = user_api.get("/api/opportunities", query)
        assert (refused.status_code, list(refused.json()["data"]["fields"])) == (400, [name])


@pytest.mark.usefixtures("kept_for_long")
def test_the_page_says_where_its_prices_come_from(admin_client, scanner, edge):
    url = "/admin/strategies/opportunity/scanner/"
    assert "no scanner process runs" in admin_client.get(url).content.decode()

    scanner.tickers_changed("beta", [], Source.REST)
    write_scan(scanner.scan())

    page = admin_client.get(url).content.decode()
    assert "Live: a scanner process is told of prices" in page
    assert "nothing by themselves: beta." in page
    assert MarketKey("alpha", "BTC/USDT").symbol in page
