"""Rows that have been kept long enough are removed; a little at a time, and nothing else."""

from datetime import timedelta

import pytest

from arbplatform.background.draining import Drain
from arbplatform.retention import pruning, tasks
from arbplatform.retention.kinds import Kind, find_kind, list_kinds, register
from arbplatform.retention.models import Retention
from arbplatform.retention.pruning import BATCH_ROWS, LEASE, Limits, count_removable, prune
from ledger.models import LogEntry, LogLevel
from tests.retention.conftest import NOW

pytestmark = pytest.mark.django_db

BATCHES = 4
LOGS = "logs"


class KilledError(Exception):
    """The process ends between two batches."""


def keep_going(_seconds):
    """Do not wait."""


def run(clock, *, pause=keep_going, kinds=(LOGS,), **options):
    found = [kind for name in kinds if (kind := find_kind(name))]
    return prune(kinds=found, clock=clock, pause=pause, **options)


def state(name=LOGS):
    return Retention.objects.get(kind=name)


def test_what_is_old_goes_and_what_is_young_stays(clock, write_logs, settings):
    write_logs(3, days=settings.RETENTION_DAYS[LOGS] + 1)
    young = write_logs(2, days=settings.RETENTION_DAYS[LOGS] - 1)

    [done] = run(clock)

    assert (done.kind.name, done.removed_count, done.is_done) == (LOGS, 3, True)
    assert sorted(LogEntry.objects.values_list("pk", flat=True)) == young


def test_the_last_moment_of_the_time_is_kept(clock, write_logs, settings):
    exactly = write_logs(1, days=settings.RETENTION_DAYS[LOGS])

    run(clock)

    assert list(LogEntry.objects.values_list("pk", flat=True)) == exactly


def test_no_days_are_for_ever(clock, write_logs, settings):
    settings.RETENTION_DAYS = {**settings.RETENTION_DAYS, LOGS: 0}
    write_logs(3, days=10_000)

    [done] = run(clock)

    assert (done.removed_count, done.is_done) == (0, True)
    assert count_removable(done.kind, clock=clock) == 0
    assert LogEntry.objects.count() == 3


def test_warnings_are_kept_longer_than_the_rest_of_the_log(clock, write_logs, settings):
    days = settings.RETENTION_DAYS
    assert days[LOGS] < days["warnings"]
    write_logs(2, days=days[LOGS] + 1, level=LogLevel.INFO)
    warned = write_logs(2, days=days[LOGS] + 1, level=LogLevel.WARNING)
    write_logs(2, days=days["warnings"] + 1, level=LogLevel.ERROR)

    run(clock, kinds=(LOGS, "warnings"))

    assert sorted(LogEntry.objects.values_list("pk", flat=True)) == warned


def test_a_run_removes_no_more_than_it_may_and_says_that_it_is_behind(clock, write_logs):
    write_logs(BATCH_ROWS + 50, days=100)

    [done] = run(clock, limits=Limits(rows=BATCH_ROWS + 10))

    assert (done.removed_count, done.is_done) == (BATCH_ROWS + 10, False)
    assert LogEntry.objects.count() == 40
    assert (state().is_behind, state().last_removed_count) == (True, BATCH_ROWS + 10)


def test_the_next_run_goes_on(clock, write_logs):
    write_logs(BATCH_ROWS + 50, days=100)
    run(clock, limits=Limits(rows=BATCH_ROWS + 10))

    [done] = run(clock)

    assert (done.removed_count, done.is_done, LogEntry.objects.count()) == (40, True, 0)
    assert (state().is_behind, state().last_removed_count) == (False, 40)
    assert state().removed_count == BATCH_ROWS + 50


def test_a_run_ends_with_its_time(clock, write_logs):
    write_logs(BATCHES * BATCH_ROWS, days=100)

    [done] = run(
        clock,
        limits=Limits(duration_ms=1_500),
        pause=lambda _seconds: clock.advance_ms(1_000),
    )

    assert (done.removed_count, done.is_done) == (2 * BATCH_ROWS, False)


def test_kinds_take_turns(clock, write_logs):
    """What is behind for long does not keep the others from being looked at."""
    write_logs(BATCH_ROWS, days=100)
    write_logs(BATCH_ROWS, days=1_000, level=LogLevel.ERROR)
    limits = Limits(duration_ms=500)

    def one_kind():
        clock.advance_ms(1)
        done = run(
            clock,
            kinds=(LOGS, "warnings"),
            limits=limits,
            pause=lambda _seconds: clock.advance_ms(1_000),
        )
        return [one.kind.name for one in done]

    assert [one_kind(), one_kind()] == [[LOGS], ["warnings"]]


def test_pauses_are_many_times_as_long_as_the_work(clock, write_logs, monkeypatch):
    write_logs(BATCH_ROWS + 1, days=100)
    pauses: list[float] = []
    remove = pruning._remove

    def slow(*args):
        clock.advance_ms(10)
        return remove(*args)

    monkeypatch.setattr(pruning, "_remove", slow)

    run(clock, pause=pauses.append)

    assert pauses == [pytest.approx(0.090)]


def test_whoever_is_killed_in_the_middle_has_removed_whole_batches(clock, write_logs):
    write_logs(BATCHES * BATCH_ROWS, days=100)
    pauses = iter([None, KilledError])

    def die_in_the_second_pause(_seconds):
        if (error := next(pauses)) is not None:
            raise error

    with pytest.raises(KilledError):
        run(clock, pause=die_in_the_second_pause)

    assert LogEntry.objects.count() == (BATCHES - 2) * BATCH_ROWS
    assert (state().removed_count, state().last_removed_count) == (2 * BATCH_ROWS, 2 * BATCH_ROWS)


def test_what_died_in_the_middle_is_taken_up_after_its_lease(clock, write_logs):
    write_logs(BATCHES * BATCH_ROWS, days=100)
    with pytest.raises(KilledError):
        run(clock, pause=lambda _seconds: (_ for _ in ()).throw(KilledError))
    assert run(clock) == []
    assert LogEntry.objects.count() == (BATCHES - 1) * BATCH_ROWS

    clock.advance_ms(LEASE // timedelta(milliseconds=1) + 1)
    [done] = run(clock)

    assert (done.removed_count, LogEntry.objects.count()) == ((BATCHES - 1) * BATCH_ROWS, 0)
    assert state().removed_count == BATCHES * BATCH_ROWS


def test_only_one_of_many_is_at_a_kind(clock, write_logs):
    write_logs(BATCH_ROWS + 1, days=100)
    others = []

    [done] = run(clock, pause=lambda _seconds: others.append(run(clock)))

    assert (others, done.removed_count) == ([[]], BATCH_ROWS + 1)


def test_whoever_has_lost_its_lease_removes_nothing_any_more(clock, write_logs):
    """One that hung for minutes between two batches was taken over."""
    write_logs(3 * BATCH_ROWS, days=100)

    def hang(_seconds):
        Retention.objects.update(token="somebody else")

    [done] = run(clock, pause=hang)

    assert (done.removed_count, done.is_done) == (BATCH_ROWS, False)
    assert LogEntry.objects.count() == 2 * BATCH_ROWS
    assert (state().token, state().removed_count) == ("somebody else", BATCH_ROWS)


def test_a_process_that_ends_begins_no_batch(clock, write_logs, monkeypatch):
    write_logs(2 * BATCH_ROWS, days=100)
    drain = Drain(clock)
    monkeypatch.setattr(pruning, "DRAIN", drain)

    [done] = run(clock, pause=lambda _seconds: drain.begin())

    assert (done.removed_count, done.is_done) == (BATCH_ROWS, False)
    assert run(clock) == []


def test_a_scheduled_run_begins_where_the_last_one_ended(clock, write_logs):
    """What stays for ever is not gone through again each time; a run by hand looks at all."""
    write_logs(1, days=200)
    run(clock)
    write_logs(1, days=300)

    assert [done.removed_count for done in run(clock)] == [0]
    assert [done.removed_count for done in run(clock, from_start=True)] == [1]


def test_the_task_removes_what_is_old(write_logs):
    write_logs(3, days=10_000)

    assert tasks.prune() == 3
    assert {row.kind for row in Retention.objects.all()} == {kind.name for kind in list_kinds()}


def test_a_kind_that_is_gone_loses_its_row(clock):
    Retention.objects.create(kind="of an older version")

    run(clock)

    assert not Retention.objects.filter(kind="of an older version").exists()


def test_how_much_there_is_is_measured(clock, write_logs):
    write_logs(BATCH_ROWS, days=3)

    run(clock)

    row = state()
    assert (row.row_count, row.oldest_at, row.measured_at) == (
        BATCH_ROWS,
        NOW - timedelta(days=3),
        NOW,
    )
    assert row.size_bytes > BATCH_ROWS


def test_what_two_kinds_have_in_one_table_is_counted_once(clock, write_logs):
    write_logs(3, days=2)
    write_logs(2, days=3, level=LogLevel.WARNING)

    run(clock, kinds=(LOGS, "warnings"))

    found = {name: (state(name).row_count, state(name).oldest_at) for name in (LOGS, "warnings")}
    assert found == {
        LOGS: (3, NOW - timedelta(days=2)),
        "warnings": (2, NOW - timedelta(days=3)),
    }


def test_nothing_is_counted_again_within_the_hour(clock, write_logs):
    run(clock)
    write_logs(3, days=1)

    clock.advance_ms(3_599_000)
    run(clock)
    within = state().row_count
    clock.advance_ms(1_000)
    run(clock)

    assert (within, state().row_count) == (0, 3)


def test_a_kind_without_a_setting_is_refused():
    with pytest.raises(KeyError, match="nobody knows"):
        register(Kind("nobody knows", "", LogEntry, "created_at"))
