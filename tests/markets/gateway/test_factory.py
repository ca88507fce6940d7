import os
from dataclasses import replace
from typing import Any

import pytest

from markets.errors import UnknownVenueClass
from markets.gateway import factory
from markets.gateway.base import Credentials, VenueGateway, VenueSpec
from markets.gateway.ccxt_rest import CcxtRestGateway
from markets.gateway.factory import close_all, configure, gateway_for, use_gateways
from tests.markets.fakes.gateway import FakeMarketGateway
from tests.markets.fakes.server import Reply, ScriptedServer

SPEC = VenueSpec("alpha", "binance", "http://127.0.0.1:9/a", "ws://127.0.0.1:9/a", {"x": 1})
KEY = Credentials("key", "secret", "phrase")


def test_the_same_venue_and_key_share_a_gateway() -> None:
    assert gateway_for(SPEC, KEY) is gateway_for(replace(SPEC), replace(KEY))
    assert gateway_for(SPEC) is gateway_for(SPEC, None)


@pytest.mark.parametrize(
    "other",
    [
        (replace(SPEC, code="beta"), KEY),
        (replace(SPEC, ccxt_id="okx"), KEY),
        (replace(SPEC, rest_origin="http://127.0.0.1:9/b"), KEY),
        (replace(SPEC, ws_origin=""), KEY),
        (replace(SPEC, options={"x": 2}), KEY),
        (SPEC, replace(KEY, api_key="other")),
        (SPEC, replace(KEY, api_secret="other")),
        (SPEC, replace(KEY, passphrase="other")),
        (SPEC, None),
    ],
)
def test_whatever_differs_makes_another_gateway(other: tuple[VenueSpec, Any]) -> None:
    assert gateway_for(*other) is not gateway_for(SPEC, KEY)


def test_gateways_of_one_venue_share_its_markets_and_its_rate() -> None:
    ours, public = gateway_for(SPEC, KEY), gateway_for(SPEC)

    assert isinstance(ours, CcxtRestGateway)
    assert isinstance(public, CcxtRestGateway)
    assert ours._session.catalog is public._session.catalog


def test_a_class_that_ccxt_has_not_is_named_before_anything_is_kept() -> None:
    for _time in range(2):
        with pytest.raises(UnknownVenueClass, match="nosuch"):
            gateway_for(replace(SPEC, ccxt_id="nosuch"))


def test_the_gateway_unused_for_longest_is_closed() -> None:
    first = gateway_for(SPEC, KEY)
    for number in range(factory.GATEWAYS_MAX - 1):
        gateway_for(SPEC, replace(KEY, api_key=str(number)))
    assert gateway_for(SPEC, KEY) is first

    for number in range(factory.GATEWAYS_MAX):
        gateway_for(SPEC, replace(KEY, api_key=f"more {number}"))

    assert gateway_for(SPEC, KEY) is not first
    assert len(factory._FACTORY._gateways) == factory.GATEWAYS_MAX


def test_after_close_all_new_gateways_are_made() -> None:
    first = gateway_for(SPEC, KEY)

    close_all()

    assert gateway_for(SPEC, KEY) is not first


def test_tests_put_their_own_gateways_in_place_and_get_back_the_old_ones() -> None:
    real = gateway_for(SPEC)
    made: list[Any] = []

    def build(spec: VenueSpec, credentials: Credentials | None) -> VenueGateway:
        made.append((spec, credentials))
        return FakeMarketGateway(spec, {})  # type: ignore[return-value]  # a part of the port

    with use_gateways(build):
        assert isinstance(gateway_for(SPEC, KEY), FakeMarketGateway)
        with use_gateways(build):
            gateway_for(SPEC)
        gateway_for(SPEC)

    assert made == [(SPEC, KEY), (SPEC, None), (SPEC, None)]
    assert gateway_for(SPEC) is real


def test_the_wait_for_a_venue_is_what_was_configured() -> None:
    configure(timeout_ms=77)
    try:
        gateway = gateway_for(replace(SPEC, code="patient"))
    finally:
        configure(timeout_ms=factory.TIMEOUT_MS)

    assert isinstance(gateway, CcxtRestGateway)
    assert gateway._session.catalog.timeout_ms == 77


def test_a_child_process_makes_its_own_gateways() -> None:
    parents = gateway_for(SPEC)
    reader, writer = os.pipe()

    child = os.fork()
    if child == 0:
        os.write(writer, b"new" if gateway_for(SPEC) is not parents else b"old")
        os._exit(0)
    os.waitpid(child, 0)

    assert os.read(reader, 3) == b"new"
    assert gateway_for(SPEC) is parents
    os.close(reader)
    os.close(writer)


def test_secrets_are_kept_as_digests_only() -> None:
    gateway_for(SPEC, Credentials("visible-key", "visible-secret", "visible-phrase"))

    assert "visible" not in " ".join(factory._FACTORY._gateways)


def test_closing_while_a_call_is_on_its_way_lets_it_end() -> None:
    def respond(request: Any) -> Reply:
        if request.path.endswith("/time"):
            close_all()
            return Reply({"serverTime": 1_700_000_000_000})
        return Reply({"symbols": [_LISTING], "rateLimits": [], "timezone": "UTC"})

    with ScriptedServer(respond).running() as server:
        gateway = gateway_for(replace(SPEC, rest_origin=server.url))

        assert gateway.fetch_time_ms() == 1_700_000_000_000


_LISTING = {
    "symbol": "BTCUSDT",
    "status": "TRADING",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "isSpotTradingAllowed": True,
    "permissions": ["SPOT"],
    "orderTypes": ["LIMIT"],
    "filters": [],
}
