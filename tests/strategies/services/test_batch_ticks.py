"""Ticks of many strategies at once."""

from datetime import timedelta

import pytest
from celery import current_app
from django_celery_beat.models import PeriodicTask

from arbplatform.background.draining import DRAIN
from arbplatform.background.queues import DEPTH_MAX
from arbplatform.core.clock import SYSTEM_CLOCK, FixedClock
from arbplatform.core.errors import Message
from ledger.models import LogEntry, Order
from markets.errors import VenueUnavailable
from markets.models import Venue
from strategies import tasks
from strategies.domain.states import StrategyState
from strategies.models import Opportunity, Run, Strategy
from strategies.sdk import Evaluation, Rejection
from strategies.selectors import get_strategy
from strategies.services import batch_ticks
from strategies.services.batch_books import BOOKS
from strategies.services.batch_ticks import (
    EXPLAIN_EVERY_MS,
    EXPLAIN_LATE_EVERY_MS,
    STRATEGIES_MAX,
    run_batch,
)
from strategies.services.claims import claim_tick
from strategies.services.runs import stop_strategy
from strategies.services.ticks import TickOutcome, run_tick
from strategies.services.watches import SLOW_FOR_MS, WATCHES
from tests.strategies.samples import Hooked

pytestmark = pytest.mark.django_db

HOUR_MS = 3_600_000


@pytest.fixture
def clock(accounts, venues):
    """A clock that moves only when a test moves it, however slow we are; the venues go by it."""
    clock = FixedClock(at_ms=SYSTEM_CLOCK.now_ms())
    venues.go_by(clock)
    return clock


@pytest.fixture
def quiet_clock(calm, clock):
    """The clock, where nothing is worth a trade."""
    return clock


@pytest.fixture
def sent(monkeypatch):
    """The strategies that were given a message of their own, and when those expire [s]."""
    messages = []

    def send(name, kwargs, expires, producer):
        assert name == "strategies.tick"
        messages.append((kwargs["strategy_id"], expires))

    monkeypatch.setattr(current_app, "send_task", send)
    return messages


@pytest.fixture
def many(make_cross, start):
    """Five strategies that run."""
    strategies = [make_cross(f"cross {number}") for number in range(5)]
    for strategy in strategies:
        start(strategy)
    return [strategy.pk for strategy in strategies]


def batch(ids, clock, **options):
    return run_batch(strategy_ids=list(ids), clock=clock, **options)


def later(clock, ms=1_000):
    """Let time pass; what books there were is too old by then."""
    clock.advance_ms(ms)
    BOOKS.clear()


def test_quiet_ticks_are_written_down_together_with_what_they_saw(many, calm, clock, sent):
    report = batch(many, clock)

    assert (report.quiet, report.alone, report.dropped) == (frozenset(many), [], 0)
    assert sent == []
    for strategy in Strategy.objects.all():
        assert strategy.last_tick_at is not None
        assert strategy.tick_token == ""
        codes = {item["code"] for item in strategy.last_decision["rejections"]}
        assert codes == {"edge_below_min"}
    assert set(Run.objects.values_list("tick_count", flat=True)) == {1}
    assert not Opportunity.objects.exists()


def test_a_batch_says_the_same_as_a_tick_of_its_own(many, calm, clock, sent):
    batch(many[:1], clock)
    run_tick(strategy_id=many[1], clock=clock)

    first, second = (get_strategy(pk).last_decision for pk in many[:2])

    assert {**first, "at": ""} == {**second, "at": ""}


def test_a_strategy_that_wants_to_trade_gets_a_message_of_its_own(many, edge, clock, sent):
    report = batch(many, clock)

    assert sorted(report.alone) == many
    assert sorted(sent) == [(pk, 1.0) for pk in many]
    assert not Order.objects.exists(), "a batch sends nothing"
    assert get_strategy(many[0]).last_tick_at is None, "its own tick claims it"
    assert run_tick(strategy_id=many[0], clock=clock).outcome is TickOutcome.EXECUTED


def test_an_edge_that_comes_later_is_seen_at_the_next_turn(many, calm, clock, sent):
    batch(many, clock)
    calm["alpha"].set_book("BTC/USDT", bids=[("49990", "1")], asks=[("50000", "1")])
    calm["beta"].set_book("BTC/USDT", bids=[("50500", "1")], asks=[("50510", "1")])
    later(clock)

    report = batch(many, clock)

    assert sorted(report.alone) == many


def test_an_edge_that_stands_is_seen_at_every_turn(many, edge, clock, sent):
    for _ in range(3):
        assert sorted(batch(many, clock).alone) == many


def test_a_batch_that_comes_twice_ticks_once(many, calm, clock, sent):
    batch(many, clock)

    report = batch(many, clock)

    assert (report.quiet, report.dropped) == (frozenset(), 5)
    assert set(Run.objects.values_list("tick_count", flat=True)) == {1}


def test_a_strategy_that_is_held_by_somebody_is_left_alone(many, calm, clock, sent):
    held = get_strategy(many[2])
    claim = claim_tick(held, clock=clock)
    assert claim is not None

    report = batch(many, clock)

    assert report.quiet == frozenset(many) - {held.pk}
    held.refresh_from_db()
    assert held.tick_token == claim.token


def test_a_strategy_that_somebody_takes_while_the_batch_looks_is_left_alone(
    many, calm, clock, sent, monkeypatch
):
    collect = BOOKS.collect

    def take_meanwhile(*args, **kwargs):
        assert claim_tick(get_strategy(many[0]), clock=clock)
        stop_strategy(strategy_id=many[1], user=None)
        return collect(*args, **kwargs)

    monkeypatch.setattr(BOOKS, "collect", take_meanwhile)

    report = batch(many, clock)

    assert report.quiet == frozenset(many[2:])
    assert report.dropped == 2
    assert get_strategy(many[0]).last_decision == {}
    assert Run.objects.get(strategy_id=many[0]).tick_count == 0


def explained(clock, ids):
    """Let all of them have said just now what they saw."""
    for pk in ids:
        WATCHES._known[pk].explained_ms = clock.monotonic_ms()


def test_a_tick_that_began_before_another_one_ended_is_dropped(
    many, calm, clock, sent, monkeypatch
):
    collect = BOOKS.collect

    def tick_meanwhile(*args, **kwargs):
        # by a worker whose clock is ten minutes behind: spacing alone would not object
        Strategy.objects.filter(pk=many[0]).update(last_tick_at=clock.now() - timedelta(minutes=10))
        return collect(*args, **kwargs)

    monkeypatch.setattr(BOOKS, "collect", tick_meanwhile)

    assert batch(many, clock).quiet == frozenset(many[1:])


@pytest.mark.parametrize(("age_ms", "is_ticked"), [(400, False), (600, True), (-60_000, True)])
def test_a_tick_that_comes_too_soon_is_dropped_and_one_from_the_future_does_not_block(
    many, quiet_clock, sent, age_ms, is_ticked
):
    moment = quiet_clock.now() - timedelta(milliseconds=age_ms)
    Strategy.objects.update(last_tick_at=moment)

    assert bool(batch(many, quiet_clock).quiet) is is_ticked


def test_each_strategy_keeps_its_own_spacing(many, calm, clock, sent):
    Strategy.objects.filter(pk__in=many[:2]).update(interval_ms=10_000)
    Strategy.objects.update(last_tick_at=clock.now() - timedelta(seconds=2))

    assert batch(many, clock).quiet == frozenset(many[2:])


def test_strategies_that_rest_or_are_gone_are_dropped(many, calm, clock, sent):
    stop_strategy(strategy_id=many[0], user=None)
    Strategy.objects.filter(pk=many[1]).update(state=StrategyState.STOPPING)

    report = batch([*many, 4711], clock)

    assert report.quiet == frozenset(many[2:])
    assert report.dropped == 3
    assert sent == []


def test_a_strategy_on_a_stream_is_no_business_of_batches(many, calm, clock, sent):
    Strategy.objects.filter(pk=many[0]).update(driver="stream")

    assert batch(many, clock).quiet == frozenset(many[1:])


def test_a_quiet_tick_ends_a_row_of_failures(many, calm, clock, sent):
    Strategy.objects.filter(pk=many[0]).update(failure_count=3)

    batch(many, clock)

    assert get_strategy(many[0]).failure_count == 0


def test_what_was_seen_is_written_every_five_seconds_only(many, calm, clock, sent):
    batch(many, clock)
    first = get_strategy(many[0]).last_decision["at"]
    explained(clock, many)

    later(clock, ms=1_000)
    assert batch(many, clock).quiet == frozenset(many)
    assert get_strategy(many[0]).last_decision["at"] == first

    later(clock, ms=EXPLAIN_EVERY_MS)
    batch(many, clock)
    assert get_strategy(many[0]).last_decision["at"] > first
    assert set(Run.objects.values_list("tick_count", flat=True)) == {3}


def test_a_late_batch_leaves_for_later_what_can_wait(many, calm, clock, sent):
    batch(many, clock)
    explained(clock, many)
    first = get_strategy(many[0]).last_decision["at"]

    later(clock, ms=EXPLAIN_EVERY_MS)
    late_ms = clock.now_ms() - 2_000
    assert batch(many, clock, due_ms=late_ms).quiet == frozenset(many)
    assert get_strategy(many[0]).last_decision["at"] == first

    later(clock, ms=EXPLAIN_LATE_EVERY_MS)
    batch(many, clock, due_ms=late_ms)
    assert get_strategy(many[0]).last_decision["at"] > first


def test_strategies_that_began_together_do_not_all_say_the_next_thing_together(
    many, calm, clock, sent
):
    batch(many, clock)

    ages = {clock.monotonic_ms() - WATCHES._known[pk].explained_ms for pk in many}
    assert len({round(age / 100) for age in ages}) == 5


def test_a_strategy_that_fails_gets_its_own_tick_which_writes_it_down(
    hooked, many, calm, clock, sent
):
    def fail():
        raise LookupError("broken plugin")

    Hooked.hook = fail

    report = batch([hooked.pk, *many], clock)

    assert report.alone == [hooked.pk]
    assert report.quiet == frozenset(many)
    assert run_tick(strategy_id=hooked.pk, clock=clock).outcome is TickOutcome.FAILED
    assert "broken plugin" in str(get_strategy(hooked.pk).to_error())


@pytest.mark.parametrize(
    ("rejection", "is_alone"),
    [
        (Rejection("BTC/USDT", "odd", Message("half a character: \ud83d\x00")), False),
        (Rejection("BTC/USDT", object(), Message("no word for it")), True),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_written_of_one_strategy_breaks_no_batch_off(
    hooked, many, quiet_clock, sent, *, rejection, is_alone, monkeypatch
):
    monkeypatch.setattr(Hooked, "evaluate", lambda _self, _view: Evaluation((), (rejection,)))

    report = batch([hooked.pk, *many], quiet_clock)

    assert report.alone == ([hooked.pk] if is_alone else [])
    assert report.quiet == frozenset(many if is_alone else [hooked.pk, *many])
    assert all(get_strategy(pk).last_decision for pk in report.quiet)


def test_a_strategy_whose_parameters_are_no_longer_accepted_gets_its_own_tick(
    many, calm, clock, sent
):
    Strategy.objects.filter(pk=many[0]).update(params={"symbols": "nonsense"})

    report = batch(many, clock)

    assert (report.alone, report.quiet) == ([many[0]], frozenset(many[1:]))
    assert run_tick(strategy_id=many[0], clock=clock).outcome is TickOutcome.FAILED


def test_a_strategy_without_a_run_gets_its_own_tick(many, calm, clock, sent):
    Run.objects.filter(strategy_id=many[0]).update(stopped_at=clock.now())

    assert batch(many, clock).alone == [many[0]]


def test_a_slow_strategy_is_ticked_alone_for_a_while(hooked, many, calm, clock, sent):
    Hooked.hook = lambda: clock.advance_ms(300)
    assert batch([hooked.pk, *many], clock).quiet == {hooked.pk, *many}
    later(clock)

    report = batch([hooked.pk, *many], clock)

    assert report.alone == [hooked.pk]
    assert report.quiet == frozenset(many)
    WATCHES._known[hooked.pk].slow_until_ms -= SLOW_FOR_MS
    assert batch([hooked.pk], clock).quiet == {hooked.pk}


def test_a_venue_that_is_away_is_logged_once_a_minute_and_said_in_the_decision(
    many, calm, clock, sent
):
    def fail(*args):
        raise VenueUnavailable(venue="beta", cause="down")

    calm["beta"].before_book = fail
    calm["beta"].books.clear()
    batch(many, clock)
    later(clock, ms=EXPLAIN_EVERY_MS)
    report = batch(many, clock)

    assert report.quiet == frozenset(many)
    told = get_strategy(many[0]).last_decision
    assert [item["venue"] for item in told["missing_books"]] == ["beta"]
    assert LogEntry.objects.filter(event="book_missing").count() == 5


def test_a_disabled_venue_is_not_asked(many, calm, clock, sent):
    Venue.objects.filter(code="beta").update(is_enabled=False, updated_at=clock.now())

    batch(many, clock)

    told = get_strategy(many[0]).last_decision
    assert [item["venue"] for item in told["missing_books"]] == ["beta"]


def test_a_process_that_ends_ticks_nothing(many, calm, clock, sent, monkeypatch):
    monkeypatch.setattr(type(DRAIN), "has_begun", True)

    assert batch(many, clock).dropped == 5
    assert set(Run.objects.values_list("tick_count", flat=True)) == {0}


def test_two_batches_do_not_look_at_one_strategy_at_the_same_time(many, calm, clock, sent):
    batch(many, clock)
    later(clock)
    watch = WATCHES._known[many[0]]

    with watch.lock:
        assert batch(many, clock).quiet == frozenset(many[1:])


@pytest.mark.usefixtures("edge")
def test_what_cannot_be_done_in_time_is_not_put_on_the_pile(many, clock, sent, monkeypatch, caplog):
    monkeypatch.setattr(batch_ticks, "read_depths", lambda: {"trading": DEPTH_MAX - 2})
    now = clock.now()
    for age_s, pk in enumerate(many, start=10):
        Strategy.objects.filter(pk=pk).update(last_tick_at=now - timedelta(seconds=age_s))

    report = batch(many, clock)

    assert report.alone == [many[4], many[3]], "whoever waited longest is first"
    assert report.dropped == 3
    assert "3 strategies wait for their next turn" in caplog.text


def test_the_lag_is_measured_from_when_they_were_due(many, calm, clock, sent):
    report = batch(many, clock, due_ms=clock.now_ms() - 2_000)

    assert report.lag_ms == 2_000
    assert list(report.durations_ms) == [
        *("read", "prepare", "books", "look", "record", "hand_over")
    ]


def test_a_message_about_too_many_is_refused(clock):
    with pytest.raises(ValueError, match="at most 1000"):
        batch(range(STRATEGIES_MAX + 1), clock)


def test_the_queries_of_a_batch_do_not_grow_with_it(
    many, calm, clock, sent, django_assert_num_queries
):
    batch(many, clock)
    for ids in (many[:1], many):
        explained(clock, many)
        later(clock)
        # strategies, stamps of the venues; savepoint, claim, runs, release
        with django_assert_num_queries(6):
            assert batch(ids, clock).quiet == frozenset(ids)


def test_the_task_runs_a_batch_and_says_what_came_of_it(many, calm, sent):
    Strategy.objects.update(interval_ms=HOUR_MS)  # the second one is too soon however late it is
    assert tasks.tick_batch(many, due_ms=0) == "quiet 5, alone 0, dropped 0"
    assert tasks.tick_batch(many, due_ms=0) == "quiet 0, alone 0, dropped 5"


def test_the_schedules_stay_rows_that_staff_can_see(many):
    rows = PeriodicTask.objects.filter(task="strategies.tick", enabled=True)
    assert rows.count() == 5
