import json
from collections.abc import Iterator
from decimal import Decimal as D
from typing import Any

import ccxt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets.errors import UnknownVenueClass
from markets.gateway.base import Credentials, VenueSpec
from markets.gateway.client import (
    RECEIVE_WINDOW_MS,
    build_client,
    exchange_class,
    has_spot,
    known_codes,
)
from markets.gateway.error_map import Malformed
from markets.gateway.leaving import is_never_sent
from markets.gateway.limiter import RateLimiter
from tests.markets.fakes.server import Raw, Reply, Request, ScriptedServer

CREDENTIALS = Credentials("k" * 32, "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "pass")


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(lambda _request: Reply({"serverTime": 1})).running() as server:
        yield server


def _client(server: ScriptedServer, ccxt_id: str = "binance", **options: Any) -> Any:
    spec = VenueSpec("v", ccxt_id, f"{server.url}/at", options=options)
    return build_client(spec, CREDENTIALS, timeout_ms=30_000)


@pytest.mark.parametrize("ccxt_id", ccxt.exchanges)
def test_every_class_is_pinned(ccxt_id: str) -> None:
    client = build_client(VenueSpec("v", ccxt_id), CREDENTIALS, timeout_ms=1_234)

    assert client.timeout == 1_234
    assert client.options["maxRetriesOnFailure"] == 0
    assert client.options["adjustForTimeDifference"] is False
    assert client.options["recvWindow"] == RECEIVE_WINDOW_MS
    assert client.options["defaultType"] == "spot"
    assert client.number is str
    assert client.enableRateLimit is False
    assert client.session.max_redirects == 0
    assert client.session.trust_env is False
    assert client.apiKey == CREDENTIALS.api_key


@pytest.mark.parametrize(
    "options",
    [
        {"options": {"maxRetriesOnFailure": 3}},
        {"options": {"ping": {"maxRetriesOnFailure": 3}}},
        {"maxRetriesOnFailure": 3},
    ],
)
def test_no_option_makes_ccxt_repeat_a_request(
    server: ScriptedServer, options: dict[str, Any]
) -> None:
    server.respond = lambda _request: Reply({"code": -1000, "msg": "try again"}, status=503)
    client = _client(server, **options)

    with pytest.raises(ccxt.BaseError):
        client.publicGetPing({"maxRetriesOnFailure": 3})

    assert len(server.requests) == 1


def test_options_of_the_venue_reach_ccxt_but_not_the_pinned_ones(server: ScriptedServer) -> None:
    client = _client(
        server,
        hostname="other.example",
        apiKey="stolen",
        timeout=1,
        urls={"api": "http://elsewhere"},
        options={"broker": "x", "recvWindow": 60_000},
    )

    assert client.hostname == "other.example"
    assert client.options["broker"] == "x"
    assert client.options["recvWindow"] == RECEIVE_WINDOW_MS
    assert (client.apiKey, client.timeout) == (CREDENTIALS.api_key, 30_000)
    assert client.publicGetPing() == {"serverTime": 1}


@pytest.mark.parametrize(
    ("ccxt_id", "expected"),
    [
        ("binance", {"types": ["spot"], "loadAllOptions": False}),
        ("htx", {"types": {"spot": True, "linear": False, "inverse": False}}),
        ("mexc", {"types": {"spot": True, "swap": False}}),
        ("kraken", None),
    ],
)
def test_only_spot_markets_are_loaded_where_the_class_can(ccxt_id: str, expected: Any) -> None:
    client = build_client(VenueSpec("v", ccxt_id), None, timeout_ms=1)

    assert client.options.get("fetchMarkets") == expected


def test_a_class_that_ccxt_has_not_is_named() -> None:
    for name in ("nosuch", "Exchange", "base", ""):
        with pytest.raises(UnknownVenueClass):
            exchange_class(name)


def test_a_request_that_would_leave_the_origin_is_not_sent(server: ScriptedServer) -> None:
    client = _client(server)
    client.urls["api"]["public"] = "http://127.0.0.1:9/elsewhere"

    with pytest.raises(ccxt.InvalidProxySettings):
        client.publicGetPing()

    assert client.sent_count == 0
    assert server.requests == []


def test_a_redirect_is_not_followed(server: ScriptedServer) -> None:
    server.respond = lambda _request: Reply(
        {}, status=302, headers={"Location": f"{server.url}/at/elsewhere"}
    )
    client = _client(server)

    with pytest.raises(ccxt.ExchangeError):
        client.privateGetAccount()

    assert len(server.requests) == 1
    assert client.sent_count == 1


def test_connections_are_reused(server: ScriptedServer) -> None:
    client = _client(server)

    for _call in range(5):
        client.publicGetPing()

    assert len({request.connection for request in server.requests}) == 1


def test_a_call_knows_what_was_sent_and_what_came_back(server: ScriptedServer) -> None:
    client = _client(server)
    client.publicGetPing()

    assert (client.sent_count, client.raw_answer) == (1, {"serverTime": 1})
    client.begin_call()
    assert (client.sent_count, client.raw_answer) == (0, None)


def test_a_connection_that_never_came_about_sent_nothing() -> None:
    spec = VenueSpec("v", "binance", "http://127.0.0.1:9")
    client = build_client(spec, None, timeout_ms=500)

    with pytest.raises(ccxt.NetworkError) as failure:
        client.publicGetPing()

    assert is_never_sent(failure.value)
    assert client.sent_count == 0


def test_an_older_failure_in_the_background_does_not_make_a_request_unsent() -> None:
    refused = build_client(VenueSpec("v", "binance", "http://127.0.0.1:9"), None, timeout_ms=500)
    with pytest.raises(ccxt.NetworkError) as older:
        refused.publicGetPing()
    later = ccxt.RequestTimeout("after it was sent")
    later.__context__ = older.value

    assert not is_never_sent(later)


@pytest.mark.parametrize(
    "text", ["", "<html></html>", "null", '"text"', "true", "{broken", '{"a": NaN}', "[Infinity]"]
)
def test_an_answer_that_is_no_json_document_is_malformed(server: ScriptedServer, text: str) -> None:
    server.respond = lambda _request: Reply(Raw(text))
    client = _client(server)

    with pytest.raises(Malformed):
        client.publicGetPing()

    assert client.sent_count == 1


@pytest.mark.parametrize("text", ["[]", "{}", " 1700000000 ", "[1]"])
def test_lists_objects_and_bare_times_are_answers(server: ScriptedServer, text: str) -> None:
    server.respond = lambda _request: Reply(Raw(text))

    _client(server).publicGetPing()


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=10**12))
def test_a_number_of_json_keeps_every_digit(number: D) -> None:
    client = build_client(VenueSpec("v", "binance"), None, timeout_ms=1)

    parsed = client.on_json_response(f'{{"price": {number:f}}}')["price"]

    assert D(parsed) == number


def test_levels_keep_every_digit_whether_text_or_number() -> None:
    client = build_client(VenueSpec("v", "binance"), None, timeout_ms=1)
    raw = client.on_json_response(
        '{"bids": [["1.10", 12345678.123456789], [123456789012.12345678, "1e-8"]], "asks": []}'
    )

    book = client.parse_order_book(raw, "A/B")

    assert book["bids"] == [
        [D("123456789012.12345678"), D("1e-8")],
        [D("1.10"), D("12345678.123456789")],
    ]


@pytest.mark.parametrize("status", [418, 429])
def test_the_venues_wish_for_silence_is_obeyed(server: ScriptedServer, status: int) -> None:
    now_ms = [0.0]
    limiter = RateLimiter(1, now_ms=lambda: now_ms[0], sleep=lambda _s: None)
    server.respond = lambda _request: Reply({}, status=status, headers={"Retry-After": "60"})
    spec = VenueSpec("v", "binance", f"{server.url}/at")
    client = build_client(spec, None, timeout_ms=30_000, limiter=limiter)

    with pytest.raises(ccxt.DDoSProtection):
        client.publicGetPing()
    with pytest.raises(ccxt.RateLimitExceeded):
        client.publicGetPing()
    assert len(server.requests) == 1

    now_ms[0] += 60_000
    server.respond = lambda _request: Reply({})
    client.publicGetPing()
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("header", "wait_ms"), [("soon", 1_000), ("", 1_000), ("9" * 30, 1_000), ("99999", 600_000)]
)
def test_a_wish_that_makes_no_sense_is_bounded(
    server: ScriptedServer, header: str, wait_ms: int
) -> None:
    silences: list[float] = []

    class Listening(RateLimiter):
        def silence(self, duration_ms: float) -> None:
            silences.append(duration_ms)

    limiter = Listening(1, now_ms=lambda: 0.0, sleep=lambda _s: None)
    server.respond = lambda _request: Reply({}, status=429, headers={"Retry-After": header})
    spec = VenueSpec("v", "binance", f"{server.url}/at")

    with pytest.raises(ccxt.DDoSProtection):
        build_client(spec, None, timeout_ms=30_000, limiter=limiter).publicGetPing()

    assert silences == [wait_ms]


def test_errors_are_judged_as_if_they_came_from_the_venues_own_address(
    server: ScriptedServer,
) -> None:
    # binance chooses its table of spot errors by the address that was called.
    server.respond = lambda _request: Reply({"code": -3000, "msg": "Internal server error"}, 400)

    with pytest.raises(ccxt.OperationFailed) as failure:
        _client(server).publicGetPing()

    assert failure.value.venue_code == "-3000"


def test_what_ccxt_recognised_by_its_words_is_noted(server: ScriptedServer) -> None:
    words = "Account has insufficient balance for requested action."
    server.respond = lambda _request: Reply({"code": -2010, "msg": words}, 400)

    with pytest.raises(ccxt.InsufficientFunds) as failure:
        _client(server).publicGetPing()

    assert failure.value.venue_code == words


def test_the_classs_own_table_of_codes_is_known() -> None:
    client = build_client(VenueSpec("v", "binance"), None, timeout_ms=1)

    assert known_codes(client)["-2015"] is ccxt.AuthenticationError
    assert known_codes(client)["-1121"] is ccxt.BadSymbol


def test_strict_nonces_only_rise() -> None:
    client = build_client(VenueSpec("v", "kraken"), CREDENTIALS, timeout_ms=1)

    nonces = [client.nonce() for _ in range(200)]

    assert nonces == sorted(set(nonces))


def test_withdrawn_amounts_are_not_rounded() -> None:
    client = build_client(VenueSpec("v", "binance"), None, timeout_ms=1)

    assert client.currency_to_precision("USDT", D("1.234567890123456789")) == "1.234567890123456789"
    assert client.currency_to_precision("USDT", 1e-8, "ETH") == "0.00000001"


def test_requests_carry_what_the_server_saw(server: ScriptedServer) -> None:
    seen: list[Request] = server.requests
    _client(server).privatePostOrder({"symbol": "BTCUSDT"})

    assert seen[0].form["symbol"] == "BTCUSDT"
    assert json.dumps(dict(seen[0].headers)).count(CREDENTIALS.api_secret) == 0


def test_a_sentence_that_ccxt_recognised_a_part_of_is_noted_within_bounds() -> None:
    client = build_client(VenueSpec("v", "binance"), None, timeout_ms=1)

    with pytest.raises(ccxt.BadRequest) as failure:
        client.throw_broadly_matched_exception({"abc": ccxt.BadRequest}, "x abc" * 100, "said")

    assert failure.value.venue_code.startswith("x abc")
    assert len(failure.value.venue_code) == 100
    client.throw_broadly_matched_exception({"abc": ccxt.BadRequest}, "nothing known", "said")


def test_without_a_limiter_nothing_waits() -> None:
    client = build_client(VenueSpec("v", "binance"), None, timeout_ms=1)

    assert client.throttle(1_000) is None


@pytest.mark.parametrize(("ccxt_id", "expected"), [("okx", True), ("binanceusdm", False)])
def test_classes_that_trade_spot_are_told_from_others(ccxt_id: str, expected: bool) -> None:
    assert has_spot(ccxt_id) is expected
