"""One strategy on the loop: what makes it decide, on what, and what keeps it from it."""

from decimal import Decimal as D

import pytest
from django.db import OperationalError

from arbplatform.core.crashpoints import observe
from arbplatform.core.stages import Stage
from ledger.domain.halts import EVERYTHING, TradingEvent
from ledger.models import Order
from ledger.selectors import imbalances
from ledger.services.halts import change_trading
from ledger.services.waits import HANG_MS, REST_MS, TRY_MS, Waits
from markets.domain.live_book import LiveBook
from markets.errors import VenueRejected
from strategies.domain.risk import Limits
from strategies.domain.states import ExecutionState, StrategyState
from strategies.engine.decider import (
    BASIS_AGE_MS_MAX,
    FAILURE_REST_MS,
    IDLE_REST_MS_MAX,
    SUPERSEDED_MAX,
)
from strategies.engine.echoes import WAIT_MS_MAX
from strategies.engine.reminders import EXPLAIN_EVERY_MS
from strategies.models import Decision, Execution, Opportunity, Reason, Strategy
from strategies.services import deciding, gates, streaming
from strategies.services.claims import extend_claim
from strategies.services.crashpoints import CrashPoint
from strategies.services.deciding import DECISION_MS_MAX
from strategies.services.endings import FAILURES_MAX
from strategies.services.explanations import write_explanations
from strategies.services.risk import save_limits
from strategies.services.setups import SETUPS
from strategies.services.streaming import read_stream_basis
from tests.strategies.engine.stage import TOKEN, offer
from tests.strategies.samples import Hooked

pytestmark = pytest.mark.django_db


def explain(stage):
    """Write down what was found, as the engine does once a second."""
    found = stage.decider.explain()
    write_explanations(explanations=[found] if found else [], clock=stage.clock)
    return Strategy.objects.get(pk=stage.decider.strategy_id).last_decision


def test_an_edge_that_appears_is_carried_out_and_booked(watched):
    offer(watched)

    assert watched.crew.work() == 1

    execution = Execution.objects.get()
    assert execution.state == ExecutionState.COMPLETED
    assert {order.market.venue.code for order in execution.orders.all()} == {"alpha", "beta"}
    assert imbalances() == {}
    assert watched.counts.executed == 1


def test_a_change_that_can_come_to_nothing_bothers_no_thread(watched):
    watched.books.set("alpha", bids=[("49991", "1")], asks=[("50009", "1")])

    assert not watched.crew.asked
    assert watched.counts.nominated == 0


def test_each_second_it_decides_in_any_case_and_says_why_it_does_not_trade(watched):
    watched.decider.force()

    assert [is_urgent for _errand, is_urgent in watched.crew.asked] == [False]
    assert watched.crew.work() == 1
    codes = {item["code"] for item in explain(watched)["rejections"]}
    assert codes == {"edge_below_min"}


def test_while_nothing_is_new_it_explains_itself_now_and_then_only(watched):
    watched.decider.remind()
    assert watched.crew.work() == 1
    watched.pass_ms(EXPLAIN_EVERY_MS)
    watched.refresh()
    watched.decider.remind()
    assert watched.crew.work() == 1

    watched.refresh()
    watched.decider.remind()
    assert not watched.crew.asked

    save_limits(strategy_id=watched.decider.strategy_id, limits=Limits(edge_bps_max=D(7)))
    watched.refresh()
    watched.decider.remind()
    assert watched.crew.work() == 1


def test_what_was_offered_while_the_last_reading_was_too_old_is_looked_at_after_the_next(watched):
    watched.decider.remind()
    watched.crew.work()
    watched.pass_ms(BASIS_AGE_MS_MAX + 1)
    offer(watched)
    assert watched.crew.work() == 0

    watched.refresh()
    watched.decider.remind()

    assert watched.crew.work() == 1
    assert watched.counts.executed == 1


def test_an_intent_that_is_denied_is_looked_at_again_after_each_reading(watched):
    save_limits(strategy_id=watched.decider.strategy_id, limits=Limits(edge_bps_max=D(7)))
    watched.refresh()
    offer(watched)
    watched.crew.work()
    assert watched.counts.executed == 0

    watched.refresh()
    watched.decider.remind()

    assert watched.crew.work() == 1


def test_what_a_book_offers_does_not_wait_behind_what_only_says_how_things_stand(watched):
    watched.decider.force()

    offer(watched)

    assert list(watched.crew.asked) == [(watched.decider, True)]
    assert watched.crew.work() == 1
    assert watched.counts.executed == 1


def test_what_changes_before_a_thread_is_free_is_one_decision_on_the_newest_books(watched):
    offer(watched)
    offer(watched, quantity="0.5")
    offer(watched, quantity="0.25")

    assert len(watched.crew.asked) == 1
    assert watched.crew.work() == 1
    evidence = Opportunity.objects.get().evidence
    asks = {book["venue"]: book["asks"] for book in evidence["books"]}
    assert asks["alpha"] == [["50000", "0.25"]]
    assert watched.counts.conflated == watched.counts.nominated - 1 > 0


def test_how_long_each_stage_took_is_counted(watched):
    offer(watched)
    watched.crew.work()

    counted = {stage: each.count for stage, each in watched.recorder.read().total.items()}
    assert counted == {
        Stage.DECISION: 1,
        Stage.COMMIT: 1,
        Stage.SEND: 2,
        Stage.ACK: 2,
        Stage.FILL: 2,
    }


@pytest.fixture
def hooked_stage(stage, hooked, calm):
    """A strategy in the middle of whose decisions a test can do something."""
    stage.books.show("alpha")
    stage.books.show("beta")
    stage.employ(hooked)
    return stage


def test_a_newer_book_in_the_middle_of_a_decision_is_decided_on_instead(hooked_stage):
    stage = hooked_stage

    def supersede():
        Hooked.hook = None
        offer(stage, quantity="0.125")

    Hooked.hook = supersede
    offer(stage)

    assert stage.crew.work() == 2

    assert stage.counts.superseded == 1
    evidence = Opportunity.objects.get().evidence
    assert [book["asks"] for book in evidence["books"] if book["venue"] == "alpha"] == [
        [["50000", "0.125"]]
    ]
    assert Execution.objects.get().state == ExecutionState.COMPLETED


def test_a_change_of_a_market_that_is_not_traded_supersedes_nothing(hooked_stage):
    Hooked.hook = lambda: hooked_stage.books.live["alpha", "BTC/USDT"].confirm(0)
    offer(hooked_stage)

    hooked_stage.crew.work()

    assert (hooked_stage.counts.superseded, hooked_stage.counts.executed) == (0, 1)


def test_a_market_that_never_stands_still_is_tried_a_few_times_and_then_left(hooked_stage):
    stage = hooked_stage
    live = stage.books.live

    def change_quietly():
        live["alpha", "BTC/USDT"].version += 1

    Hooked.hook = change_quietly
    offer(stage)

    assert stage.crew.work() == SUPERSEDED_MAX + 1
    assert not Opportunity.objects.exists()
    assert not Order.objects.exists()
    assert not stage.crew.asked


def test_a_closed_gate_forbids_the_decision_and_says_so(watched):
    watched.books.close_gate("beta")
    offer(watched)
    watched.decider.force()

    watched.crew.work()

    assert not Order.objects.exists()
    missing = explain(watched)["missing_books"]
    assert [(item["venue"], item["code"]) for item in missing] == [("beta", 5020)]


def test_a_gate_that_closes_in_the_middle_of_a_decision_stops_it(hooked_stage):
    Hooked.hook = lambda: hooked_stage.books.close_gate("beta")
    offer(hooked_stage)

    hooked_stage.crew.work()

    assert hooked_stage.counts.superseded == 1
    assert not Opportunity.objects.filter(decision=Decision.EXECUTED).exists()
    assert hooked_stage.books.venues["alpha"].requests == []


def test_after_its_own_trade_it_waits_until_the_books_show_it(watched):
    offer(watched, quantity="0.5")
    watched.crew.work()

    # the venue has sold all of it, but its stream has not said so yet
    assert not watched.crew.asked
    assert len(watched.alarms) == 1
    watched.books.show("alpha")
    assert not watched.crew.asked
    watched.books.show("beta")

    assert watched.crew.work() == 1
    first, second = (row.evidence["books"] for row in Opportunity.objects.order_by("pk"))
    taken = Order.objects.filter(side="buy").order_by("pk").first()
    assert taken is not None
    asked = [D(book["asks"][0][1]) for book in (first[0], second[0])]
    assert asked == [D("0.5"), D("0.5") - taken.quantity]


def test_books_that_never_show_the_trade_are_taken_as_they_are_after_a_while(watched):
    offer(watched)
    watched.crew.work()

    watched.pass_ms(WAIT_MS_MAX + 1)

    assert watched.crew.work() == 1


def test_after_an_execution_it_decides_on_funds_and_gates_read_anew(watched):
    offer(watched)
    before = watched.decider.basis
    watched.crew.work()

    after = watched.decider.basis
    assert after is not before
    assert after.free != before.free
    assert after.setup is before.setup


def test_after_an_execution_other_markets_wait_until_their_books_are_told_of(watched):
    offer(watched)
    SETUPS.clear()  # as after a synchronisation of a venue
    watched.crew.work()

    assert watched.counts.executed == 1
    assert watched.decider.basis is None
    offer(watched)
    assert watched.crew.work() == 0
    setup = read_stream_basis(
        strategy_id=watched.decider.strategy_id,
        run_id=watched.decider.run_id,
        clock=watched.clock,
    )
    assert watched.decider.install(setup) is True


def test_a_decision_of_which_nothing_is_known_gives_the_strategy_back(watched):
    offer(watched)
    errand, _is_urgent = watched.crew.asked.popleft()
    assert errand.begin() is not None

    errand.fail(RuntimeError("a bug of the platform"))

    assert watched.let_go == [watched.decider.strategy_id]
    assert not watched.decider.is_busy
    assert watched.decider.engagements == 1


def test_books_that_cannot_be_read_leave_it_free(watched, monkeypatch):
    monkeypatch.setattr(LiveBook, "to_book", lambda _book, _depth: 1 // 0)
    offer(watched)

    with pytest.raises(ZeroDivisionError):
        watched.crew.work()

    assert not watched.decider.is_busy
    monkeypatch.undo()
    watched.decider.force()
    assert watched.crew.work() == 1


def test_a_nominator_that_raises_is_not_asked_again_and_disturbs_nobody(watched, monkeypatch):
    def raise_bug(*_args):
        raise RuntimeError("a bug of a plugin")

    kind = type(watched.decider.basis.setup.plugin.nominator(watched.decider.basis.setup.rules))
    monkeypatch.setattr(kind, "update", raise_bug)
    monkeypatch.setattr(kind, "drop", raise_bug)

    offer(watched)
    watched.books.close_gate("beta")
    monkeypatch.undo()
    watched.books.closed.clear()
    watched.crew.asked.clear()
    watched.decider.begin()
    watched.books.show("alpha")

    assert watched.decider.is_busy
    assert watched.counts.nominated == 3


def test_a_nominator_that_cannot_be_made_is_made_at_the_next_reading(watched, monkeypatch):
    def raise_bug(_self, _rules):
        raise RuntimeError("a bug of a plugin")

    SETUPS.clear()
    before = watched.decider.basis
    with monkeypatch.context() as patch:
        patch.setattr(type(before.setup.plugin), "nominator", raise_bug)
        with pytest.raises(RuntimeError):
            watched.refresh()
    assert watched.decider.basis is before

    assert watched.decider.install(watched.read()) is True
    assert watched.decider.basis is not before


def test_an_execution_that_fails_gives_it_a_rest(watched):
    def refuse(request):
        raise VenueRejected(venue="alpha", cause="no")

    for code in ("alpha", "beta"):
        watched.books.venues[code].before_submit = refuse
    offer(watched)

    assert watched.crew.work() == 1
    offer(watched)
    assert not watched.crew.asked
    watched.pass_ms(FAILURE_REST_MS + 1)

    assert watched.crew.work() == 1
    assert [each.state for each in Execution.objects.all()] == [ExecutionState.FAILED] * 2


def test_nothing_is_decided_on_what_was_read_too_long_ago(watched):
    watched.clock.advance_ms(BASIS_AGE_MS_MAX + 1)
    offer(watched)

    assert watched.crew.work() == 0
    assert not Opportunity.objects.exists()


def test_nothing_is_decided_on_what_took_too_long_to_be_read(watched):
    basis = watched.read()
    watched.clock.advance_ms(BASIS_AGE_MS_MAX + 1)  # the database was slow, or the process paused

    watched.decider.install(basis)
    offer(watched)

    assert watched.crew.work() == 0
    assert not Opportunity.objects.exists()


def test_what_nothing_can_be_carried_out_of_is_only_explained(watched):
    change_trading(event=TradingEvent.HALT, scope=EVERYTHING, reason="a test")
    Strategy.objects.update(state=StrategyState.STOPPING)
    watched.refresh()
    offer(watched)
    assert not watched.crew.asked

    watched.decider.force()
    watched.crew.work()

    denied = Opportunity.objects.get()
    assert (denied.decision, denied.reason) == (Decision.DENIED, Reason.STRATEGY_STOPPING)
    assert not Order.objects.exists()


def test_a_halt_that_came_after_the_gate_was_read_is_found_by_the_transaction(watched):
    change_trading(event=TradingEvent.HALT, scope=EVERYTHING, reason="a test")
    offer(watched)

    watched.crew.work()

    denied = Opportunity.objects.get()
    assert (denied.decision, denied.reason) == (Decision.DENIED, Reason.TRADING_HALTED)
    assert not Order.objects.exists()


def test_a_strategy_that_somebody_else_holds_sends_nothing(watched):
    Strategy.objects.update(tick_token="another engine")
    offer(watched)

    watched.crew.work()

    assert Opportunity.objects.get().reason == Reason.TICK_LOST
    assert not Order.objects.exists()


@pytest.mark.usefixtures("exact_decisions")
def test_a_decision_that_was_paused_sends_nothing(watched):
    offer(watched)
    errand, _is_urgent = watched.crew.asked.popleft()
    decide = errand.begin()

    watched.clock.advance_ms(DECISION_MS_MAX + 100)  # as after SIGSTOP: the books have not changed
    report = decide()
    errand.end(report)

    assert (report.execution_count, report.is_left_undone) == (0, False)
    assert not Order.objects.exists()
    assert Opportunity.objects.get().reason == Reason.TICK_LOST


def test_no_decision_begins_once_the_strategy_is_not_held_any_more(watched):
    offer(watched)
    watched.is_held = False

    assert watched.crew.work() == 0
    assert not watched.decider.is_busy


def test_a_closed_decider_decides_nothing(watched):
    offer(watched)
    watched.decider.close()

    assert watched.crew.work() == 0
    assert not Opportunity.objects.exists()


def test_an_opportunity_that_is_left_is_written_down_once_however_often_it_is_seen(watched):
    change_trading(event=TradingEvent.HALT, scope=EVERYTHING, reason="a test")
    watched.refresh()
    for _ in range(5):
        offer(watched)
        watched.pass_ms(IDLE_REST_MS_MAX)
        watched.crew.work()

    assert watched.counts.decided >= 5
    assert Opportunity.objects.get().reason == Reason.TRADING_HALTED


def test_one_that_is_nominated_in_vain_leaves_the_processor_to_others_for_a_moment(watched):
    change_trading(event=TradingEvent.HALT, scope=EVERYTHING, reason="a test")
    watched.refresh()
    for _ in range(4):
        offer(watched)
        watched.crew.work()

    offer(watched)

    assert not watched.crew.asked
    watched.pass_ms(IDLE_REST_MS_MAX)
    assert len(watched.crew.asked) == 1


def break_off():
    raise RuntimeError("a bug of the plugin")


def test_a_decision_that_fails_is_counted_logged_and_followed_by_a_rest(hooked_stage):
    Hooked.hook = break_off
    offer(hooked_stage)

    assert hooked_stage.crew.work() == 1
    offer(hooked_stage)
    assert not hooked_stage.crew.asked

    strategy = Strategy.objects.get()
    assert (strategy.failure_count, strategy.last_error_code) == (1, None)
    assert str(strategy.to_error()) == "RuntimeError: a bug of the plugin"
    assert strategy.state == StrategyState.RUNNING
    assert hooked_stage.let_go == []


def test_after_several_failures_in_a_row_the_strategy_is_stopped_as_faulted(hooked_stage):
    Hooked.hook = break_off
    for _ in range(FAILURES_MAX):
        offer(hooked_stage)
        hooked_stage.crew.work()
        hooked_stage.pass_ms(FAILURE_REST_MS + 1)

    assert Strategy.objects.get().state == StrategyState.FAULTED


def test_a_failure_that_no_database_can_spell_counts_as_well(hooked_stage):
    def say_anything():
        raise ValueError("half a sentence: \x00")

    Hooked.hook = say_anything
    offer(hooked_stage)

    assert hooked_stage.crew.work() == 1

    row = Strategy.objects.get()
    assert (row.failure_count, str(row.to_error())) == (1, "ValueError: half a sentence:")


def test_a_decision_that_works_again_ends_the_row_of_failures(hooked_stage):
    Hooked.hook = break_off
    offer(hooked_stage)
    hooked_stage.crew.work()
    explain(hooked_stage)
    assert Strategy.objects.get().failure_count == 1

    Hooked.hook = None
    hooked_stage.pass_ms(FAILURE_REST_MS + 1)
    hooked_stage.decider.force()
    hooked_stage.crew.work()
    explain(hooked_stage)

    assert Strategy.objects.get().failure_count == 0


def test_a_strategy_that_breaks_off_in_the_middle_of_an_execution_is_given_back(watched):
    def break_off_after_sending(point):
        if point is CrashPoint.LEGS_SENT:
            raise RuntimeError("a bug of the platform")

    offer(watched)
    with observe(break_off_after_sending):
        watched.crew.work()

    assert watched.let_go == [watched.decider.strategy_id]
    assert Execution.objects.get().state == ExecutionState.EXECUTING


def test_the_run_counts_decisions_opportunities_and_executions(watched):
    offer(watched)
    watched.crew.work()
    explain(watched)

    run = Strategy.objects.get().runs.get()
    assert (run.tick_count, run.opportunity_count, run.execution_count) == (1, 1, 1)
    assert watched.decider.explain() is None


def test_an_execution_is_told_and_nothing_decided_on_what_was_before_if_nothing_can_be_read(
    watched, monkeypatch
):
    def away(**_what):
        raise OperationalError("no database")

    monkeypatch.setattr(streaming, "read_stream_basis", away)
    offer(watched)

    assert watched.crew.work() == 1

    decision = explain(watched)
    assert [item["state"] for item in decision["executed"]] == ["completed"]
    run = Strategy.objects.get().runs.get()
    assert (run.tick_count, run.execution_count) == (1, 1)
    assert watched.let_go == [watched.decider.strategy_id]


def test_what_is_left_and_could_not_be_written_down_is_written_down_the_next_time(
    watched, monkeypatch
):
    def fail(**_what):
        raise RuntimeError("it cannot be written down")

    change_trading(event=TradingEvent.HALT, scope=EVERYTHING, reason="a test")
    watched.refresh()
    with monkeypatch.context() as patch:
        patch.setattr(deciding, "record_left", fail)
        offer(watched)
        watched.crew.work()
    assert not Opportunity.objects.exists()

    watched.pass_ms(FAILURE_REST_MS)
    offer(watched)
    watched.crew.work()

    assert Opportunity.objects.get().reason == Reason.TRADING_HALTED


def test_what_was_carried_out_is_told_even_if_another_decision_followed(watched):
    offer(watched)
    watched.crew.work()
    watched.pass_ms(WAIT_MS_MAX + 1)
    watched.books.show("alpha")
    watched.decider.force()
    watched.crew.work()

    decision = explain(watched)

    assert [item["state"] for item in decision["executed"]] == ["completed"]


def test_what_another_engine_holds_by_now_is_not_described_but_counted(watched):
    watched.decider.force()
    watched.crew.work()
    Strategy.objects.update(tick_token="another engine", last_decision={"by": "it"})

    assert explain(watched) == {"by": "it"}
    assert Strategy.objects.get().runs.get().tick_count == 1


def test_the_claim_stays_with_the_engine_after_decisions(watched):
    offer(watched)
    watched.crew.work()
    explain(watched)

    assert Strategy.objects.get().tick_token == TOKEN


# venues that hang -----------------------------------------------------------------------------


class PlayedWaits(Waits):
    """Whose clock a test moves."""

    now_ms = 0.0

    def __init__(self):
        super().__init__(lambda: self.now_ms)


@pytest.fixture
def waits(monkeypatch):
    """What the process knows of venues that hang."""
    made = PlayedWaits()
    monkeypatch.setattr(gates, "WAITS", made)
    return made


def test_nothing_is_sent_to_a_venue_that_hangs_and_the_reason_is_told(watched, waits):
    waits.begin(1, "beta")
    waits.now_ms = HANG_MS
    offer(watched)

    assert watched.crew.work() == 1

    assert not Order.objects.exists()
    left = Opportunity.objects.get()
    assert (left.decision, left.reason) == (Decision.DENIED, Reason.VENUE_HANGING)

    waits.end(1, is_lost=False)
    watched.pass_ms(IDLE_REST_MS_MAX)
    watched.refresh()
    watched.decider.remind()
    watched.crew.work()
    assert watched.counts.executed == 1


@pytest.fixture
def rested(waits):
    """The venue beta has left an order without an answer; its rest is over."""
    waits.begin(1, "beta")
    waits.now_ms = HANG_MS
    waits.end(1, is_lost=True)
    waits.now_ms += REST_MS
    return waits


def test_a_venue_that_left_an_order_without_an_answer_is_tried_by_one_strategy(watched, rested):
    waits = rested
    assert not waits.refuse({"beta"})  # another one tries it
    offer(watched)

    watched.crew.work()

    assert Opportunity.objects.get().reason == Reason.VENUE_HANGING
    waits.now_ms += TRY_MS
    watched.pass_ms(IDLE_REST_MS_MAX)
    watched.refresh()
    watched.decider.remind()
    watched.crew.work()
    assert watched.counts.executed == 1


def test_of_two_that_would_try_it_in_the_same_moment_one_does(watched, rested, monkeypatch):
    def be_slower(claim, *, clock):
        rested.refuse({"beta"})
        return extend_claim(claim, clock=clock)

    monkeypatch.setattr(deciding, "extend_claim", be_slower)
    offer(watched)

    watched.crew.work()

    assert not Order.objects.exists()
    assert Opportunity.objects.get().reason == Reason.VENUE_HANGING


def test_what_a_limit_denies_keeps_no_other_strategy_from_trying_it(watched, rested):
    save_limits(strategy_id=watched.decider.strategy_id, limits=Limits(edge_bps_max=D(7)))
    watched.refresh()
    offer(watched)

    watched.crew.work()

    assert Opportunity.objects.get().reason == Reason.EDGE_ABOVE_CAP
    assert not rested.refuse({"beta"})


def test_what_a_newer_book_supersedes_keeps_no_strategy_from_trying_it(hooked_stage, rested):
    Hooked.hook = lambda: hooked_stage.books.close_gate("beta")
    offer(hooked_stage)

    hooked_stage.crew.work()

    assert hooked_stage.counts.superseded == 1
    assert not rested.refuse({"beta"})


def test_a_strategy_all_of_whose_venues_hang_takes_no_thread_for_what_books_offer(watched, waits):
    waits.begin(1, "alpha")
    waits.begin(2, "beta")
    waits.now_ms = HANG_MS

    offer(watched)

    assert not watched.crew.asked
    watched.decider.force()
    assert [is_urgent for _errand, is_urgent in watched.crew.asked] == [False]


def test_it_is_away_while_its_orders_are_at_their_venues_and_not_before(watched):
    seen = []

    def look(_request):
        seen.append(watched.decider.is_away)

    watched.books.venues["alpha"].before_submit = look
    watched.decider.force()
    watched.crew.work()
    assert (watched.decider.is_away, seen) == (False, [])

    offer(watched)
    watched.crew.work()

    assert seen == [True]
    assert not watched.decider.is_away
