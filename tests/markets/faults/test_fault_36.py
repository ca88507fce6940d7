"""Several processes share one address: together they stay below what the venue allows to it."""

import json
import subprocess
import sys
from pathlib import Path

from markets.gateway.base import VenueSpec
from markets.gateway.budget import budget_for
from markets.gateway.limiter import BURST_MS, RESERVE_MS

ROOT = Path(__file__).parents[3]
UNIT_MS = 200
COST = 0.2
"""Of the question for the time, by ccxt's table."""
SPAN_S = 2.0
FEW = 13
"""So often each is answered at least: together half of what the span allows without the burst."""


def start(redis_server, simulator):
    origin = f"{simulator.url}/alpha"
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.markets.faults.hammer"),
            *(redis_server.url, origin, str(UNIT_MS), str(SPAN_S), str(FEW)),
        ],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def finish(process):
    output, _ = process.communicate("go\n", timeout=60)
    return json.loads(output.splitlines()[-1])


def test_two_processes_together_stay_below_the_budget_and_use_it(redis_server, simulator):
    processes = [start(redis_server, simulator) for _ in range(2)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()

    told = [finish(process) for process in processes]

    at_once = (BURST_MS - RESERVE_MS) / (UNIT_MS * COST)
    # both read the same clock, and one may have begun long after the other
    span_s = max(one["ended_s"] for one in told) - min(one["began_s"] for one in told)
    sent = [one["sent"] for one in told]
    assert sum(sent) <= at_once + span_s * 1_000 / (UNIT_MS * COST)
    assert min(sent) >= FEW


def test_venues_of_one_class_and_place_share_and_others_do_not():
    def keys(**spec):
        return budget_for(VenueSpec(**{"ccxt_id": "binance", **spec}), 50.0, "here").keys

    mine = keys(code="mine")
    assert keys(code="other") == mine
    assert set(keys(code="mine", rest_origin="https://testnet.example")).isdisjoint(mine)
    assert set(keys(code="mine", ccxt_id="okx")).isdisjoint(mine)


def test_a_proxy_is_an_address_of_its_own_but_orders_of_an_account_count_everywhere():
    options = {"httpsProxy": "http://user:hidden@proxy.example:1"}
    direct = budget_for(VenueSpec("v", "binance"), 50.0, "here")
    proxied = budget_for(VenueSpec("v", "binance", options=options), 50.0, "here")

    assert proxied.keys[:2] != direct.keys[:2]
    assert proxied.keys[2] == direct.keys[2]
    assert "hidden" not in "".join(proxied.keys)
