"""The demo from start to reckoning: what it says must be true of the books and of the venues."""

import json
import os
import signal
import sqlite3
from collections import Counter
from contextlib import closing
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg2
import pytest

from tests.e2e.conftest import processes_of, wait_for

DATABASE_URL = os.environ.get("DATABASE_URL", "")
TRADING_TIMEOUT_S = 180


@pytest.fixture
def database_url():
    """An empty database on the server under test; the empty string is SQLite's."""
    if not DATABASE_URL:
        yield ""
        return
    name = f"demo_{uuid4().hex}"
    server = urlsplit(DATABASE_URL)
    with closing(_connect(DATABASE_URL)) as connection:
        connection.autocommit = True
        connection.cursor().execute(f"CREATE DATABASE {name}")
    directory, _slash, _present = server.path.rpartition("/")
    yield server._replace(path=f"{directory}/{name}").geturl()
    with closing(_connect(DATABASE_URL)) as connection:
        connection.autocommit = True
        connection.cursor().execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def query(database_url):
    """Ask the demo's database, past all of our code."""

    def ask(demo, sql):
        connection = (
            _connect(database_url)
            if database_url
            else sqlite3.connect(demo.data_dir / "db.sqlite3", timeout=20)
        )
        with closing(connection):
            cursor = connection.cursor()
            cursor.execute(sql)
            return cursor.fetchall()

    return ask


@pytest.fixture
def start_demo(start, database_url):
    def start_it(seconds):
        return start(
            *("--seconds", str(seconds), "--database-url", database_url), command="demo"
        ).wait_until_up()

    return start_it


def _connect(url):
    server = urlsplit(url)
    host, _slash, name = server.path.rpartition("/")
    return psycopg2.connect(
        host=server.hostname or f"/{host.lstrip('/')}",
        port=server.port,
        user=server.username,
        password=server.password,
        dbname=name,
    )


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


def test_a_worker_that_is_killed_while_trading_sends_no_order_twice(start_demo, query):
    demo = start_demo(30)
    wait_for(lambda: query(demo, "SELECT 1 FROM ledger_fill"), "a trade")
    before = query(demo, "SELECT max(id) FROM ledger_order")

    # as soon as a new order is in the journal it is on its way to the venue
    wait_for(
        lambda: query(demo, "SELECT max(id) FROM ledger_order") > before, "an order", poll_s=0.002
    )
    os.kill(demo.pid("worker"), signal.SIGKILL)
    demo.wait(TRADING_TIMEOUT_S)

    report = json.loads(demo.output.splitlines()[-1])
    assert (report["imbalance"], report["differences"], report["restarts"]) == ({}, [], 1)
    assert (report["orders_unknown"], report["orders_unfinished"]) == (0, 0)
    orders, trades = _read_venues(demo)
    sent = Counter(orders.values())
    booked = {row[0] for row in query(demo, "SELECT client_order_id FROM ledger_order")}
    assert set(sent.values()) == {1}
    assert set(sent) <= booked
    legs = query(demo, "SELECT count(*) FROM ledger_order GROUP BY execution_id, leg_index")
    assert set(legs) == {(1,)}
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
