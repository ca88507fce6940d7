"""News about an order that comes late: an execution is judged on what was booked, not before."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.db.models.signals import pre_save
from django.utils import timezone

from arbplatform.core.decimals import Amount
from ledger.domain.postings import Purse, external_lines, fee_lines
from ledger.models import Entry, EntryKind, Fill, Order
from ledger.selectors import execution_movements, imbalances
from ledger.services import recording
from ledger.services.entries import book_entry
from ledger.services.journal import resolve_unknown, resolve_unknown_orders
from strategies.domain.states import ExecutionState
from strategies.models import Attribution, Execution, SweepPlace
from strategies.selectors import find_late_news, late_news, list_outcomes, list_result_errors
from strategies.services import sweeps
from strategies.services.repairs import repair_execution
from strategies.services.settlement import settle_execution
from strategies.services.ticks import TickOutcome, run_tick
from tests.strategies.fakes import FakeGateway, SkewedClock

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("exact_results")]


@pytest.fixture
def silent_fills(monkeypatch):
    """Venues say that an order was filled, but not by which trades."""
    submit = FakeGateway.submit_order

    def without_fills(gateway, request):
        return replace(submit(gateway, request), fills=())

    monkeypatch.setattr(FakeGateway, "submit_order", without_fills)
    monkeypatch.setattr(FakeGateway, "fetch_fills", lambda *_args, **_kwargs: [])
    return monkeypatch


def test_an_execution_whose_trades_are_not_booked_yet_has_not_ended(
    triangular, triangle, silent_fills
):
    report = run_tick(strategy_id=triangular.pk)

    order = Order.objects.get()
    assert (order.state, order.filled_quantity > 0, Fill.objects.count()) == ("filled", True, 0)
    assert Execution.objects.get().state == ExecutionState.UNKNOWN
    repair_execution(execution_id=report.execution_ids[0])
    assert run_tick(strategy_id=triangular.pk, is_spacing_kept=False).outcome is TickOutcome.LEFT
    assert len(triangle["alpha"].requests) == 1


def test_once_its_trades_are_booked_it_is_repaired(triangular, triangle, silent_fills):
    run_tick(strategy_id=triangular.pk)
    silent_fills.undo()
    clock = SkewedClock()
    clock.advance_ms(60_000)

    resolve_unknown_orders(clock=clock)
    sweeps.sweep(clock=clock)

    execution = Execution.objects.get()
    assert execution.state == ExecutionState.COMPLETED
    assert len(triangle["alpha"].requests) == 3
    assert not any(outcome.is_open for outcome in list_outcomes(execution.pk))
    assert execution.realised_profit == execution_movements(execution.pk)["USDT"]
    assert imbalances() == {}


def test_both_legs_filled_is_no_end_while_one_of_them_is_not_booked(cross, edge, silent_fills):
    run_tick(strategy_id=cross.pk)

    assert Execution.objects.get().state == ExecutionState.UNKNOWN
    silent_fills.undo()
    for order in Order.objects.all():
        resolve_unknown(order_id=order.pk)
    sweeps.sweep()
    execution = Execution.objects.get()
    assert execution.state == ExecutionState.COMPLETED
    assert execution.realised_profit == execution_movements(execution.pk)["USDT"] > 0


def test_a_fill_that_comes_after_the_end_reopens_it_although_the_message_was_lost(
    cross, edge, monkeypatch
):
    for code in ("alpha", "beta"):  # by the time the orders arrive nothing is left to trade with
        edge[code].before_submit = lambda _request, venue=edge[code]: venue.set_book(
            "BTC/USDT", bids=[("40000", "5")], asks=[("60000", "5")]
        )
    run_tick(strategy_id=cross.pk)
    execution = Execution.objects.get()
    assert (execution.state, Fill.objects.count()) == (ExecutionState.FAILED, 0)

    monkeypatch.setattr(recording, "enqueue_on_commit", lambda *_args, **_kwargs: None)
    venue = edge["alpha"]
    venue.before_submit = None
    venue.set_book("BTC/USDT", bids=[("49990", "5")], asks=[("50000", "5")])
    request = venue.requests[0]
    number = venue.orders[request.client_order_id].venue_order_id
    late = venue.execute(request)
    fills = tuple(replace(fill, venue_order_id=number) for fill in late.fills)
    venue.orders[request.client_order_id] = replace(late, venue_order_id=number, fills=fills)
    order = Order.objects.get(client_order_id=request.client_order_id)
    order.next_lookup_at = order.finished_at
    order.save(update_fields=["next_lookup_at"])
    resolve_unknown(order_id=order.pk)
    assert Fill.objects.count() == 1
    assert Execution.objects.get().state == ExecutionState.FAILED

    sweeps.sweep()

    execution = Execution.objects.get()
    assert (execution.state, len(venue.requests)) == (ExecutionState.UNWOUND, 2)
    assert execution.realised_profit == execution_movements(execution.pk)["USDT"]


def test_what_was_learned_after_the_end_is_judged_once(cross, edge):
    run_tick(strategy_id=cross.pk)
    # as if its last entry had been committed after the end
    Execution.objects.update(entries_seen=F("entries_seen") - 1)

    sweeps.sweep()
    assert Attribution.objects.get().revision == 2
    sweeps.sweep()

    assert Attribution.objects.get().revision == 2


def book_late_fee(execution_id):
    """Book a fee of 0.5 USDT for an execution, of which nobody is told."""
    order = Order.objects.filter(execution_id=execution_id).earliest("pk")
    book_entry(
        key=f"late-fee-of:{execution_id}",
        kind=EntryKind.FEE,
        lines=fee_lines(purse=Purse(order.account_id), fee=Amount("0.5"), fee_asset="USDT"),
        occurred_at=timezone.now(),
        strategy_id=order.strategy_id,
        execution_id=execution_id,
    )


def test_what_bears_an_earlier_time_than_the_end_is_judged_as_well(cross, edge):
    """Who booked it may have been slow to commit, or have another clock."""
    run_tick(strategy_id=cross.pk)
    execution = Execution.objects.get()
    assert find_late_news().execution_ids == []
    Execution.objects.update(updated_at=timezone.now() + timedelta(hours=1))

    book_late_fee(execution.pk)

    assert find_late_news().execution_ids == [execution.pk]
    sweeps.sweep()
    made = Execution.objects.get().realised_profit
    assert made == execution.realised_profit - Amount("0.5")
    assert find_late_news().execution_ids == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has one writer at a time")
def test_what_is_committed_while_a_settlement_reads_is_found_by_the_next_look(cross, edge):
    run_tick(strategy_id=cross.pk)
    execution = Execution.objects.get()
    waiting = [execution.pk]

    def book_after_the_look(execute, sql, params, many, context):
        found = execute(sql, params, many, context)
        if waiting and "SUM" in sql and "ledger_posting" in sql:
            with ThreadPoolExecutor(1) as threads:
                threads.submit(book_in_another_session, waiting.pop()).result(30)
        return found

    with connection.execute_wrapper(book_after_the_look):
        settle_execution(execution_id=execution.pk)

    assert waiting == []
    assert Execution.objects.get().realised_profit == execution.realised_profit
    assert find_late_news().execution_ids == [execution.pk]
    sweeps.sweep()
    made = Execution.objects.get().realised_profit
    assert made == execution.realised_profit - Amount("0.5")
    assert find_late_news().execution_ids == []
    assert list_result_errors() == {}


def book_in_another_session(execution_id):
    with closing(connection):
        book_late_fee(execution_id)


def find(*, after=None):
    """Return what a round finds, and have the next one read on, as if it had been settled.

    Args:
        after: id of the execution that has had its turn; ``None``: where the last round ended.
    """
    if after is not None:
        SweepPlace.objects.update(execution_id=after)
    news = find_late_news()
    sweeps.keep_place(news.place)
    return news.execution_ids


@pytest.fixture
def ended(cross, edge):
    """An execution that has ended and is known to all rounds."""
    run_tick(strategy_id=cross.pk)
    sweeps.sweep()
    assert find() == []
    return Execution.objects.get()


@pytest.fixture
def few(monkeypatch):
    """Rounds look at 4 ids at the end, 8 entries and 2 executions."""
    monkeypatch.setattr(late_news, "NEWEST_MAX", 4)
    monkeypatch.setattr(late_news, "ENTRIES_MAX", 8)
    monkeypatch.setattr(late_news, "EXECUTIONS_MAX", 2)


def book_others(number):
    """Book entries that belong to no execution."""
    purse, now = Purse(Order.objects.earliest("pk").account_id), timezone.now()
    for _ in range(number):
        key = f"other:{Entry.objects.count()}"
        lines = external_lines(purse=purse, asset="USDT", amount=Amount(1))
        book_entry(key=key, kind=EntryKind.EXTERNAL, lines=lines, occurred_at=now)


def test_what_is_followed_by_more_entries_than_are_looked_at_again_is_found(ended, few):
    book_late_fee(ended.pk)
    book_others(6)

    assert find(after=ended.pk) == [ended.pk]


def test_of_more_entries_than_a_round_reads_the_next_ones_read_on(ended, few):
    book_others(10)
    book_late_fee(ended.pk)
    book_others(20)

    rounds = [find(after=ended.pk) for _round in range(5)]

    assert rounds == [[], [ended.pk], [], [], []]


def insert(execution_id, entry_id):
    """Write an entry under an id that was drawn before."""
    values = {"kind": EntryKind.FEE, "occurred_at": timezone.now(), "execution_id": execution_id}
    Entry.objects.create(id=entry_id, key=f"drawn:{entry_id}", **values)


def test_the_last_ids_are_looked_at_again_since_one_may_be_committed_late(ended, few):
    newest = Entry.objects.latest("pk").pk
    insert(None, newest + 2)
    assert find(after=ended.pk) == []

    insert(ended.pk, newest + 1)

    assert find(after=ended.pk) == [ended.pk]


def test_what_is_booked_under_an_id_of_long_ago_is_found_once_its_execution_has_its_turn(
    ended, few
):
    newest = Entry.objects.latest("pk").pk
    insert(None, newest + 1_000)
    assert find() == []

    insert(ended.pk, newest + 1)

    assert find(after=ended.pk) == []
    assert find() == [ended.pk]


@pytest.fixture
def three(ended, few):
    """Three executions, of which the books know more since they ended."""
    for _ in range(2):
        run_tick(strategy_id=ended.strategy_id, is_spacing_kept=False)
    pks = list(Execution.objects.order_by("pk").values_list("pk", flat=True))
    newest = Entry.objects.latest("pk").pk
    for number, pk in enumerate(pks):
        insert(pk, newest + 1 + number)
    insert(None, newest + 1_000)
    SweepPlace.objects.update(entry_id=newest + 1_000, execution_id=0)
    return pks


def test_executions_have_their_turns_round_after_round(three):
    assert [find() for _round in range(4)] == [three[:2], three[2:], three[:2], three[2:]]


def test_those_settled_before_their_entries_were_counted_have_no_turn(three):
    Execution.objects.filter(pk__lt=three[2]).update(entries_seen=None)

    assert [find() for _round in range(2)] == [three[2:], three[2:]]


def test_of_executions_without_news_the_database_tells_nothing(ended):
    """However many there are: it counts their entries and compares them by itself."""
    asked = []

    def note(execute, sql, params, many, context):
        if "strategies_execution" in sql:
            asked.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        assert find_late_news().execution_ids == []

    told = []
    with connection.cursor() as cursor:
        for sql, params in asked:
            cursor.execute(sql, params)
            told += cursor.fetchall()
    assert (len(asked), told) == (3, [])


def test_a_sweep_that_could_not_settle_all_is_followed_by_one_that_comes_back(three, monkeypatch):
    monkeypatch.setattr(sweeps, "BATCH_MAX", 1)
    before = find_late_news()

    assert sweeps.sweep() == 0
    assert find_late_news().execution_ids == three[1:2]

    assert sweeps.sweep() == 0
    assert find_late_news().execution_ids == three[2:]
    assert SweepPlace.objects.get().execution_id == before.place.execution_id == three[1]


def test_executions_that_only_ever_fail_do_not_hold_up_the_others(three, monkeypatch):
    def fail(instance, **_kwargs):
        if instance.pk in three[:2]:
            raise RuntimeError("cannot be written")

    monkeypatch.setattr(sweeps, "BATCH_MAX", 1)
    pre_save.connect(fail, sender=Execution)
    try:
        assert sweeps.sweep() == 1
        assert find_late_news().execution_ids == three[2:]
        assert sweeps.sweep() == 0
    finally:
        pre_save.disconnect(fail, sender=Execution)

    assert [find() for _round in range(2)] == [three[:2], []]
