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
    assert (report["orders_unknown"], report["orders_unfinished"], report["errors"]) == (0, 0, 0)
    assert report["balances_compared"] == 12
    assert processes_of(demo.data_dir) == {}
    ((fills,),) = query(demo, "SELECT count(*) FROM ledger_fill")
    assert fills == report["fills"] >= 5
