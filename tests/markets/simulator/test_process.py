"""The simulator as a process: started, stopped, killed."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from decimal import Decimal
from http.client import HTTPException
from typing import Any

import pytest
from django.conf import settings

from tests.markets.simulator.worlds import KEYS, RawClient, ask, two_venues

TIMEOUT_S = 60
MAKERS = {"prices": {"BTC": "50000", "ETH": "2500", "USDT": "1"}, "history_minutes": 0}


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(two_venues(makers=MAKERS)))
    return path


SLIM = ["-m", "markets.simulator"]
MANAGED = ["manage.py", "simulate"]


@pytest.fixture
def start(config, tmp_path):
    """Starts simulators; whatever still runs at the end is killed."""
    running = []

    def begin(entry, *more):
        options = ["--config", config, "--port", "0", "--state-dir", tmp_path / "state", *more]
        process = subprocess.Popen(
            [sys.executable, *entry, *options],
            cwd=settings.BASE_DIR,
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "Simulated venues alpha, beta on http://" in line
        return process, line.split()[-1]

    yield begin
    for process in running:
        with suppress(ProcessLookupError):
            process.kill()
        process.communicate(timeout=TIMEOUT_S)


def facts(url):
    """Return what our account at alpha has, did and asked for."""
    client = RawClient(url, key=KEYS["alpha"])
    found = (
        ask(f"{url}/statement/alpha?label=ours")[1]["balances"],
        client.get("api/v3/allOrders", symbol="BTCUSDT", limit=1000)[1],
        client.get("api/v3/openOrders")[1],
        client.get("api/v3/myTrades", symbol="BTCUSDT", limit=1000)[1],
    )
    client.close()
    return found


def test_a_killed_simulator_comes_back_with_everything_that_it_had_answered(start):
    process, url = start(SLIM)
    client = RawClient(url, key=KEYS["alpha"])
    answered = {}
    with suppress(OSError):
        for number in range(400):
            if number == 250:
                os.kill(process.pid, signal.SIGKILL)
            side, price = ("BUY", "50500") if number % 2 else ("SELL", "49500")
            if number % 5 == 0:
                side, price = "BUY", "40000"
            status, order = client.order(
                side=side,
                price=price,
                quantity="0.001",
                timeInForce="GTC" if number % 5 == 0 else "IOC",
                newClientOrderId=f"order-{number}",
            )
            assert status == 200
            answered[order["clientOrderId"]] = order
    process.wait(TIMEOUT_S)
    client.close()
    assert 250 <= len(answered) < 400

    _, url = start(SLIM)
    balances, orders, open_orders, trades = facts(url)

    found = {order["clientOrderId"]: order for order in orders}
    assert set(answered) <= set(found)
    assert len(found) <= len(answered) + 1  # one may have been taken without an answer
    for name, order in answered.items():
        if order["status"] != "NEW":
            assert found[name]["executedQty"] == order["executedQty"]
            assert found[name]["cummulativeQuoteQty"] == order["cummulativeQuoteQty"]
    fills = {fill["tradeId"] for order in answered.values() for fill in order["fills"]}
    assert fills <= {trade["id"] for trade in trades}
    wanted = {"BTC": Decimal(2), "USDT": Decimal(100_000)}
    for trade in trades:
        sign = 1 if trade["isBuyer"] else -1
        wanted["BTC"] += sign * Decimal(trade["qty"])
        wanted["USDT"] -= sign * Decimal(trade["quoteQty"])
        wanted[trade["commissionAsset"]] -= Decimal(trade["commission"])
    for asset, amount in wanted.items():
        row = balances["spot"][asset]
        assert Decimal(row["free"]) + Decimal(row["held"]) == amount
    held = sum(Decimal(order["price"]) * Decimal(order["origQty"]) for order in open_orders)
    assert Decimal(balances["spot"]["USDT"]["held"]) == held > 0
    client = RawClient(url, key=KEYS["alpha"])
    assert client.order(newClientOrderId="order-0", price="40000")[1]["code"] == -2010
    client.close()


ODDS = [
    {"kind": "partial_fill", "part": "0.4", "chance": 0.3, "times": None},
    {"kind": "late_fill", "delay_ms": 1, "chance": 0.3, "times": None},
    {"kind": "reject", "chance": 0.2, "times": None},
    {"kind": "drop_answer", "endpoint": "order.create", "chance": 0.1, "times": None},
]
BY_HAND = {"endpoint": "order.create", "account": "ours", "chance": 0.1, "times": None}
ACTS = [
    {"kind": "manual_deposit", "asset": "USDT", "amount": "7", **BY_HAND},
    {
        "kind": "manual_trade",
        "symbol": "BTC/USDT",
        "side": "sell",
        "amount": "0.002",
        **BY_HAND,
    },
]


def test_what_faults_did_to_the_world_survives_sigkill(start, tmp_path):
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"alpha": [*ODDS, *ACTS]}))
    process, url = start(SLIM, "--faults", plan)
    client = RawClient(url, key=KEYS["alpha"])
    answered = {}
    for number in range(200):
        side, price = ("BUY", "50500") if number % 2 else ("SELL", "49500")
        with suppress(OSError, HTTPException):
            _, order = client.order(
                side=side,
                price=price,
                quantity="0.001",
                timeInForce="IOC",
                newClientOrderId=f"order-{number}",
            )
            answered[order["clientOrderId"]] = order
    struck = ask(f"{url}/control/alpha/faults")[1]["struck"]
    os.kill(process.pid, signal.SIGKILL)
    process.wait(TIMEOUT_S)
    client.close()

    _, url = start(SLIM)
    client = RawClient(url, key=KEYS["alpha"])
    deposits: list[dict[str, Any]] = []
    while len(deposits) < struck["manual_deposit"]:  # the last ones may still be coming
        deposits = client.get("sapi/v1/capital/deposit/hisrec", coin="USDT")[1]
    client.close()
    balances, orders, open_orders, trades = facts(url)

    assert set(struck) == {fault["kind"] for fault in (*ODDS, *ACTS)}
    assert ask(f"{url}/control/alpha/faults")[1]["faults"] == []
    found = {order["clientOrderId"]: order for order in orders}
    assert open_orders == []
    assert {f"order-{number}" for number in range(200)} <= set(found)
    assert struck["manual_trade"] == len([name for name in found if name.startswith("web_")])
    for name, order in answered.items():
        assert Decimal(found[name]["executedQty"]) >= Decimal(order["executedQty"])
    wanted = {"BTC": Decimal(2), "USDT": 100_000 + sum(Decimal(row["amount"]) for row in deposits)}
    for trade in trades:
        sign = 1 if trade["isBuyer"] else -1
        wanted["BTC"] += sign * Decimal(trade["qty"])
        wanted["USDT"] -= sign * Decimal(trade["quoteQty"])
        wanted[trade["commissionAsset"]] -= Decimal(trade["commission"])
    assert {asset: Decimal(balances["spot"][asset]["free"]) for asset in wanted} == wanted
    done = sum(Decimal(order["executedQty"]) for order in orders)
    assert done == sum(Decimal(trade["qty"]) for trade in trades)


@pytest.mark.parametrize("entry", [SLIM, MANAGED], ids=" ".join)
def test_a_stop_signal_ends_it_in_an_orderly_way(start, entry):
    process, url = start(entry, "--seed", "5")
    assert [venue["code"] for venue in ask(url)[1]["venues"]] == ["alpha", "beta"]
    assert ask(f"{url}/healthz") == (200, {"status": "ok"})

    process.send_signal(signal.SIGTERM)

    assert process.wait(TIMEOUT_S) == 0


def test_a_simulator_that_cannot_start_says_why_in_one_sentence(tmp_path):
    refused = subprocess.run(
        [sys.executable, *SLIM, "--config", tmp_path / "absent.json"],
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )

    assert refused.returncode == 1
    assert refused.stdout == ""
    assert "absent.json cannot be read: No such file or directory." in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
