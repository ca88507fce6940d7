"""Markets, clock and rate limit of a venue: when they are loaded, and what a refusal changes."""

import datetime as dt
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal as D
from typing import Any

import ccxt
import pytest

from arbplatform.core.clock import SYSTEM_CLOCK, from_ms
from markets.domain.orders import OrderRequest, Side
from markets.errors import (
    OutcomeUnknown,
    UnknownSymbol,
    VenueRateLimited,
    VenueRejected,
    VenueUnavailable,
)
from markets.gateway import catalog as catalog_module
from markets.gateway.base import Credentials, VenueGateway, VenueSpec
from markets.gateway.catalog import Catalog
from markets.gateway.ccxt_rest import CcxtRestGateway
from markets.gateway.limiter import RateLimiter
from tests.markets.fakes import okx
from tests.markets.fakes.exchange import FakeExchange, Spec
from tests.markets.fakes.okx import FakeOkx
from tests.markets.fakes.server import Misbehaviour, Reply, Request
from tests.markets.fakes.stage import KEY, PASSPHRASE, SECRET, FakeStage, okx_stage

SYMBOL = "BTC/USDT"
REQUEST = OrderRequest(SYMBOL, Side.BUY, D("0.1"), "arbtests0000000000000001", price=D(60_000))
PATIENCE_MS = 10_000
LIST = "/some/prefix/api/v5/public/instruments"


class Hand:
    """A monotonic clock that a test moves."""

    at_ms = 1_000_000.0


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> Hand:
    hand = Hand()
    monkeypatch.setattr(catalog_module, "_monotonic_ms", lambda: hand.at_ms)
    return hand


@pytest.fixture
def stage() -> Iterator[FakeStage]:
    with okx_stage() as stage:
        stage.set_book(SYMBOL, bids=[("59990", "1")], asks=[("60000", "1")])
        yield stage


@pytest.fixture
def gateway(stage: FakeStage, hand: Hand) -> Iterator[VenueGateway]:
    catalog = Catalog(stage.spec, timeout_ms=PATIENCE_MS, start=lambda work: work())
    gateway = CcxtRestGateway(stage.spec, stage.credentials, catalog)
    yield gateway
    gateway.close()


def _lists(stage: FakeStage) -> int:
    return stage.venue.server.paths().count(LIST)


def _add(venue: FakeExchange, symbol: str) -> None:
    venue.markets[symbol] = Spec(symbol, "0.1", "0.1", "0.1")
    venue.set_book(symbol, bids=[("1", "1")], asks=[])


def test_markets_are_loaded_once_for_all_calls_and_threads(
    stage: FakeStage, gateway: VenueGateway
) -> None:
    with ThreadPoolExecutor(8) as threads:
        books = list(threads.map(lambda _n: gateway.fetch_book(SYMBOL), range(40)))

    assert len(books) == 40
    assert _lists(stage) == 1


def test_old_markets_are_loaded_again(stage: FakeStage, gateway: VenueGateway, hand: Hand) -> None:
    gateway.fetch_book(SYMBOL)
    hand.at_ms += catalog_module.MARKETS_AGE_MS_MAX + 1

    gateway.fetch_book(SYMBOL)

    assert _lists(stage) == 2


def test_old_markets_stay_when_new_ones_cannot_be_had(
    stage: FakeStage, gateway: VenueGateway, hand: Hand
) -> None:
    gateway.fetch_book(SYMBOL)
    hand.at_ms += catalog_module.MARKETS_AGE_MS_MAX + 1
    stage.venue.server.misbehave(Misbehaviour.HTML_503, at="instruments")

    assert gateway.fetch_book(SYMBOL).bids
    assert gateway.fetch_book(SYMBOL).bids
    assert _lists(stage) == 2, "the next try waits"


class _HeldList:
    """Holds the venue's list of markets back until a test lets it go."""

    def __init__(self, stage: FakeStage) -> None:
        self.is_asked, self.may_answer = threading.Event(), threading.Event()
        self._stage = stage
        stage.venue.server.respond = self._respond

    def _respond(self, request: Request) -> Reply:
        if request.path.endswith("instruments"):
            self.is_asked.set()
            assert self.may_answer.wait(30)
        return self._stage.venue.respond(request)


def test_no_order_waits_until_markets_that_are_there_are_renewed(
    stage: FakeStage, hand: Hand
) -> None:
    catalog = Catalog(stage.spec, timeout_ms=PATIENCE_MS)
    gateway = CcxtRestGateway(stage.spec, stage.credentials, catalog)
    gateway.fetch_book(SYMBOL)
    listing = _HeldList(stage)
    _add(stage.venue, "NEW/USDT")
    hand.at_ms += catalog_module.MARKETS_AGE_MS_MAX + 1

    orders = [
        gateway.submit_order(replace(REQUEST, client_order_id=f"arbtests000000000000000{number}"))
        for number in (1, 2)
    ]

    assert listing.is_asked.wait(30)
    assert [order.filled_quantity for order in orders] == [D("0.1")] * 2
    assert _lists(stage) == 2, "two calls have it renewed once"
    listing.may_answer.set()
    with catalog._renewing:
        assert "NEW/USDT" in catalog.source().markets
    gateway.close()


def test_if_no_thread_can_be_had_the_old_ones_serve_and_the_next_call_tries_again(
    stage: FakeStage, hand: Hand
) -> None:
    tried: list[Any] = []

    def refuse(work: Any) -> None:
        tried.append(work)
        raise RuntimeError("can't start new thread")

    catalog = Catalog(stage.spec, timeout_ms=PATIENCE_MS, start=refuse)
    old = catalog.source()
    hand.at_ms += catalog_module.MARKETS_AGE_MS_MAX + 1

    assert [catalog.source(), catalog.source()] == [old, old]
    assert len(tried) == 2


class _Taker:
    """An instance that is given markets just while these are renewed."""

    catalog_version = 0
    taken: Any = None

    def __init__(self, renew: Any) -> None:
        self.options: dict[str, Any] = {}
        self._renew = renew

    def set_markets_from_exchange(self, source: Any) -> None:
        self.taken = source
        renew, self._renew = self._renew, lambda: None
        renew()


def test_a_call_that_was_given_old_markets_while_they_were_renewed_gets_the_new_ones_next(
    stage: FakeStage,
) -> None:
    catalog = Catalog(stage.spec, timeout_ms=PATIENCE_MS)
    client = _Taker(catalog.reload)

    catalog.prepare(client)
    first = client.taken
    catalog.prepare(client)

    assert client.taken is catalog.source()
    assert client.taken is not first


def test_a_refusal_while_markets_are_renewed_has_them_renewed_once_more(
    stage: FakeStage, gateway: CcxtRestGateway, hand: Hand
) -> None:
    catalog = gateway._session.catalog
    gateway.fetch_book(SYMBOL)

    def respond(request: Request) -> Reply:
        reply = stage.venue.respond(request)
        if request.path.endswith("instruments") and _lists(stage) == 2:
            catalog.mark_stale()  # an order is refused by rules that are newer than this answer
        return reply

    stage.venue.server.respond = respond
    hand.at_ms += catalog_module.MARKETS_AGE_MS_MAX + 1
    gateway.fetch_book(SYMBOL)
    assert _lists(stage) == 2

    for _minute in range(3):
        hand.at_ms += catalog_module.RELOAD_PAUSE_MS + 1
        gateway.fetch_book(SYMBOL)
    assert _lists(stage) == 3


def test_what_a_refusal_asked_for_is_tried_again_if_the_markets_could_not_be_had(
    stage: FakeStage, gateway: CcxtRestGateway, hand: Hand
) -> None:
    gateway.fetch_book(SYMBOL)
    gateway._session.catalog.mark_stale()
    stage.venue.server.misbehave(Misbehaviour.HTML_503, at="instruments")

    for _minute in range(3):
        hand.at_ms += catalog_module.RELOAD_PAUSE_MS + 1
        gateway.fetch_book(SYMBOL)

    assert _lists(stage) == 3, "once in vain, once with success"


class _WatchedLock:
    """A lock that tells when somebody waits for it."""

    def __init__(self) -> None:
        self.is_waited_for = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            self.is_waited_for.set()
            self._lock.acquire()

    def __exit__(self, *_raised: object) -> None:
        self._lock.release()


def test_who_asks_for_a_new_market_waits_for_the_list_that_is_on_its_way(
    stage: FakeStage, hand: Hand
) -> None:
    catalog = Catalog(stage.spec, timeout_ms=PATIENCE_MS)
    gateway = CcxtRestGateway(stage.spec, stage.credentials, catalog)
    gateway.fetch_book(SYMBOL)
    lock: Any = _WatchedLock()
    catalog._lock = lock
    listing = _HeldList(stage)
    _add(stage.venue, "NEW/USDT")
    hand.at_ms += catalog_module.RELOAD_PAUSE_MS + 1
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(gateway.fetch_book, "NEW/USDT")
        assert listing.is_asked.wait(30)
        second = threads.submit(gateway.fetch_book, "NEW/USDT")
        second.add_done_callback(lambda _book: lock.is_waited_for.set())
        assert lock.is_waited_for.wait(30)
        listing.may_answer.set()

    assert [book.result().bids[0].price for book in (first, second)] == [D(1)] * 2
    assert _lists(stage) == 2
    gateway.close()


def test_an_unknown_symbol_looks_for_new_markets_at_most_once_a_minute(
    stage: FakeStage, gateway: VenueGateway, hand: Hand
) -> None:
    gateway.fetch_book(SYMBOL)
    _add(stage.venue, "NEW/USDT")

    with pytest.raises(UnknownSymbol):
        gateway.fetch_book("NEW/USDT")
    assert _lists(stage) == 1

    hand.at_ms += catalog_module.RELOAD_PAUSE_MS + 1
    assert gateway.fetch_book("NEW/USDT").bids
    assert _lists(stage) == 2
    for _time in range(5):
        with pytest.raises(UnknownSymbol):
            gateway.fetch_book("NO/SUCH")
    assert _lists(stage) == 2


def test_a_refused_order_makes_the_rules_be_read_again(
    stage: FakeStage, gateway: VenueGateway, hand: Hand
) -> None:
    gateway.fetch_book(SYMBOL)
    stage.venue.markets[SYMBOL].lot = "0.5"
    with pytest.raises(VenueRejected):
        gateway.submit_order(REQUEST)

    hand.at_ms += catalog_module.RELOAD_PAUSE_MS + 1
    with pytest.raises(VenueRejected, match="on its grid"):
        gateway.submit_order(REQUEST)

    assert stage.venue.server.paths().count("/some/prefix/api/v5/trade/batch-orders") == 1


def test_fetching_markets_always_asks_the_venue(stage: FakeStage, gateway: VenueGateway) -> None:
    gateway.fetch_book(SYMBOL)
    _add(stage.venue, "NEW/USDT")

    symbols = [rule.symbol for rule in gateway.fetch_markets()]

    assert "NEW/USDT" in symbols
    assert gateway.fetch_book("NEW/USDT").bids, "everyone sees the new markets"


def test_a_first_load_that_fails_is_tried_again_by_the_next_call(
    stage: FakeStage, gateway: VenueGateway
) -> None:
    stage.venue.server.misbehave(Misbehaviour.HTML_503, at="instruments")

    with pytest.raises(VenueUnavailable):
        gateway.submit_order(REQUEST)

    assert gateway.submit_order(REQUEST).filled_quantity == D("0.1")


@pytest.fixture
def same_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our clock and the fake venue's stand still: their difference is exact."""
    at_ms = SYSTEM_CLOCK.now_ms()
    monkeypatch.setattr(ccxt.Exchange, "milliseconds", staticmethod(lambda: at_ms))
    monkeypatch.setattr(okx, "now_ms", lambda: at_ms)


class _SkewedOkx(FakeOkx):
    """Refuses time stamps that are more than half a second away from its own clock."""

    ahead_ms = 0
    refused = 0
    is_strict = False

    def respond(self, request: Request) -> Reply:
        stamp = request.headers.get("ok-access-timestamp")
        if request.path.endswith("public/time"):
            reply = super().respond(request)
            reply.data["data"][0]["ts"] = str(int(reply.data["data"][0]["ts"]) + self.ahead_ms)
            return reply
        if stamp and not self._is_near(stamp):
            self.refused += 1
            return Reply({"code": "50102", "msg": "Timestamp request expired", "data": []}, 401)
        return super().respond(request)

    def _is_near(self, stamp: str) -> bool:
        sent = dt.datetime.fromisoformat(stamp)
        here = from_ms(ccxt.Exchange.milliseconds() + self.ahead_ms)
        return not self.is_strict and abs((here - sent).total_seconds()) < 0.5


def _skewed(venue: _SkewedOkx) -> Any:
    venue.add_account(KEY, SECRET, PASSPHRASE, {"USDT": "100000"})
    venue.set_book(SYMBOL, bids=[], asks=[("60000", "1")])
    return venue.running()


@pytest.mark.usefixtures("same_moment")
def test_our_clock_is_corrected_by_the_venues_from_the_start() -> None:
    venue = _SkewedOkx()
    venue.ahead_ms = -60_000
    with _skewed(venue) as url:
        spec = VenueSpec("okx-like", "okx", url)
        gateway = CcxtRestGateway(spec, _credentials(), Catalog(spec, timeout_ms=PATIENCE_MS))

        assert gateway.fetch_balances()["USDT"].free == D(100_000)
        assert venue.refused == 0
        gateway.close()


@pytest.mark.usefixtures("same_moment")
def test_an_order_refused_for_its_time_stamp_is_sent_again_once_with_the_same_id() -> None:
    venue = _SkewedOkx()
    with _skewed(venue) as url:
        spec = VenueSpec("okx-like", "okx", url)
        gateway = CcxtRestGateway(spec, _credentials(), Catalog(spec, timeout_ms=PATIENCE_MS))
        gateway.fetch_book(SYMBOL)
        venue.ahead_ms = 800  # a clock was set meanwhile

        order = gateway.submit_order(REQUEST)

        assert venue.refused == 1
        assert order.filled_quantity == D("0.1")
        assert [o.client_id for o in venue.orders.values()] == [REQUEST.client_order_id]
        gateway.close()


def test_a_time_stamp_refused_again_is_a_definite_failure() -> None:
    venue = _SkewedOkx()
    with _skewed(venue) as url:
        spec = VenueSpec("okx-like", "okx", url)
        gateway = CcxtRestGateway(spec, _credentials(), Catalog(spec, timeout_ms=PATIENCE_MS))
        gateway.fetch_book(SYMBOL)
        venue.is_strict = True

        with pytest.raises(VenueUnavailable) as failure:
            gateway.submit_order(REQUEST)

        assert type(failure.value) is VenueUnavailable
        assert venue.refused == 2
        assert venue.orders == {}
        gateway.close()


def test_a_refused_time_stamp_stays_definite_when_the_clock_cannot_be_measured() -> None:
    venue = _SkewedOkx()
    with _skewed(venue) as url:
        spec = VenueSpec("okx-like", "okx", url)
        gateway = CcxtRestGateway(spec, _credentials(), Catalog(spec, timeout_ms=PATIENCE_MS))
        gateway.fetch_book(SYMBOL)
        venue.ahead_ms = 45_000
        venue.server.misbehave(Misbehaviour.HTML_503, at="public/time")

        with pytest.raises(VenueUnavailable) as failure:
            gateway.submit_order(REQUEST)

        assert type(failure.value) is VenueUnavailable
        assert (venue.refused, venue.orders) == (1, {})
        gateway.close()


def test_a_second_send_that_is_lost_is_unknown() -> None:
    venue = _SkewedOkx()
    with _skewed(venue) as url:
        spec = VenueSpec("okx-like", "okx", url)
        gateway = CcxtRestGateway(spec, _credentials(), Catalog(spec, timeout_ms=PATIENCE_MS))
        gateway.fetch_book(SYMBOL)
        venue.ahead_ms = 800

        def respond(request: Request) -> Reply:
            reply = venue.respond(request)
            if venue.refused:
                venue.server.misbehave(Misbehaviour.CLOSED, at="batch-orders")
            return reply

        venue.server.respond = respond
        with pytest.raises(OutcomeUnknown):
            gateway.submit_order(REQUEST)
        gateway.close()


def _credentials() -> Credentials:
    return Credentials(KEY, SECRET, PASSPHRASE)


@pytest.mark.parametrize(
    ("spec", "unit_ms"),
    [
        (VenueSpec("v", "binance"), 50.0),
        (VenueSpec("v", "binance", "https://testnet.example/x"), 50.0),
        (VenueSpec("v", "binance", "http://127.0.0.1:1/x"), None),
        (VenueSpec("v", "binance", "http://[::1]:1/x"), None),
        (VenueSpec("v", "binance", "http://localhost:1/x"), None),
        (VenueSpec("v", "binance", options={"enableRateLimit": False}), None),
        (VenueSpec("v", "binance", options={"rateLimit": 7}), 7.0),
        (
            VenueSpec("v", "binance", "http://127.0.0.1:1/x", options={"enableRateLimit": True}),
            50.0,
        ),
    ],
)
def test_the_pace_is_ccxts_but_local_addresses_have_none(
    spec: VenueSpec, unit_ms: float | None
) -> None:
    limiter = Catalog(spec, timeout_ms=1).limiter

    assert (limiter.unit_ms if isinstance(limiter, RateLimiter) else limiter) == unit_ms


def test_calls_beyond_the_rate_are_refused_before_they_are_sent(stage: FakeStage) -> None:
    spec = replace(stage.spec, options={"enableRateLimit": True, "rateLimit": 10})
    gateway = CcxtRestGateway(spec, stage.credentials, Catalog(spec, timeout_ms=PATIENCE_MS))

    gateway.fetch_book(SYMBOL)
    assert gateway._session.catalog.limiter is not None
    gateway._session.catalog.limiter.silence(60_000)

    with pytest.raises(VenueRateLimited):
        gateway.submit_order(REQUEST)

    assert stage.venue.orders == {}
    gateway.close()


def test_more_calls_than_connections_wait_and_then_fail(stage: FakeStage) -> None:
    catalog = Catalog(stage.spec, timeout_ms=PATIENCE_MS)
    gateway = CcxtRestGateway(stage.spec, stage.credentials, catalog)
    gateway.fetch_book(SYMBOL)
    release = threading.Event()
    pool = gateway._session._pool
    pool._wait_s = 0.15
    with ThreadPoolExecutor(16) as threads:
        held = threading.Barrier(17, timeout=30)

        def hold() -> None:
            with pool.lend():
                held.wait()
                release.wait(30)

        for _number in range(16):
            threads.submit(hold)
        held.wait()
        with pytest.raises(VenueUnavailable, match="all connections are busy"):
            gateway.fetch_book(SYMBOL)
        release.set()
    gateway.close()
