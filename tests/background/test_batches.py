"""When many schedules are due: buckets, batches, and what beat makes of them."""

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from celery import Celery
from django.db import DatabaseError
from django_celery_beat.models import ClockedSchedule, IntervalSchedule, PeriodicTask
from hypothesis import given
from hypothesis import strategies as st

from arbplatform.background import batched_rows, batcher, scheduler
from arbplatform.background.batched_rows import ROWS_PER_WRITE, Batching, RunCounts, read_entries
from arbplatform.background.batcher import LOOK_S, READ_S, Batcher
from arbplatform.background.batches import (
    BATCH_MAX,
    GRID_MS,
    Batch,
    BatchPlan,
    Bucket,
    Entry,
    make_batches,
)
from arbplatform.background.leadership import Leadership
from arbplatform.background.scheduler import LeaderScheduler
from arbplatform.core.clock import FixedClock

NOW_MS = 1_700_000_000_000
BATCHING = Batching("strategies.tick", "strategy_id", "strategies.tick_batch", "strategy_ids")


def entry(pk, interval_ms=1_000, expires_s=1):
    return Entry(pk, pk + 10_000, interval_ms, expires_s)


def planned(*entries, now_ms=NOW_MS):
    plan = BatchPlan()
    for each in entries:
        plan.put(each, now_ms)
    return plan


def ids_of(due):
    return [each.pk for bucket, _due_ms in due for each in bucket.entries.values()]


def test_entries_of_one_interval_are_spread_evenly_over_it():
    places = Counter(entry(pk).place_ms for pk in range(1, 5_001))

    assert sorted(places) == list(range(0, 1_000, GRID_MS))
    assert max(places.values()) - min(places.values()) <= 4


def test_an_entry_keeps_its_place_in_every_beat():
    assert entry(7).place_ms == entry(7).place_ms == Entry(7, 1, 1_000, 9).place_ms
    assert entry(7, interval_ms=20).place_ms == 0


@given(
    st.lists(st.tuples(st.integers(1, 500), st.sampled_from([200, 333, 1_000, 60_000]))),
    st.integers(0, 5_000),
)
def test_every_entry_is_due_once_in_each_of_its_intervals(rows, offset_ms):
    entries = {pk: entry(pk, interval_ms) for pk, interval_ms in rows}
    start_ms = NOW_MS + offset_ms
    plan = planned(*entries.values(), now_ms=start_ms)

    seen: Counter[int] = Counter()
    for step_ms in range(GRID_MS, 60_001, GRID_MS):
        for bucket, due_ms in plan.take_due(start_ms + step_ms):
            assert start_ms < due_ms <= start_ms + step_ms
            assert (due_ms - bucket.place_ms) % bucket.interval_ms == 0
            seen.update(bucket.entries.keys())

    for pk, each in entries.items():
        assert abs(seen[pk] - 60_000 // each.interval_ms) <= 1


def test_turns_that_were_missed_are_not_caught_up():
    plan = planned(entry(1))

    assert ids_of(plan.take_due(NOW_MS + 10_000)) == [1]
    assert plan.take_due(NOW_MS + 10_000) == []
    assert ids_of(plan.take_due(NOW_MS + 11_000)) == [1]


def test_a_changed_entry_takes_the_place_of_the_old_one():
    plan = planned(entry(1), entry(2))
    plan.put(entry(1, interval_ms=60_000), NOW_MS)
    plan.remove(2)
    plan.remove(3)

    assert len(plan) == 1
    assert ids_of(plan.take_due(NOW_MS + 999)) == []
    assert ids_of(plan.take_due(NOW_MS + 60_000)) == [1]


def test_empty_buckets_are_dropped_when_their_turn_comes():
    plan = planned(entry(1))
    plan.keep_only([])

    assert plan.next_due_ms() is not None
    assert plan.take_due(NOW_MS + 1_000) == []
    assert plan.next_due_ms() is None
    plan.put(entry(1), NOW_MS)
    assert ids_of(plan.take_due(NOW_MS + 1_000)) == [1]


def test_after_the_clock_was_set_back_entries_are_due_again():
    plan = planned(entry(1))
    back_ms = NOW_MS - 3_600_000
    assert plan.take_due(back_ms) == []

    plan.restart(back_ms)

    assert ids_of(plan.take_due(back_ms + 1_000)) == [1]


def test_what_is_due_together_goes_out_in_as_few_messages_as_hold_it():
    few, many = Bucket(1_000, 0), Bucket(2_000, 0)
    few.entries[0] = entry(0, expires_s=1)
    many.entries.update({pk: entry(pk, expires_s=2) for pk in range(1, 2 * BATCH_MAX + 1)})

    batches = make_batches([(few, NOW_MS + 7), (many, NOW_MS)])

    assert [len(batch.entries) for batch in batches] == [267, 267, 267]
    assert [batch.expires_s for batch in batches] == [1, 2, 2]
    assert {batch.due_ms for batch in batches} == {NOW_MS}
    assert make_batches([]) == []


@pytest.fixture
def interval(db):
    return IntervalSchedule.objects.create(every=1, period=IntervalSchedule.SECONDS)


def make_row(interval, number, **changes):
    values = {
        "name": f"tick {number}",
        "task": "strategies.tick",
        "interval": interval,
        "kwargs": f'{{"strategy_id": {number}}}',
        "expire_seconds": 3,
    }
    return PeriodicTask.objects.create(**{**values, **changes})


def test_rows_become_entries(interval):
    slow = IntervalSchedule.objects.create(every=200_000, period=IntervalSchedule.MICROSECONDS)
    first = make_row(interval, 11)
    second = make_row(slow, 12, expire_seconds=None)

    assert sorted(read_entries(BATCHING), key=lambda each: each.pk) == [
        Entry(first.pk, 11, 1_000, 3),
        Entry(second.pk, 12, 200, 1),
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"enabled": False},
        {"task": "strategies.sweep"},
        {"one_off": True},
        {"queue": "safety"},
        {"priority": 3},
        {"args": "[1]"},
        {"headers": '{"a": 1}'},
        {"kwargs": "{}"},
        {"kwargs": '{"strategy_id": 1, "more": 2}'},
        {"kwargs": '{"strategy_id": broken'},
        {"kwargs": '{"strategy_id": null}'},
    ],
)
def test_rows_that_are_not_the_plain_case_are_left_out(interval, change):
    make_row(interval, 1, **change)

    assert list(read_entries(BATCHING)) == []


def test_other_rows_of_the_same_task_are_left_to_django_celery_beat(interval, memory_scheduler):
    clocked = ClockedSchedule.objects.create(clocked_time="2020-01-01T00:00:00Z")
    make_row(interval, 1)
    make_row(interval, 2, queue="safety")
    make_row(None, 3, clocked=clocked, one_off=True)

    names = set(memory_scheduler.enabled_models_qs().values_list("name", flat=True))

    assert names == {"tick 2", "tick 3"}


@pytest.fixture
def memory_scheduler(transactional_db, monkeypatch):
    """A scheduler of this process without a Redis."""
    monkeypatch.setattr(scheduler, "make_leadership", lambda: None)
    with Celery(broker="memory://", set_as_current=False) as app:
        made = LeaderScheduler(app=app, lazy=True, clock=FixedClock(NOW_MS))
        yield made
        made._finalize.cancel()  # it would save when this process ends, into no database


def test_only_when_a_schedule_ran_and_how_often_is_written_back(interval):
    rows = [make_row(interval, number) for number in range(3)]
    counts = RunCounts()
    entries = [Entry(row.pk, 1, 1_000, 1) for row in rows]
    counts.note(Batch(entries, NOW_MS, 1), NOW_MS)
    counts.note(Batch(entries[:1], NOW_MS, 1), NOW_MS + 1_000)
    PeriodicTask.objects.update(enabled=False, total_run_count=5)

    counts.write()

    assert len(counts) == 0
    found = PeriodicTask.objects.order_by("pk").values_list("enabled", "total_run_count")
    assert list(found) == [(False, 7), (False, 6), (False, 6)]
    first = PeriodicTask.objects.get(pk=rows[0].pk)
    assert first.last_run_at.timestamp() * 1_000 == NOW_MS + 1_000


def test_what_could_not_be_written_is_written_later(interval, monkeypatch):
    row = make_row(interval, 1)
    counts = RunCounts()
    counts.note(Batch([Entry(row.pk, 1, 1_000, 1)], NOW_MS, 1), NOW_MS)

    def fail(**_):
        raise DatabaseError("gone")

    with monkeypatch.context() as broken:
        broken.setattr(PeriodicTask.objects, "filter", fail)
        with pytest.raises(DatabaseError):
            counts.write()
    counts.write()

    row.refresh_from_db()
    assert row.total_run_count == 1


class Sender:
    """What takes the place of Celery."""

    def __init__(self):
        self.sent: list[Any] = []
        self.is_broken = False

    def send_task(self, name, *, kwargs, expires, producer):
        if self.is_broken:
            raise ConnectionError("no broker")
        self.sent.append((name, kwargs["strategy_ids"], kwargs["due_ms"], expires))


@pytest.fixture
def clock():
    return FixedClock(NOW_MS)


@pytest.fixture
def app():
    return Sender()


def make_beat(app, clock, leadership=None):
    return Batcher(app, BATCHING, leadership, clock)


@pytest.fixture
def beat(app, clock, db):
    return make_beat(app, clock)


def run_for(beat, clock, ms):
    """Let a beat run, waking when it wants to."""
    until_ms = clock.at_ms + ms
    wakes = 0
    while clock.at_ms < until_ms:
        wait_s = beat.publish(None)
        clock.advance_ms(min(max(1, round(wait_s * 1_000)), until_ms - clock.at_ms))
        wakes += 1
    beat.publish(None)
    return wakes


def test_a_beat_publishes_every_row_once_in_its_interval(interval, beat, app, clock):
    for number in range(100):
        make_row(interval, number)

    wakes = run_for(beat, clock, 3_000)

    seen = Counter(each for _name, ids, _due_ms, _expires in app.sent for each in ids)
    assert set(seen) == set(range(100))
    assert set(seen.values()) == {3}
    assert {(name, expires) for name, _ids, _due_ms, expires in app.sent} == {
        ("strategies.tick_batch", 3)
    }
    assert len(app.sent) <= 61
    assert wakes <= 70


def test_rows_of_many_intervals_do_not_wake_a_beat_for_each(beat, app, clock):
    for number in range(40):
        every = IntervalSchedule.objects.create(
            every=1_001_000 + number * 1_000, period=IntervalSchedule.MICROSECONDS
        )
        make_row(every, number)

    assert run_for(beat, clock, 3_000) <= 70


def test_an_edit_is_seen_within_a_second_when_it_was_announced(interval, beat, app, clock):
    row = make_row(interval, 1)
    run_for(beat, clock, 2_000)
    app.sent.clear()
    row.enabled = False
    row.save()
    make_row(interval, 2)
    beat.heed_change()

    clock.advance_ms(int(LOOK_S * 1_000))
    run_for(beat, clock, 1_000)

    assert {each for _name, ids, _due_ms, _expires in app.sent for each in ids} == {2}


def test_rows_are_read_once_a_minute_without_an_announcement(
    interval, beat, app, clock, django_assert_num_queries
):
    beat.publish(None)
    make_row(interval, 1)
    with django_assert_num_queries(0):
        run_for(beat, clock, 5_000)
    assert app.sent == []

    clock.advance_ms(int(READ_S * 1_000))
    run_for(beat, clock, 1_000)

    assert len(app.sent) == 1


@pytest.fixture
def unreadable(monkeypatch):
    """Return a function after which the rows cannot be read any more."""

    def fail(*args):
        raise DatabaseError("gone")

    return lambda: monkeypatch.setattr(batcher, "refresh", fail)


def test_a_schedule_that_cannot_be_read_stays_as_it_was(interval, beat, clock, unreadable, caplog):
    make_row(interval, 1)
    beat.publish(None)
    app = beat._app
    unreadable()
    beat.heed_change()
    run_for(beat, clock, 2_000)

    assert len(app.sent) == 2
    assert "The schedule stays as it was" in caplog.text


def test_what_was_not_sent_is_not_counted(interval, beat, app, clock, caplog):
    row = make_row(interval, 1)
    app.is_broken = True
    run_for(beat, clock, 2_000)
    beat.flush()

    row.refresh_from_db()
    assert (row.total_run_count, row.last_run_at) == (0, None)
    assert "no broker" in caplog.text


def test_rows_are_written_back_a_part_at_a_time(interval, beat, clock, monkeypatch):
    rows = [make_row(interval, number) for number in range(6)]
    monkeypatch.setattr(batcher, "ROWS_PER_WRITE", 2)
    monkeypatch.setattr(batched_rows, "ROWS_PER_WRITE", 2)
    assert ROWS_PER_WRITE > 2
    run_for(beat, clock, 1_000)
    assert PeriodicTask.objects.filter(total_run_count__gt=0).count() <= 4

    run_for(beat, clock, 31_000)
    assert PeriodicTask.objects.filter(total_run_count__gt=0).count() == 6

    beat.flush()
    counts = PeriodicTask.objects.filter(pk__in=[row.pk for row in rows])
    assert set(counts.values_list("total_run_count", flat=True)) == {32}


def test_a_database_that_is_away_delays_the_writing_back(
    interval, beat, clock, monkeypatch, caplog
):
    make_row(interval, 1)

    def fail(*args):
        raise DatabaseError("gone")

    monkeypatch.setattr(beat.counts, "write", fail)
    run_for(beat, clock, 1_000)
    beat.flush()

    assert "is written later" in caplog.text
    assert len(beat.counts) == 1


def test_of_two_beats_one_publishes_a_bucket(interval, clock, redis_server):
    for number in range(20):
        make_row(interval, number)
    apps = Sender(), Sender()
    with redis.Redis.from_url(redis_server.url) as client:
        beats = [make_beat(app, clock, Leadership(client)) for app in apps]
        for _ in range(21):
            for beat in beats:
                beat.publish(None)
            clock.advance_ms(GRID_MS)

    first, second = ([each for _, ids, _, _ in app.sent for each in ids] for app in apps)
    assert sorted(first) == list(range(20))
    assert second == []


def test_a_beat_that_was_late_once_is_not_locked_out_by_itself(interval, clock, redis_server):
    make_row(interval, 1)
    app = Sender()
    with redis.Redis.from_url(redis_server.url) as client:
        beat = make_beat(app, clock, Leadership(client))
        beat.publish(None)
        clock.advance_ms(1_900)
        beat.publish(None)
        clock.advance_ms(1_000)
        beat.publish(None)

    assert len(app.sent) == 2


def test_no_batch_is_published_without_redis(interval, app, clock, caplog):
    make_row(interval, 1)

    def fail(_buckets):
        raise redis.ConnectionError("gone")

    beat = make_beat(app, clock, SimpleNamespace(take_buckets=fail))
    run_for(beat, clock, 1_000)

    assert app.sent == []
    assert "Redis is away" in caplog.text


def test_a_scheduler_publishes_batches_beside_its_other_tasks(interval, memory_scheduler, caplog):
    make_row(interval, 1)
    clock = memory_scheduler._clock
    sent = Sender()
    memory_scheduler._batchers[0]._app = sent
    # two seconds and the moment at their end, when a row whose place is the first one is due again
    for _ in range(2_000 // GRID_MS + 1):
        assert memory_scheduler.tick() <= LOOK_S
        clock.advance_ms(GRID_MS)

    assert len(sent.sent) == 2
    memory_scheduler.sync()
    assert PeriodicTask.objects.get(name="tick 1").total_run_count == 2


def test_a_scheduler_heeds_edits(interval, memory_scheduler):
    row = make_row(interval, 1)
    clock = memory_scheduler._clock
    sent = Sender()
    memory_scheduler._batchers[0]._app = sent
    memory_scheduler.tick()
    clock.advance_ms(1_000)
    memory_scheduler.tick()
    assert len(sent.sent) == 1

    row.enabled = False
    row.save()
    for _ in range(2):
        clock.advance_ms(1_000)
        memory_scheduler.tick()
    sent.sent.clear()
    clock.advance_ms(1_000)
    memory_scheduler.tick()
    assert sent.sent == []


def test_a_scheduler_goes_on_after_its_clock_was_set_back(interval, memory_scheduler):
    make_row(interval, 1)
    clock = memory_scheduler._clock
    sent = Sender()
    memory_scheduler._batchers[0]._app = sent
    memory_scheduler.tick()
    clock.advance_ms(-3_600_000)
    memory_scheduler._forget_the_future()

    clock.advance_ms(1_000)
    memory_scheduler._batchers[0].publish(None)

    assert len(sent.sent) == 1
