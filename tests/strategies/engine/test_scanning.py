"""Real scanner processes, beside simulated venues and a Redis of our own."""

import signal

import orjson
import pytest
import redis

from accounts.models import VenueAccount
from markets.gateway.factory import close_all
from markets.simulator.running import start_in_thread
from strategies.services.scan_store import KEY, scan_from_json
from strategies.services.sightings import Source
from tests.processes import redis_server, start_part, wait_until
from tests.strategies.simulated import market, register, venue

__all__ = ["redis_server", "start_part"]

PAIR = "BTC/USDT alpha → beta"
FUNDS = {"BTC": "5", "USDT": "500000"}


@pytest.fixture
def simulator(transactional_db):
    """BTC is cheap on alpha and dear on beta."""
    markets = [market("BTC/USDT")]
    running = start_in_thread(
        {"seed": 7, "venues": [venue(c, markets=markets, funds=FUNDS) for c in ("alpha", "beta")]}
    )
    running.control.set_book("alpha", "BTC/USDT", [("49990", "1")], [("50000", "0.7")])
    running.control.set_book("beta", "BTC/USDT", [("50500", "0.9")], [("50510", "1")])
    register(running, ["alpha", "beta"])
    yield running
    close_all()
    running.stop()


@pytest.fixture
def store(redis_server):
    with redis.Redis.from_url(redis_server.url) as client:
        yield client


def read(store):
    """Return what stands in Redis now, and what it says of the pair."""
    text = store.get(KEY)
    if text is None:
        return None, None
    scan = scan_from_json(orjson.loads(text))
    found = [item for item in scan.sightings if item.nomination.subject == PAIR]
    return scan, found[0] if found else None


def wait_for_pair(store, part):
    def look():
        scan, pair = read(store)
        return scan and pair and pair.intent and scan.feeds.get("beta") is Source.STREAM and pair

    return wait_until(look, lambda: f"the pair is seen: {read(store)[0]} {part.output}")


def test_a_scanner_sees_what_earns_by_streams_and_sees_it_go(simulator, store, start_part):
    listener = store.pubsub(ignore_subscribe_messages=True)
    listener.subscribe("arb:push:opportunities")
    scanner = start_part("scanner")

    pair = wait_for_pair(store, scanner)

    assert pair.intent.legs[0].quantity > 0
    assert pair.profit == pair.intent.expected_profit > 0
    assert 0 <= pair.age_ms < 30_000
    assert store.keys("*heartbeat:scanner")
    simulator.control.set_book("beta", "BTC/USDT", [("49990", "0.9")], [("50510", "1")])
    wait_until(lambda: read(store)[0] and read(store)[1] is None, "the pair is gone")
    frame = wait_until(listener.get_message, "clients are told")
    assert orjson.loads(frame["data"])["data"]["prices"] == "stream"
    assert scanner.end() == 0
    assert "Traceback" not in scanner.output
    assert not store.keys("*heartbeat:scanner")
    assert VenueAccount.objects.count() == 2


def test_a_second_scanner_waits_and_takes_over_from_one_that_was_killed(
    simulator, store, start_part
):
    first = start_part("scanner")
    wait_for_pair(store, first)
    holder = store.get("arb:scanner")

    second = start_part("scanner")
    first.process.send_signal(signal.SIGKILL)
    wait_until(
        lambda: store.get("arb:scanner") not in {None, holder},
        lambda: f"the second one takes over: {second.output}",
    )
    wait_for_pair(store, second)

    assert second.end() == 0
    assert store.get("arb:scanner") is None
