"""A venue of another protocol is added by configuration alone, over HTTP, and trades."""

import json
from collections import defaultdict
from decimal import Decimal

import pytest

from tests.e2e.conftest import wait_for
from tests.markets.fakes.stage import BALANCES, KEY, PASSPHRASE, SECRET, open_stage

SYMBOL = "BTC/USDT"
CHEAP = {"bids": [("49990", "1")], "asks": [("50000", "1")]}
DEAR = {"bids": [("50500", "1")], "asks": [("50510", "1")]}


@pytest.fixture(scope="module")
def platform(start_for_all):
    return start_for_all(
        "--no-demo", "--port", "0", ARB_ADMIN_PASSWORD="chosen-by-a-person"
    ).wait_until_up()


@pytest.fixture(scope="module")
def api(platform):
    """Send a request as the administrator and return the data of the answer."""

    def send(path, body=None, *, token=None, **query):
        if body is None:
            pairs = "&".join(f"{name}={value}" for name, value in query.items())
            status, text = platform.get(f"{path}?{pairs}", token or login)
        else:
            status, text = platform.post(path, body, token or login)
        answer = json.loads(text)
        assert (status < 300, answer["code"]) == (True, 0), answer
        return answer["data"]

    login = "none-yet"
    login = send("/api/auth/login", {"username": "admin", "password": "chosen-by-a-person"})[
        "token"
    ]
    return send


@pytest.fixture(scope="module")
def add_account(api):
    """Add a venue and an account of it as a person would, and wait for its markets."""

    def add(stage):
        venue = api(
            "/api/venues",
            {
                "code": stage.spec.code,
                "ccxt_id": stage.spec.ccxt_id,
                "rest_origin": stage.spec.rest_origin,
                "ws_origin": stage.spec.ws_origin,
            },
        )
        wait_for(lambda: api("/api/markets/symbols", venue=venue["code"])["count"], "its markets")
        account = api(
            "/api/accounts",
            {
                "venue": venue["code"],
                "label": "main",
                "api_key": KEY,
                "api_secret": SECRET,
                "passphrase": PASSPHRASE if stage.spec.ccxt_id == "okx" else "",
            },
        )
        wait_for(
            lambda: api(f"/api/accounts/{account['id']}")["synced_at"], "its key is tested and used"
        )
        return account["id"]

    return add


@pytest.fixture(scope="module")
def simulated(add_account):
    """A simulated venue that is dear, with the platform's account at it."""
    with open_stage("binance") as stage:
        yield stage, add_account(stage)


@pytest.mark.parametrize("ccxt_id", ["okx", "kraken"])
def test_a_venue_of_another_class_trades_against_a_simulated_one(
    api, add_account, simulated, ccxt_id
):
    dear, dear_account = simulated
    stated_before = dear.statement()
    dear.set_book(SYMBOL, **DEAR)
    with open_stage(ccxt_id) as cheap:
        cheap.set_book(SYMBOL, **CHEAP)
        cheap_account = add_account(cheap)
        strategy = api(
            "/api/strategies",
            {
                "name": f"{ccxt_id} and simulated",
                "type": "cross-venue",
                "params": {"symbols": [SYMBOL], "max_notional": "5000", "min_edge_bps": "5"},
                "accounts": [cheap_account, dear_account],
                "driver": "schedule",
                "interval_ms": 500,
            },
        )["id"]

        api(f"/api/strategies/{strategy}/start", {})
        wait_for(
            lambda: api("/api/executions", strategy_id=strategy, state="completed")["count"],
            "an arbitrage is executed",
        )
        api(f"/api/strategies/{strategy}/stop", {})
        wait_for(lambda: api(f"/api/strategies/{strategy}")["status"] == "stopped", "it is stopped")

        trades = api("/api/trades", strategy_id=strategy, page_size=200)["results"]
        opened = {asset: Decimal(amount) for asset, amount in BALANCES.items()}
        assert {(trade["venue"], trade["side"]) for trade in trades} == {
            (cheap.spec.code, "buy"),
            (dear.spec.code, "sell"),
        }
        assert booked(trades, cheap.spec.code, opened) == cheap.statement()
        assert booked(trades, dear.spec.code, stated_before) == dear.statement()
        profit = sum(
            (
                Decimal(execution["realised_profit"])
                for execution in api("/api/executions", strategy_id=strategy)["results"]
            ),
            Decimal(0),
        )
        assert profit > 0


def booked(trades, venue, before):
    """Return what the trades that the platform tells of leave at a venue."""
    purse = defaultdict(Decimal, before)
    for trade in trades:
        if trade["venue"] == venue:
            base, quote = trade["symbol"].split("/")
            sign = 1 if trade["side"] == "buy" else -1
            purse[base] += sign * Decimal(trade["quantity"])
            purse[quote] -= sign * Decimal(trade["cost"])
            purse[trade["fee_asset"]] -= Decimal(trade["fee"])
    return {asset: amount for asset, amount in purse.items() if amount}
