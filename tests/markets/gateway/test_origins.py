from typing import Any
from urllib.parse import urlsplit

import ccxt
import ccxt.pro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets.gateway.base import VenueSpec
from markets.gateway.client import build_client
from markets.gateway.origins import (
    PAGES_FOR_PEOPLE,
    is_under,
    pairs_of_urls,
    rewrite_url,
    rewrite_urls,
)

REST = "http://127.0.0.1:8790/alpha"
WS = "ws://127.0.0.1:8790/alpha"


def _addresses(part: Any) -> list[str]:
    if isinstance(part, str):
        return [part] if "://" in part else []
    if isinstance(part, dict):
        return [url for value in part.values() for url in _addresses(value)]
    if isinstance(part, list | tuple):
        return [url for value in part for url in _addresses(value)]
    return []


def _requests_go_to(urls: dict[str, Any]) -> list[str]:
    return [url for key, part in urls.items() if key not in PAGES_FOR_PEOPLE
            for url in _addresses(part)]  # fmt: skip


@pytest.mark.parametrize("ccxt_id", ccxt.exchanges)
def test_after_rewriting_no_address_of_any_class_points_elsewhere(ccxt_id: str) -> None:
    original = getattr(ccxt, ccxt_id)().urls

    client = build_client(VenueSpec("v", ccxt_id, REST, WS), None, timeout_ms=100)

    left = [url for url in _requests_go_to(client.urls) if not url.startswith((REST, WS))]
    assert left == []
    assert _requests_go_to(original), "the class would have addresses to rewrite"


@pytest.mark.parametrize("ccxt_id", ccxt.pro.exchanges)
def test_after_rewriting_no_address_of_any_streaming_class_points_elsewhere(ccxt_id: str) -> None:
    original = getattr(ccxt.pro, ccxt_id)().urls

    rewritten = rewrite_urls(original, rest_origin=REST, ws_origin=WS)

    addresses = _requests_go_to(rewritten)
    assert [url for url in addresses if not url.startswith((REST, WS))] == []
    assert any(url.startswith(WS) for url in addresses)


@pytest.mark.parametrize("ccxt_id", ccxt.exchanges)
def test_after_rewriting_the_path_of_every_address_is_kept(ccxt_id: str) -> None:
    original = _requests_go_to(getattr(ccxt, ccxt_id)().urls)

    client = build_client(VenueSpec("v", ccxt_id, REST, WS), None, timeout_ms=100)

    assert [urlsplit(url).path for url in _requests_go_to(client.urls)] == [
        "/alpha" + urlsplit(url).path for url in original
    ]


@pytest.mark.parametrize("ccxt_id", ["binance", "okx", "bybit", "gate"])
def test_the_sandbox_switch_stays_at_the_origin(ccxt_id: str) -> None:
    client = build_client(VenueSpec("v", ccxt_id, REST, WS), None, timeout_ms=100)

    client.set_sandbox_mode(True)

    assert [u for u in _requests_go_to(client.urls) if not u.startswith((REST, WS))] == []


def test_websocket_addresses_stay_when_only_the_rest_origin_is_set() -> None:
    urls = {"api": {"rest": "https://a.example/v1", "ws": ["wss://a.example/ws"]}}

    rewritten = rewrite_urls(urls, rest_origin=REST, ws_origin="")

    assert rewritten == {"api": {"rest": f"{REST}/v1", "ws": ["wss://a.example/ws"]}}


def test_pages_for_people_and_what_is_no_address_stay() -> None:
    urls = {
        "www": "https://a.example",
        "doc": ["https://a.example/doc"],
        "api": {"public": "https://a.example", "none": None, "name": "hostname"},
    }

    rewritten = rewrite_urls(urls, rest_origin=REST, ws_origin=WS)

    assert rewritten == {
        "www": "https://a.example",
        "doc": ["https://a.example/doc"],
        "api": {"public": REST, "none": None, "name": "hostname"},
    }


@given(
    host=st.from_regex(r"[a-z]{1,8}(\.\{hostname\}|\.example)?(:[0-9]{2,4})?", fullmatch=True),
    path=st.from_regex(r"(/[a-z0-9{}]{1,6}){0,4}/?", fullmatch=True),
    query=st.from_regex(r"(\?[a-z]=[0-9])?", fullmatch=True),
    prefix=st.from_regex(r"(/[a-z]{1,5}){0,2}/?", fullmatch=True),
    scheme=st.sampled_from(["http", "https", "ws", "wss", "HTTPS"]),
)
def test_scheme_host_port_and_prefix_change_and_nothing_else(
    host: str, path: str, query: str, prefix: str, scheme: str
) -> None:
    url = f"{scheme}://{host}{path}{query}"
    kind = "ws" if scheme.lower().startswith("ws") else "http"

    rewritten = rewrite_url(
        url, rest_origin=f"http://other:1{prefix}", ws_origin=f"ws://other:1{prefix}"
    )

    assert rewritten == f"{kind}://other:1{prefix.rstrip('/')}{path}{query}"


def test_an_address_without_origin_of_its_kind_stays() -> None:
    assert rewrite_url("https://a/x", rest_origin="", ws_origin=WS) == "https://a/x"
    assert rewrite_url("ftp://a/x", rest_origin=REST, ws_origin=WS) == "ftp://a/x"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"{REST}/api/v3/order", True),
        (REST, True),
        (f"{REST}x/api", False),
        ("http://127.0.0.1:8790/beta/api", False),
        ("https://127.0.0.1:8790/alpha/api", False),
        ("http://127.0.0.1:8791/alpha/api", False),
        ("http://127.0.0.1:8790.evil.example/alpha/api", False),
        ("http://127.0.0.1:8790@evil.example/alpha/api", False),
    ],
)
def test_only_addresses_below_the_origin_are_under_it(url: str, expected: bool) -> None:
    assert is_under(url, REST) is expected


def test_moved_addresses_are_paired_with_their_origins_longest_first() -> None:
    urls = {"api": {"a": "https://a.example/x", "b": ["https://a.example/x/long"], "c": 1}}

    pairs = pairs_of_urls(urls, rewrite_urls(urls, rest_origin=REST, ws_origin=""))

    assert pairs == [
        (f"{REST}/x/long", "https://a.example/x/long"),
        (f"{REST}/x", "https://a.example/x"),
    ]
