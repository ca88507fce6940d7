"""The demo from start to reckoning: what it says must be true of its database."""

import json

from tests.e2e.conftest import TRADING_TIMEOUT_S, processes_of


def test_a_demo_trades_both_ways_and_every_book_balances(start_demo, query):
    demo = start_demo(30)

    code = demo.wait(TRADING_TIMEOUT_S)

    report = json.loads(demo.output.splitlines()[-1])
    assert (code, report["ok"]) == (0, True), demo.output
    assert report["arbitrages"]["cross-venue"] >= 1
    assert report["arbitrages"]["triangular"] >= 1
    assert (report["imbalance"], report["differences"]) == ({}, [])
    assert (report["orders_unknown"], report["orders_unfinished"]) == (0, 0)
    errors = query(demo, "SELECT event, context FROM ledger_logentry WHERE level >= 40")
    assert (errors, report["errors"]) == ([], 0)
    assert report["balances_compared"] == 12
    sent = report["speed"]["send"]["count"]
    assert report["speed"]["decision"]["count"] > 0
    assert report["speed"]["commit"]["count"] > 0
    assert processes_of(demo.data_dir) == {}
    ((fills,),) = query(demo, "SELECT count(*) FROM ledger_fill")
    assert fills == report["fills"] >= 5
    # all of them by stream: no strategy of the demo has ever been scheduled
    ((scheduled,),) = query(
        demo, "SELECT count(*) FROM strategies_strategy WHERE periodic_task_id IS NOT NULL"
    )
    ((orders,),) = query(demo, "SELECT count(*) FROM ledger_order")
    assert (scheduled, sent <= orders) == (0, True)
