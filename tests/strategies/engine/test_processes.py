"""Real engine processes: killed, frozen, ended, without a database. Nothing is ever held by two."""

import signal
import time
from datetime import timedelta
from itertools import pairwise
from typing import Any

import psycopg2
import pytest
from django.db import connection

from arbplatform.watch import guard_name
from ledger.models import LogEntry
from ledger.services.guards import is_holding
from strategies.domain.states import StrategyDriver, StrategyState
from strategies.models import EngineProcess, Strategy
from strategies.selectors import get_strategy
from strategies.services.leases import LEASE, Engine, acquire_leases
from strategies.services.runs import start_strategy, stop_strategy
from tests.chaos.reading import LEASE_EVENTS
from tests.processes import Part, redis_server, start_part, wait_until

__all__ = ["redis_server", "start_part"]

COUNT = 6


def start_streams(make_cross):
    for number in range(COUNT):
        row = make_cross(f"s{number}", driver=StrategyDriver.STREAM)
        start_strategy(strategy_id=row.pk, user=None)


@pytest.fixture
def streams(transactional_db, make_cross, calm):
    """Strategies that run on streams."""
    start_streams(make_cross)


def holders():
    """Return how many strategies each process holds, by its id; what nobody holds is left out."""
    names = Strategy.objects.exclude(tick_token="").values_list("lease_holder", flat=True)
    counted: dict[int, int] = {}
    for name in names:
        pid = int(name.split(":")[1])
        counted[pid] = counted.get(pid, 0) + 1
    return counted


def wait_for_holders(expected, parts):
    wait_until(
        lambda: holders() == expected,
        lambda: f"{holders()} should be {expected}; {[part.output for part in parts]}",
    )


def check_tenures():
    """Every lease of a strategy was taken after the one before it had ended, and by its number."""
    taken = LogEntry.objects.filter(event__in=LEASE_EVENTS)
    for strategy in Strategy.objects.all():
        lines = [line.context for line in taken.filter(strategy=strategy).order_by("id")]
        assert [line["fence"] for line in lines] == list(range(1, strategy.lease_fence + 1))
        given_back = {
            line.context["fence"]: line.context["engine"]
            for line in LogEntry.objects.filter(strategy=strategy, event="strategy_released")
        }
        for line, after in pairwise(lines):
            if line["fence"] not in given_back:
                assert after["before"] == line["engine"]


def leases_of(part):
    """Return the fencing numbers of the leases that a process holds, by strategy."""
    rows = Strategy.objects.filter(lease_holder__contains=f":{part.process.pid}:")
    return dict(rows.values_list("pk", "lease_fence"))


def check_taken_over(leases, lost_by, heir):
    """The next lease after each of these, which ran out, was the heir's."""
    for pk, fence in leases.items():
        taken = LogEntry.objects.filter(strategy_id=pk, event="strategy_taken_over")
        (line,) = [one.context for one in taken if one.context["fence"] == fence + 1]
        assert f":{lost_by.process.pid}:" in line["before"]
        assert f":{heir.process.pid}:" in line["engine"]


def start_two(start_part, **environment):
    one = start_part("engine", **environment)
    wait_for_holders({one.process.pid: COUNT}, [one])
    other = start_part("engine", **environment)
    wait_for_holders({one.process.pid: COUNT // 2, other.process.pid: COUNT // 2}, [one, other])
    return one, other


@pytest.fixture
def two(streams, start_part):
    """Two engines that share the strategies."""
    return start_two(start_part)


@pytest.fixture
def patient_two(streams, start_part):
    """Two engines that share the strategies, and lose none by being slow."""
    return start_two(start_part, LONG_LEASES="yes")


def test_the_strategies_of_a_killed_engine_are_taken_over(two):
    victim, heir = two
    left = leases_of(victim)

    victim.process.send_signal(signal.SIGKILL)
    wait_for_holders({heir.process.pid: COUNT}, two)

    check_tenures()
    dead = EngineProcess.objects.get(pid=victim.process.pid)
    assert dead.stopped_at is None
    assert len(left) == COUNT // 2
    check_taken_over(left, victim, heir)


def test_an_engine_that_is_told_to_end_hands_over_at_once(patient_two):
    leaving, heir = patient_two

    leaving.process.send_signal(signal.SIGTERM)
    wait_for_holders({heir.process.pid: COUNT}, patient_two)

    assert leaving.process.wait(30) == 0
    assert EngineProcess.objects.get(pid=leaving.process.pid).stopped_at is not None
    # all of them were given back: no lease had to run out
    assert not LogEntry.objects.filter(event="strategy_taken_over").exists()
    check_tenures()


def test_an_engine_that_was_frozen_finds_its_strategies_gone_and_joins_anew(two):
    sleeper, heir = two
    lost = leases_of(sleeper)

    sleeper.process.send_signal(signal.SIGSTOP)
    wait_for_holders({heir.process.pid: COUNT}, two)
    sleeper.process.send_signal(signal.SIGCONT)
    wait_for_holders({sleeper.process.pid: COUNT // 2, heir.process.pid: COUNT // 2}, two)

    check_tenures()
    assert len(lost) == COUNT // 2
    check_taken_over(lost, sleeper, heir)
    assert sleeper.process.poll() is None


@pytest.mark.usefixtures("patient_two")
def test_a_strategy_that_is_stopped_is_at_rest_in_a_moment():
    pk = Strategy.objects.order_by("pk")[0].pk
    holder = get_strategy(pk).lease_holder

    assert stop_strategy(strategy_id=pk, user=None).state == StrategyState.STOPPING
    wait_until(lambda: get_strategy(pk).state == StrategyState.STOPPED, "it stops")

    # its engine has given it back: no lease had to run out
    told = LogEntry.objects.filter(strategy_id=pk).order_by("-pk")
    released = told.filter(event="strategy_released")[0]
    assert released.context["engine"] == holder
    start_strategy(strategy_id=pk, user=None)
    wait_until(lambda: get_strategy(pk).lease_holder, "it is taken again")


def test_an_engine_that_is_alone_on_its_machine_looks_after_the_ground(streams, start_part):
    engine = start_part("engine", DISK_STOP_PERCENT="0", DISK_URGENT_PERCENT="0")

    wait_until(
        lambda: is_holding(guard_name("disk")),
        lambda: f"the guard of the disk holds: {engine.output}",
    )
    assert engine.end() == 0


def test_rows_that_a_paused_process_holds_are_free_after_a_while(own_database, make_cross, calm):
    start_streams(make_cross)
    with connection.cursor() as cursor:
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        assert cursor.fetchone() == ("10s",)
    directory, _slash, name = own_database.url.removeprefix("postgres://postgres@/").rpartition("/")
    sleeper: Any = psycopg2.connect(host=directory, dbname=name, user="postgres")
    sleeper.cursor().execute("SELECT id FROM strategies_strategy FOR UPDATE")

    engine = Engine.on("here", 1)
    assert acquire_leases(engine=engine, limit=COUNT) == []
    sleeper.cursor().execute("SET LOCAL idle_in_transaction_session_timeout TO 500")
    taken = wait_until(lambda: acquire_leases(engine=engine, limit=COUNT), "they are free")

    assert len(taken) == COUNT
    sleeper.close()


def test_without_the_database_an_engine_loses_its_leases_and_takes_them_anew(
    own_database, make_cross, calm, redis_server, tmp_path
):
    start_streams(make_cross)
    engine = Part("engine", redis_server.url, tmp_path, DATABASE_URL=own_database.url)
    try:
        wait_for_holders({engine.process.pid: COUNT}, [engine])
        own_database.go_away()
        time.sleep((LEASE + timedelta(seconds=6)).total_seconds())
        own_database.come_back()
        wait_until(
            lambda: min(Strategy.objects.values_list("lease_fence", flat=True)) > 1,
            lambda: f"the leases are taken anew: {engine.output}",
        )

        wait_for_holders({engine.process.pid: COUNT}, [engine])
        check_tenures()
        assert "the database is away" in engine.output
        assert engine.end() == 0
    finally:
        engine.clean_up()
        connection.close()
