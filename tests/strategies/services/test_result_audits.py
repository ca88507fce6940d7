"""Totals of results are audited in turn: what is wrong is told, and never changed."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal as D

import pytest
from django.db import connection, transaction
from django.utils import translation

from arbplatform.alarms import read_conditions
from arbplatform.core.clock import FixedClock
from arbplatform.notices.rules import Severity
from arbplatform.persistence.sentences import read_sentence
from arbplatform.wording import render
from ledger.models import LogEntry, LogLevel
from strategies.models import COUNTED, SUMMED, Attribution, ResultAudit, ResultTotal, Strategy
from strategies.selectors import list_result_errors, list_unaudited
from strategies.services.pnl import report_pnl
from strategies.services.result_audits import (
    EVERY,
    FIGURES_MAX,
    TIME_MAX_MS,
    audit_results,
    audit_strategy,
)
from strategies.services.results import rebuild_results
from strategies.services.ticks import run_tick
from strategies.tasks import audit_results as audit_task

pytestmark = pytest.mark.django_db
HOURS_MS = 3_600_000


@pytest.fixture
def at():
    return FixedClock(at_ms=1_790_000_000_000)


@pytest.fixture
def executed(cross, edge):
    run_tick(strategy_id=cross.pk)
    return cross


@pytest.fixture
def wrong(executed):
    """Totals that have 2 failures and 0.5 USDT of dust more than they should."""
    dust = ResultTotal.objects.get().dust
    ResultTotal.objects.update(failed=2, dust=dust + D("0.5"))
    yield executed
    rebuild_results(strategy_id=executed.pk)


def kept():
    return list(ResultTotal.objects.values(*COUNTED, *SUMMED))


def alarms(clock):
    return [
        (one.key, one.severity, render(one.message))
        for one in read_conditions(clock.now(), set())
        if one.key.startswith("results:")
    ]


def told():
    lines = LogEntry.objects.filter(event__startswith="results_").order_by("pk")
    return [(line.event, line.level) for line in lines]


def test_totals_that_are_right_are_nothing_to_tell(executed, at):
    assert audit_results(clock=at) == 0

    audit = ResultAudit.objects.get()
    assert (audit.audited_at, audit.wrong_count, audit.wrong) == (at.now(), 0, "")
    assert (alarms(at), told()) == ([], [])


def test_totals_that_are_wrong_raise_an_alarm_and_are_left_as_they_are(wrong, at):
    before = kept()

    assert audit_results(clock=at) == 1

    assert kept() == before
    text = (
        f"Totals of results of the strategy {wrong.name} are not what its executions add up "
        "to: failed (USDT) is 2 too high; dust (USDT) is 0.5 too high. Nothing was changed, and no "
        "order and no balance rests on them. Report it, and put them right: manage.py "
        f"rebuild_results {wrong.pk}"
    )
    assert alarms(at) == [(f"results:{wrong.pk}", Severity.WARNING, text)]
    assert told() == [("results_wrong", LogLevel.ERROR)]
    pnl = report_pnl(strategy_id=wrong.pk)
    assert (pnl.audited_at, pnl.wrong_sums) == (at.now(), 2)


def test_the_same_error_is_told_once_and_another_one_again(wrong, at):
    for _round in range(2):
        audit_strategy(strategy_id=wrong.pk, clock=at)
        at.advance_ms(1)
    assert len(told()) == 1

    ResultTotal.objects.update(failed=3)
    audit_strategy(strategy_id=wrong.pk, clock=at)

    assert told() == [("results_wrong", LogLevel.ERROR)] * 2


def test_the_alarm_is_over_once_the_totals_were_put_right(wrong, at):
    audit_results(clock=at)

    rebuild_results(strategy_id=wrong.pk, clock=at)

    assert (alarms(at), list_result_errors()) == ([], {})


def test_totals_that_are_right_again_by_themselves_end_the_alarm_as_well(wrong, at):
    audit_results(clock=at)
    ResultTotal.objects.update(failed=0, dust=Attribution.objects.get().dust)
    at.advance_ms(7 * HOURS_MS)

    audit_results(clock=at)

    assert alarms(at) == []
    assert told() == [("results_wrong", LogLevel.ERROR), ("results_right", LogLevel.INFO)]


def test_a_dry_run_leaves_the_alarm(wrong, at):
    audit_results(clock=at)

    rebuild_results(strategy_id=wrong.pk, is_dry_run=True, clock=at)

    assert len(alarms(at)) == 1


def test_of_many_wrong_figures_the_first_are_spelt_out(wrong, at):
    ResultTotal.objects.update(**dict.fromkeys((*COUNTED, *SUMMED), 7))

    audit_results(clock=at)

    audit = ResultAudit.objects.get()
    figures = render(read_sentence(audit.wrong)).split("; ")
    assert len(figures) == FIGURES_MAX + 1
    assert (audit.wrong_count, figures[-1]) == (len((*COUNTED, *SUMMED)), "and 7 more")


def test_figures_that_are_wrong_are_called_in_the_readers_language_as_on_pages(wrong, at):
    ResultTotal.objects.update(executions=0, pending=3)

    audit_results(clock=at)

    error = ResultAudit.objects.get().to_error().message
    line, said = LogEntry.objects.get(event="results_wrong").to_message(), {}
    for language in ("en", "zh-hans"):
        with translation.override(language):
            said[language] = render(error)
            assert render(line) == said[language]
    assert "executions (USDT) is 1 too low; fees pending (USDT) is 3 too high" in said["en"]
    assert "失败（USDT）多了 2; 套利执行（USDT）少了 1; 手续费待定（USDT）多了 3" in said["zh-hans"]


def test_figures_that_an_older_release_wrote_down_are_shown_as_they_were(wrong, at):
    audit_results(clock=at)
    ResultAudit.objects.update(wrong="USDT failed +2")

    assert ": USDT failed +2. Nothing" in render(ResultAudit.objects.get().to_error().message)


def test_each_strategy_has_its_turn_the_one_audited_longest_ago_first(executed, at):
    others = [Strategy.objects.create(name=name, type="cross-venue") for name in ("a", "b")]
    first, second, third = [executed.pk, *(row.pk for row in others)]
    audit_strategy(strategy_id=second, clock=at)
    at.advance_ms(1)
    audit_strategy(strategy_id=first, clock=at)

    def due():
        return list_unaudited(before=at.now() - EVERY, limit=10)

    assert due() == [third]
    at.advance_ms(EVERY.total_seconds() * 1_000 + 1)
    assert due() == [third, second, first]
    assert list_unaudited(before=at.now() - EVERY, limit=1) == [third]


class SlowClock(FixedClock):
    """Each look at it takes longer than a run may take."""

    def monotonic_ms(self):
        self.at_ms += TIME_MAX_MS
        return float(self.at_ms)


def test_a_run_that_takes_long_leaves_the_others_to_the_next_one(executed):
    Strategy.objects.create(name="a", type="cross-venue")
    slow = SlowClock(at_ms=1_790_000_000_000)

    for number in (1, 2):
        audit_results(clock=slow)
        assert ResultAudit.objects.exclude(audited_at=None).count() == number


def test_the_task_audits(executed):
    audit_task()

    assert ResultAudit.objects.get().audited_at is not None


def in_another_session(command):
    def run():
        with closing(connection):
            command()

    with ThreadPoolExecutor(1) as threads:
        threads.submit(run).result(30)


def after_the_first_read(command):
    """Return a wrapper of statements that runs ``command`` elsewhere once totals were read."""
    waiting = [command]

    def wrap(execute, sql, params, many, context):
        found = execute(sql, params, many, context)
        if waiting and "SELECT" in sql and "strategies_resulttotal" in sql:
            in_another_session(waiting.pop())
        return found

    return wrap


def book():
    """Settle again, with 1 USDT more."""
    with transaction.atomic():
        for row in (Attribution.objects.get(), ResultTotal.objects.get()):
            row.total += 1
            row.save(update_fields=["total"])


@pytest.mark.django_db(transaction=True)
def test_what_is_booked_during_the_audit_is_no_false_alarm(executed, at):
    with connection.execute_wrapper(after_the_first_read(book)):
        assert audit_strategy(strategy_id=executed.pk, clock=at) is False

    assert alarms(at) == []
    assert list_result_errors() == {}


@pytest.mark.django_db(transaction=True)
def test_what_is_put_right_during_the_audit_is_no_false_alarm(wrong, at):
    audit_strategy(strategy_id=wrong.pk, clock=at)
    at.advance_ms(1)

    def put_right():
        rebuild_results(strategy_id=wrong.pk, clock=at)

    with connection.execute_wrapper(after_the_first_read(put_right)):
        audit_strategy(strategy_id=wrong.pk, clock=at)

    assert alarms(at) == []


def test_totals_and_what_they_add_up_are_read_by_one_statement(executed, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert list_result_errors(executed.pk) == {}
