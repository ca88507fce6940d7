"""One process at a time uses a key whose nonces must rise; others wait for their turn."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from markets.errors import VenueUnavailable
from markets.gateway import factory
from markets.gateway.base import Credentials
from markets.gateway.budget import Redis
from markets.gateway.nonces import LEASE_MARGIN_MS, TAKE, Turns
from markets.gateway.pool import PoolExhausted
from tests.markets.fakes.exchange import Refusal, Refused
from tests.markets.fakes.kraken import FakeKraken
from tests.markets.fakes.stage import KEY, SECRET, kraken_stage

CALLS = 40
BEHIND_MS = "-3000"
DEAD_MS = 100


class CountingKraken(FakeKraken):
    """Counts the requests that came with a nonce that was not larger than the last one."""

    stale_count = 0
    signed_count = 0

    def _authenticate(self, request):
        self.signed_count += 1
        try:
            return super()._authenticate(request)
        except Refused as refused:
            self.stale_count += refused.reason is Refusal.BAD_NONCE
            raise


@pytest.fixture
def kraken(monkeypatch):
    monkeypatch.setattr("tests.markets.fakes.stage.FakeKraken", CountingKraken)
    with kraken_stage() as stage:
        yield stage


def run_processes(stage, redis_url):
    """Let two processes use the key at once, one of whose clocks is behind."""
    arguments = [redis_url, stage.spec.rest_origin, KEY, SECRET, str(CALLS)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.markets.faults.nonces", *arguments, ahead_ms],
            cwd=Path(__file__).parents[3],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for ahead_ms in ("0", BEHIND_MS)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", process.communicate()[1]
    results = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _output, errors = process.communicate(timeout=120)
        results.append((process.returncode, errors))
    return results


def test_two_processes_never_send_a_nonce_that_is_too_small(kraken, redis_server):
    results = run_processes(kraken, redis_server.url)

    assert [code for code, _errors in results] == [0, 0], results
    assert kraken.venue.signed_count >= 2 * CALLS
    assert kraken.venue.stale_count == 0


def test_without_turns_they_would(kraken):
    """The proof that the test before means something: nothing is shared here."""
    run_processes(kraken, "")

    assert kraken.venue.stale_count > 0


def store(url):
    return Redis(url)


def test_a_turn_of_a_process_that_was_killed_ends_by_itself(redis_server):
    shared = store(redis_server.url)
    keys = ("arb:nonce:{k}:turn", "arb:nonce:{k}:last")
    assert Turns("k", shared, timeout_ms=5_000)._keys == keys
    taken_s = time.monotonic()
    assert shared.run(TAKE, keys, "dead", DEAD_MS) == [1, 0]

    with Turns("k", shared, timeout_ms=5_000).take(Client()):
        waited_ms = (time.monotonic() - taken_s) * 1_000

    assert waited_ms > DEAD_MS - 1  # Redis counts whole milliseconds
    assert LEASE_MARGIN_MS > 0
    shared.close()


class Client:
    """What a turn needs of an instance."""

    last_nonce = 0


def test_a_turn_that_does_not_come_in_time_sends_nothing(redis_server):
    shared = store(redis_server.url)
    shared.run(TAKE, ("arb:nonce:{k}:turn", "arb:nonce:{k}:last"), "another", 60_000)

    with (
        pytest.raises(PoolExhausted),
        Turns("k", shared, timeout_ms=50, sleep=lambda _s: None).take(Client()),
    ):
        pytest.fail("it was not our turn")
    shared.close()


def test_nonces_begin_above_those_of_the_process_before(redis_server):
    shared = store(redis_server.url)
    first, second = Client(), Client()
    with Turns("k", shared, timeout_ms=1_000).take(first):
        first.last_nonce = 9_000

    with Turns("k", shared, timeout_ms=1_000).take(second):
        assert second.last_nonce == 9_000
    shared.close()


def test_while_redis_is_away_a_process_goes_on_alone(kraken):
    factory.configure(timeout_ms=30_000, redis_url="unix:///nowhere/redis.sock")

    gateway = factory.gateway_for(kraken.spec, Credentials(KEY, SECRET))

    assert gateway.fetch_balances()


def test_a_key_that_is_in_use_elsewhere_is_refused_as_busy(kraken, redis_server):
    factory.configure(timeout_ms=10_000, redis_url=redis_server.url)
    gateway = factory.gateway_for(kraken.spec, Credentials(KEY, SECRET))
    turns = gateway._session._turns  # type: ignore[attr-defined]
    turns._timeout_ms = 50
    shared = store(redis_server.url)
    shared.run(TAKE, turns._keys, "another", 60_000)
    signed = kraken.venue.signed_count

    with pytest.raises(VenueUnavailable, match="all connections are busy"):
        gateway.fetch_balances()

    assert kraken.venue.signed_count == signed
    shared.close()
