"""An engine process ends in order when it is told to, and at once when anything crashes."""

import asyncio
import os
import signal

import pytest

from arbplatform.background.draining import DRAIN
from strategies.engine.keeper import LeaseKeeper
from strategies.engine.process import EngineProcess, read_rss_mb
from strategies.models import EngineProcess as EngineRow
from strategies.services.leases import Engine

pytestmark = pytest.mark.django_db(transaction=True)


async def rest(_keeper):
    """Do nothing with the strategies but hold them."""
    await asyncio.Event().wait()


@pytest.fixture(autouse=True)
def undrained(monkeypatch):
    """The test's own process does not end."""
    monkeypatch.setattr(DRAIN, "_began_ms", None)


@pytest.fixture
def keeper():
    """A keeper of this process."""
    return LeaseKeeper(Engine.on("here", os.getpid()))


def run(keeper, work, *, memory_mb_max=0, rss_mb=100.0):
    async def main():
        process = EngineProcess(
            keeper, work, memory_mb_max=memory_mb_max, read_rss_mb=lambda: rss_mb
        )
        return await asyncio.wait_for(process.run(), 30)

    return asyncio.run(main())


def tell_to_end(number=signal.SIGTERM):
    asyncio.get_running_loop().call_later(0.2, os.kill, os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_it_drains_closes_its_work_and_ends_well(keeper, number):
    closed = []

    async def work(_keeper):
        tell_to_end(number)
        try:
            await asyncio.Event().wait()
        finally:
            closed.append(DRAIN.has_begun)

    assert run(keeper, work) == 0

    assert closed == [True]
    row = EngineRow.objects.get(name=keeper.engine.name)
    assert row.stopped_at is not None


def test_work_that_crashes_ends_it_with_an_error(keeper, caplog):
    async def work(_keeper):
        raise RuntimeError("a bug in the loop")

    assert run(keeper, work) == 1

    assert "a bug in the loop" in caplog.text
    assert not DRAIN.has_begun


def test_work_that_just_ends_is_a_crash(keeper, caplog):
    async def work(_keeper):
        return

    assert run(keeper, work) == 1
    assert "The engine has crashed and ends" in caplog.text


def test_a_thread_of_the_keeper_that_crashes_ends_it_with_an_error():
    class Broken(LeaseKeeper):
        def take(self):
            raise RuntimeError("a bug in the keeper")

    assert run(Broken(Engine.on("here", os.getpid())), rest) == 1


def test_work_that_cannot_be_closed_does_not_hold_the_end_up(keeper, monkeypatch):
    monkeypatch.setattr("strategies.engine.process.CLOSE_TIMEOUT_S", 0.2)

    async def work(_keeper):
        tell_to_end()
        while True:
            try:
                await asyncio.sleep(0.5)
            except asyncio.CancelledError:
                await asyncio.sleep(0.5)
                raise

    assert run(keeper, work) == 0


def test_what_is_still_busy_is_waited_for_only_so_long(keeper, monkeypatch, settings):
    settings.WORKER_DRAIN_MS = 200
    monkeypatch.setattr("strategies.engine.process.GRACE_MS", 100)
    monkeypatch.setattr(LeaseKeeper, "is_empty", False)

    async def work(_keeper):
        tell_to_end()
        await asyncio.Event().wait()

    assert run(keeper, work) == 0
    assert DRAIN.elapsed_ms >= 300


def test_one_that_has_grown_too_large_ends_well_to_be_started_again(keeper, caplog):
    assert run(keeper, rest, memory_mb_max=99, rss_mb=100.0) == 0

    assert "uses 100 MiB of memory and may use 99" in caplog.text


def test_its_memory_is_read_from_the_system():
    assert 10 < read_rss_mb() < 10_000
