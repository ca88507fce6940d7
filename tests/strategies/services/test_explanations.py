"""What strategies on streams found is written for many of them together, and counted once."""

from dataclasses import replace
from typing import Any

import pytest
from django.db import OperationalError

from arbplatform.core.clock import SYSTEM_CLOCK
from arbplatform.core.errors import Message
from ledger.models import LogEntry
from markets.errors import VenueDisabled
from strategies.domain.states import StrategyDriver
from strategies.models import Run, Strategy
from strategies.sdk import Evaluation, MarketKey, Rejection
from strategies.selectors import get_open_run
from strategies.services import explanations as module
from strategies.services.claims import TickClaim
from strategies.services.decisions import BookFailure, Findings
from strategies.services.explanations import Explanation, join, write_explanations
from strategies.services.runs import start_strategy

pytestmark = pytest.mark.django_db

MARKET = MarketKey("beta", "BTC/USDT")


@pytest.fixture
def held(make_cross, calm):
    """Strategies that an engine holds, each with a token of its own."""
    rows = [make_cross(f"s{number}", driver=StrategyDriver.STREAM) for number in range(4)]
    for row in rows:
        start_strategy(strategy_id=row.pk, user=None)
        Strategy.objects.filter(pk=row.pk).update(tick_token=f"token {row.pk}", failure_count=2)
    return [row.pk for row in rows]


def explain(strategy_id, *, token="", is_told=True, is_well=True, decisions=3, missing=()):
    run = get_open_run(strategy_id)
    assert run is not None
    now = SYSTEM_CLOCK.now()
    found = Findings(
        at=now,
        evaluation=Evaluation(intents=(), rejections=()),
        failures=missing,
        executions=(),
        left=(),
    )
    return Explanation(
        claim=TickClaim(strategy_id, token or f"token {strategy_id}", now, now),
        run_id=run.pk,
        findings=found if is_told else None,
        decision_count=decisions,
        opportunity_count=2,
        execution_count=1,
        is_well=is_well,
    )


def write(found):
    return write_explanations(explanations=found, clock=SYSTEM_CLOCK)


def counts():
    rows = Run.objects.order_by("strategy_id")
    return list(rows.values_list("tick_count", "opportunity_count", "execution_count"))


def test_each_is_told_and_counted_by_its_own_facts(held):
    told, failing, silent, robbed = held

    left = write(
        [
            explain(robbed, token="of an earlier lease"),
            explain(told),
            explain(failing, is_well=False),
            explain(silent, is_told=False, decisions=1),
        ]
    )

    assert left == ()
    rows = {row.pk: (bool(row.last_decision), row.failure_count) for row in Strategy.objects.all()}
    assert rows == {told: (True, 0), failing: (True, 2), silent: (False, 0), robbed: (False, 2)}
    assert Strategy.objects.get(pk=told).last_decision["intent_count"] == 0
    assert counts() == [(3, 2, 1), (3, 2, 1), (1, 2, 1), (3, 2, 1)]


def test_many_are_written_by_as_many_statements_as_one(held, django_assert_max_num_queries):
    with django_assert_max_num_queries(6) as one:
        write([explain(held[0])])
    found = [explain(pk) for pk in held]

    with django_assert_max_num_queries(len(one)):
        write(found)

    assert counts() == [(6, 4, 2), *[(3, 2, 1)] * 3]


def test_missing_books_of_many_are_logged_once_a_minute_by_few_queries(
    held, django_assert_max_num_queries
):
    error = VenueDisabled(venue="beta")
    missing = [BookFailure(MarketKey("beta", symbol), error) for symbol in ("BTC/USDT", "ETH/USDT")]

    def found():
        return [explain(pk, missing=missing) for pk in held]

    def logged():
        rows = LogEntry.objects.filter(event="book_missing").order_by("strategy_id")
        return list(rows.values_list("strategy_id", flat=True))

    first, second = found(), found()
    with django_assert_max_num_queries(7):
        write(first)
    assert logged() == held

    write(second)
    assert logged() == held


def test_two_leases_of_one_strategy_are_both_counted_and_the_newer_one_is_told(held):
    earlier, newer = explain(held[0], token="before"), explain(held[0])

    write(join([earlier, newer]))

    assert counts()[0] == (6, 4, 2)
    assert Strategy.objects.get(pk=held[0]).last_decision


def test_what_cannot_be_written_is_counted_once_it_can(held, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 2)
    real, calls = module._write, []

    def fail_at_second(chunk):
        calls.append(len(chunk))
        if len(calls) == 2:
            raise OperationalError("the server closed the connection")
        real(chunk)

    monkeypatch.setattr(module, "_write", fail_at_second)

    left = write([explain(pk) for pk in held])
    assert [item.claim.strategy_id for item in left] == held[2:]
    assert counts() == [(3, 2, 1), (3, 2, 1), (0, 0, 0), (0, 0, 0)]

    assert write(join([*left, *(explain(pk, is_told=False) for pk in held)])) == ()
    assert counts() == [(6, 4, 2)] * 4
    assert all(row.last_decision for row in Strategy.objects.all())


def test_what_cannot_be_written_of_one_strategy_hides_no_others(held, caplog):
    broken = explain(held[1], missing=[BookFailure(MARKET, VenueDisabled(venue="beta"))])
    no_code: Any = object()
    unwritable = Rejection("BTC/USDT", no_code, Message("no word for it"))
    evaluation = Evaluation(intents=(), rejections=(unwritable,))
    broken = replace(broken, findings=replace(broken.findings, evaluation=evaluation))
    others = [explain(pk, missing=broken.findings.failures) for pk in held if pk != held[1]]

    assert write([broken, *others]) == ()

    assert [row.pk for row in Strategy.objects.order_by("pk") if row.last_decision] == [
        held[0],
        *held[2:],
    ]
    assert counts() == [(3, 2, 1)] * 4
    warned = LogEntry.objects.filter(event="book_missing").values_list("strategy_id", flat=True)
    assert sorted(warned) == [held[0], *held[2:]]
    (said,) = [record for record in caplog.records if record.name == module.__name__]
    assert said.getMessage() == f"What strategy {held[1]} found cannot be written down"


def test_what_waits_is_counted_once_when_the_database_goes_after_a_failure(held, monkeypatch):
    real, calls = module._write, []

    def fail(chunk):
        calls.append([item.claim.strategy_id for item in chunk])
        if len(calls) == 1:
            raise ValueError("something cannot be written")
        if len(calls) == 3:
            raise OperationalError("the server closed the connection")
        real(chunk)

    monkeypatch.setattr(module, "_write", fail)

    left = write([explain(pk) for pk in held])

    assert calls == [held, held[:2], held[2:]]
    assert [item.claim.strategy_id for item in left] == held[2:]
    assert counts() == [(3, 2, 1), (3, 2, 1), (0, 0, 0), (0, 0, 0)]
