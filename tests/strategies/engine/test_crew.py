"""Threads that do what blocks."""

import asyncio
import sys
import threading
from contextlib import suppress

import pytest
from django.db import OperationalError, connection, connections

from strategies.engine import crew as crews
from strategies.engine.crew import Crew


class Note:
    """An errand that keeps what it is told."""

    has_gone = False

    @property
    def is_away(self):
        return self.has_gone

    def __init__(self, job):
        self.job = job
        self.told = asyncio.get_running_loop().create_future()
        self.begun = 0

    def begin(self):
        self.begun += 1
        return self.job

    def end(self, result):
        self.told.set_result(result)

    def fail(self, error):
        self.told.set_exception(error)


@pytest.fixture
async def crew():
    members = Crew(2, name="test", reserve=1)
    yield members
    assert await members.close(timeout_s=5)


async def test_a_job_is_done_in_a_thread_and_its_result_is_told_on_the_loop(crew):
    errand = Note(lambda: threading.current_thread().name)
    crew.ask(errand)

    assert (await errand.told).startswith("test-")
    assert threading.current_thread().name not in errand.told.result()


async def test_who_worked_last_works_next(crew):
    names = [await crew.run(lambda: threading.current_thread().name) for _ in range(5)]

    assert len(set(names)) == 1


async def test_what_a_job_raises_is_told(crew):
    def fail():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await crew.run(fail)
    assert await crew.run(lambda: 1) == 1


async def test_an_errand_without_a_job_takes_no_thread(crew):
    given_up = Note(None)
    crew.ask(given_up)

    assert (given_up.begun, crew.busy, crew.waiting) == (1, 0, 0)


async def test_jobs_are_made_when_a_thread_is_free_the_urgent_ones_first(crew):
    gate = threading.Event()
    blocking = [Note(gate.wait) for _ in range(2)]
    for errand in blocking:
        crew.ask(errand)
    patient, urgent = Note(lambda: "patient"), Note(lambda: "urgent")
    crew.ask(patient, is_urgent=False)
    crew.ask(urgent)
    assert (crew.busy, crew.waiting, patient.begun, urgent.begun) == (2, 2, 0, 0)

    gate.set()
    await asyncio.gather(*(each.told for each in (*blocking, patient, urgent)))

    assert (patient.begun, urgent.begun) == (1, 1)


async def test_patient_errands_leave_the_reserve_to_urgent_ones(crew):
    gate = threading.Event()
    patient = [Note(gate.wait) for _ in range(2)]
    for errand in patient:
        crew.ask(errand, is_urgent=False)
    assert (crew.busy, crew.waiting) == (1, 1)

    urgent = Note(lambda: "done")
    crew.ask(urgent)

    assert await urgent.told == "done"
    gate.set()
    await asyncio.gather(*(each.told for each in patient))


async def test_a_patient_errand_that_has_become_urgent_waits_no_longer(crew):
    gate = threading.Event()
    blocking, waiting = Note(gate.wait), Note(lambda: "done")
    crew.ask(blocking, is_urgent=False)
    crew.ask(waiting, is_urgent=False)
    assert (crew.busy, crew.waiting) == (1, 1)

    crew.hurry(waiting)
    crew.hurry(blocking)

    assert await waiting.told == "done"
    assert (waiting.begun, crew.waiting) == (1, 0)
    gate.set()
    await blocking.told


async def test_a_full_queue_refuses_and_counts(crew, monkeypatch):
    monkeypatch.setattr(crews, "WAITING_MAX", 1)
    gate = threading.Event()
    errands = [Note(gate.wait) for _ in range(3)]
    assert [crew.ask(errand) for errand in errands] == [True, True, True]

    assert crew.ask(Note(gate.wait)) is False
    with pytest.raises(asyncio.QueueFull):
        await crew.run(gate.wait)

    assert crew.dropped == 2
    gate.set()
    await asyncio.gather(*(each.told for each in errands))


async def test_a_closed_crew_takes_nothing_and_says_whether_it_ended_in_time():
    members = Crew(1, name="slow")
    gate = threading.Event()
    errand = Note(gate.wait)
    members.ask(errand)

    assert await members.close(timeout_s=0.02) is False
    assert members.ask(Note(None)) is False
    gate.set()
    assert await errand.told is True
    assert await members.close(timeout_s=5) is True


@pytest.fixture
async def spared(monkeypatch):
    """One thread, and one spare that takes its place at once when it is away."""
    monkeypatch.setattr(crews, "HANG_S", 0.0)
    monkeypatch.setattr(crews, "LOOK_S", 0.001)
    members = Crew(1, name="test", spares=1)
    yield members
    assert await members.close(timeout_s=5)


async def test_a_spare_thread_takes_the_place_of_one_that_is_away(spared):
    gate = threading.Event()
    hanging, waiting = Note(gate.wait), Note(lambda: threading.current_thread().name)
    hanging.has_gone = True
    spared.ask(hanging)
    assert (spared.busy, waiting.begun) == (1, 0)

    spared.ask(waiting)

    assert await waiting.told == "test-1"
    assert not hanging.told.done()
    gate.set()
    await hanging.told


async def test_when_the_one_that_was_away_is_back_it_ends_and_the_spare_stays(spared):
    for number in (1, 2):
        gate = threading.Event()
        hanging, waiting = Note(gate.wait), Note(lambda: threading.current_thread().name)
        hanging.has_gone = True
        spared.ask(hanging)
        spared.ask(waiting)
        assert await waiting.told == f"test-{number}"
        gate.set()
        await hanging.told
        assert spared.busy == 0

    assert await spared.run(lambda: threading.current_thread().name) == "test-2"


async def test_there_are_no_more_than_so_many_spare_threads(spared):
    gates = [threading.Event() for _ in range(2)]
    is_second_there = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hang():
        loop.call_soon_threadsafe(is_second_there.set)
        return gates[1].wait()

    hanging = [Note(gates[0].wait), Note(hang)]
    last = Note(lambda: "done")
    for errand in (*hanging, last):
        errand.has_gone = errand is not last
        spared.ask(errand)
    await is_second_there.wait()
    assert (spared.busy, spared.waiting, last.begun) == (2, 1, 0)

    gates[0].set()

    assert await last.told == "done"
    gates[1].set()
    await asyncio.gather(*(each.told for each in hanging))


async def test_who_only_works_for_long_keeps_its_place(spared):
    is_asked, gate = asyncio.Event(), threading.Event()

    class Working(Note):
        @property
        def is_away(self):
            is_asked.set()
            return False

    working, waiting = Working(gate.wait), Note(lambda: threading.current_thread().name)
    spared.ask(working)
    spared.ask(waiting)
    await is_asked.wait()
    assert (spared.busy, waiting.begun) == (1, 0)

    gate.set()

    assert await waiting.told == "test-0"


async def test_a_plugin_that_exits_ends_no_thread(crew):
    with pytest.raises(RuntimeError, match="SystemExit: 3"):
        await crew.run(lambda: sys.exit(3))

    assert await crew.run(lambda: 1) == 1
    assert crew.busy == 0


@pytest.mark.django_db(transaction=True)
async def test_a_connection_that_cannot_be_closed_ends_no_thread(crew):
    def break_connection():
        def fail():
            raise OperationalError("the driver is confused")

        connection.ensure_connection()
        connection.errors_occurred = True
        vars(connections["default"])["close_if_unusable_or_obsolete"] = fail

    def mend_connection():
        del vars(connections["default"])["close_if_unusable_or_obsolete"]

    async with asyncio.timeout(30):
        await crew.run(break_connection)
        await crew.run(mend_connection)

    assert crew.busy == 0


async def test_an_errand_that_cannot_be_begun_disturbs_nobody(crew):
    class Broken(Note):
        def begin(self):
            raise ValueError("no")

    broken, other = Broken(lambda: 1), Note(lambda: 2)

    crew.ask(broken)
    crew.ask(other)

    assert await other.told == 2
    assert (crew.waiting, broken.told.done()) == (0, False)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs PostgreSQL: sessions")
@pytest.mark.django_db(transaction=True)
async def test_a_thread_whose_connection_has_died_opens_another_one_though_no_job_raised(crew):
    def end_session():
        with suppress(OperationalError), connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    def read():
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return cursor.fetchone()[0]

    await crew.run(end_session)

    assert await crew.run(read) == 1
