"""A part that dies in the middle of trading: nothing is sent twice and the books balance."""

import json
import os
import signal
from collections import Counter

import pytest

from tests.e2e.conftest import TRADING_TIMEOUT_S, wait_for

TOO_EARLY = """
    SELECT count(*) FROM ledger_order AS later JOIN ledger_order AS earlier
        ON earlier.execution_id = later.execution_id
        AND earlier.leg_index = later.leg_index AND earlier.id < later.id
    WHERE earlier.finished_at IS NULL OR earlier.finished_at > later.created_at
"""
"""A repair sends another order for a leg only once the one before is known to have ended."""


@pytest.mark.parametrize("part", ["engine", "worker"])
def test_no_order_is_sent_twice_where_a_part_is_killed_while_trading(start_demo, query, part):
    """An engine sends the orders of the demo; what has no end yet a worker looks up and repairs."""
    demo = start_demo(30)
    wait_for(lambda: query(demo, "SELECT 1 FROM ledger_fill"), "a trade")
    before = query(demo, "SELECT max(id) FROM ledger_order")

    # as soon as a new order is in the journal it is on its way to the venue
    wait_for(
        lambda: query(demo, "SELECT max(id) FROM ledger_order") > before, "an order", poll_s=0.002
    )
    os.kill(demo.pid(part), signal.SIGKILL)
    demo.wait(TRADING_TIMEOUT_S)

    report = json.loads(demo.output.splitlines()[-1])
    assert (report["imbalance"], report["differences"], report["restarts"]) == ({}, [], 1)
    assert (report["orders_unknown"], report["orders_unfinished"]) == (0, 0)
    orders, trades = _read_venues(demo)
    sent = Counter(orders.values())
    booked = {row[0] for row in query(demo, "SELECT client_order_id FROM ledger_order")}
    assert set(sent.values()) == {1}
    assert set(sent) <= booked
    assert query(demo, TOO_EARLY) == [(0,)]
    assert len(trades) == report["fills"]


def _read_venues(demo):
    """Return the client id of each order and the id of each trade that the venues wrote down."""
    orders: dict[tuple[str, int], str] = {}
    trades = set()
    for line in (demo.data_dir / "simulator/state/journal.jsonl").read_text().splitlines():
        fact = json.loads(line)
        orders |= {(fact["v"], row[0]): row[3] for row in fact.get("o", ())}
        trades |= {(fact["v"], row[0]) for row in fact.get("x", ())}
    return orders, trades
