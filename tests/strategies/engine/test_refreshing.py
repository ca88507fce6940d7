"""Whose turn it is to be read anew, and what comes of a reading."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError

from arbplatform.core.clock import SYSTEM_CLOCK
from arbplatform.core.errors import Conflict
from strategies.engine import refreshing
from strategies.engine.refreshing import Refresher
from strategies.services.failures import Failure, explain
from strategies.services.streaming import Readings, note_stream_failures, read_stream_bases


class Held:
    """A decider, as far as readings concern it."""

    def __init__(self, strategy_id):
        self.strategy_id = strategy_id
        self.run_id = 100 + strategy_id
        self.claim = f"claim {strategy_id}"
        self.engagements = 0


class Desk:
    """Readings that a test answers, and what was installed."""

    def __init__(self, count):
        self.deciders: Any = {pk: Held(pk) for pk in range(1, count + 1)}
        self.readings: list[list[int]] = []
        self.installed: list[tuple[int, str, int]] = []
        self.noted: list[tuple[str, Failure]] = []
        self.failures: dict[int, Exception] = {}
        self.away: Exception | None = None
        self.takes_s = 0.0
        self.while_read = lambda: None

    async def run(self, job):
        await asyncio.sleep(self.takes_s)
        if job.func is note_stream_failures:
            self.noted += job.keywords["failures"]
            return None
        assert job.func is read_stream_bases
        runs = job.keywords["runs"]
        assert runs == {pk: 100 + pk for pk in runs}
        self.readings.append(sorted(runs))
        self.while_read()
        if self.away is not None:
            raise self.away
        bases: Any = {pk: f"basis {pk}" for pk in runs if pk not in self.failures}
        return Readings(bases, {pk: self.failures[pk] for pk in runs if pk in self.failures})

    def install(self, decider, basis, engagements):
        if basis == "basis 13":
            raise RuntimeError("a bug of a plugin")
        self.installed.append((decider.strategy_id, basis, engagements))

    async def until(self, is_so):
        async with asyncio.timeout(30):
            while not is_so():  # noqa: ASYNC110
                await asyncio.sleep(0.001)


NOT_SOON_S = 600.0
"""Until what was read is read anew: nothing that a test sees is due, however long it takes."""


@pytest.fixture
def make_desk(monkeypatch):
    """Return a function that puts a refresher to work for some strategies."""
    monkeypatch.setattr(refreshing, "REFRESH_S", 0.05)
    monkeypatch.setattr(refreshing, "TOGETHER_MAX", 4)
    monkeypatch.setattr(refreshing, "NEW_MAX", 2)

    def make(count):
        desk = Desk(count)
        refresher = Refresher(
            deciders=desk.deciders, run=desk.run, install=desk.install, clock=SYSTEM_CLOCK
        )
        return SimpleNamespace(desk=desk, refresher=refresher)

    return make


async def test_new_ones_are_read_a_few_at_a_time_and_then_all_again(make_desk, monkeypatch):
    monkeypatch.setattr(refreshing, "REFRESH_S", NOT_SOON_S)
    made = make_desk(3)
    desk = made.desk

    await desk.until(lambda: len(desk.installed) == 3)
    monkeypatch.setattr(refreshing, "REFRESH_S", 0.0)
    made.refresher.hurry()
    await desk.until(lambda: len(desk.readings) >= 4)
    await made.refresher.close()

    assert desk.readings[:4] == [[1, 2], [3], [1, 2], [1, 3]]
    assert desk.installed[:3] == [(1, "basis 1", 0), (2, "basis 2", 0), (3, "basis 3", 0)]
    assert desk.noted == []


async def test_who_is_held_already_does_not_wait_for_many_new_ones(make_desk):
    made = make_desk(2)
    desk = made.desk
    await desk.until(lambda: len(desk.readings) == 1)

    desk.takes_s = 0.02
    desk.deciders.update({pk: Held(pk) for pk in range(3, 40)})
    made.refresher.hurry()
    await desk.until(lambda: {1, 2} <= {pk for each in desk.readings[1:] for pk in each})
    await made.refresher.close()

    assert len({pk for each in desk.readings for pk in each}) < 39
    assert max(len(each) for each in desk.readings) <= 4


async def test_a_new_one_is_read_at_once(make_desk, monkeypatch):
    monkeypatch.setattr(refreshing, "REFRESH_S", NOT_SOON_S)
    made = make_desk(1)
    desk = made.desk
    await desk.until(lambda: desk.installed)

    desk.deciders[2] = Held(2)
    made.refresher.hurry()

    await desk.until(lambda: len(desk.installed) == 2)
    await made.refresher.close()
    assert desk.readings == [[1], [2]]


async def test_what_was_let_go_while_it_was_read_gets_nothing(make_desk):
    made = make_desk(2)
    desk = made.desk
    desk.while_read = lambda: desk.deciders.__setitem__(1, Held(1))

    await desk.until(lambda: desk.installed)
    await made.refresher.close()

    assert desk.installed[0] == (2, "basis 2", 0)


async def test_an_execution_during_the_reading_is_told_by_the_number_before_it(make_desk):
    made = make_desk(1)
    desk = made.desk
    desk.while_read = lambda: setattr(desk.deciders[1], "engagements", 7)

    await desk.until(lambda: len(desk.installed) == 2)
    await made.refresher.close()

    assert [engagements for _pk, _basis, engagements in desk.installed[:2]] == [0, 7]


async def test_what_goes_wrong_with_one_is_noted_of_that_one(make_desk, monkeypatch):
    monkeypatch.setattr(refreshing, "REFRESH_S", NOT_SOON_S)
    made = make_desk(13)
    desk = made.desk
    desk.failures[2] = Conflict("The run {run_id} has ended.", run_id=102)

    await desk.until(lambda: len(desk.noted) >= 2)
    await made.refresher.close()

    assert dict(desk.noted) == {
        "claim 2": explain(desk.failures[2]),
        "claim 13": explain(RuntimeError("a bug of a plugin")),
    }
    assert {pk for pk, _basis, _number in desk.installed} == set(range(1, 14)) - {2, 13}


@pytest.mark.parametrize(
    "error", [OperationalError("away"), asyncio.QueueFull()], ids=["db", "full"]
)
async def test_while_nothing_can_be_read_nobody_has_failed_and_it_is_tried_again(
    make_desk, error, caplog
):
    made = make_desk(1)
    desk = made.desk
    desk.away = error
    await desk.until(lambda: len(desk.readings) == 2)
    assert desk.installed == []

    desk.away = None
    await desk.until(lambda: desk.installed)
    await made.refresher.close()

    assert desk.noted == []
    assert "strategies" in caplog.text


async def test_the_loop_is_not_kept_while_many_are_told(make_desk, monkeypatch):
    monkeypatch.setattr(refreshing, "NEW_MAX", 40)
    monkeypatch.setattr(refreshing, "TOGETHER_MAX", 80)
    made = make_desk(12)
    desk = made.desk
    seen = []

    def look():
        seen.append(len(desk.installed))
        if len(desk.installed) < 12:
            asyncio.get_running_loop().call_soon(look)

    asyncio.get_running_loop().call_soon(look)
    await desk.until(lambda: len(desk.installed) == 12)
    await made.refresher.close()

    assert refreshing.HANDED_OUT - 1 in seen


async def test_its_own_end_is_told(make_desk, monkeypatch):
    made = make_desk(1)
    made.refresher.check()
    monkeypatch.setattr(refreshing, "TOGETHER_MAX", None)

    await made.desk.until(made.refresher._task.done)

    with pytest.raises(TypeError):
        made.refresher.check()
