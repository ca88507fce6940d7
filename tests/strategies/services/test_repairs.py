"""An execution that falls short is completed, reversed or held, by one at a time."""

from decimal import Decimal as D

import pytest
from django.contrib.auth import get_user_model
from django.db.models import F

from arbplatform.core.clock import SystemClock
from arbplatform.core.crashpoints import observe
from ledger.domain.halts import HaltLevel, HaltScope, TradingEvent
from ledger.domain.orders import DECIDED_MS_MAX, OrderState
from ledger.models import LogEntry, LogLevel, Order
from ledger.selectors import imbalances
from ledger.services.halts import change_trading
from ledger.services.journal import resolve_unknown
from ledger.services.reconciliation import compare_with_venue
from markets.domain.orders import Side
from markets.errors import OrderTooLate, OutcomeUnknown
from strategies.domain.states import ExecutionState
from strategies.errors import NotHeld
from strategies.models import Execution, Opportunity
from strategies.selectors import find_late_news
from strategies.services import sweeps
from strategies.services.acknowledgements import acknowledge_execution
from strategies.services.crashpoints import CrashPoint
from strategies.services.repairs import STEPS_MAX, go_on, repair_execution
from strategies.services.settlement import settle_execution
from strategies.services.ticks import TickOutcome, run_tick
from tests.strategies.fakes import SkewedClock

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("exact_results")]


def is_exact(accounts):
    return imbalances() == {} and not any(
        compare_with_venue(account_id=account.pk) for account in accounts
    )


def once(venue, change):
    """Change something just before the next order reaches a venue."""

    def hook(request):
        venue.before_submit = None
        change()

    venue.before_submit = hook


def empty(venue, symbol="BTC/USDT"):
    venue.set_book(symbol, bids=[], asks=[])


def tick(strategy, **more):
    run_tick(strategy_id=strategy.pk, is_spacing_kept=False, **more)
    return Execution.objects.get()


def fall_short(edge):
    """Let beta's bids vanish before the sell, and make both ways out too dear afterwards."""
    once(
        edge["beta"],
        lambda: edge["beta"].set_book("BTC/USDT", bids=[("40000", "5")], asks=[("60000", "5")]),
    )
    once(
        edge["alpha"],
        lambda: edge["alpha"].set_book(
            "BTC/USDT", bids=[("40000", "5")], asks=[("50000", "1"), ("60000", "5")]
        ),
    )


@pytest.fixture
def stuck(cross, edge):
    """An execution that bought and cannot sell within the limit; a clock past its deadline."""
    fall_short(edge)
    execution = tick(cross)
    assert execution.state == ExecutionState.INCOMPLETE
    clock = SkewedClock()
    clock.advance_ms(60_000)
    return execution, clock


def test_a_leg_that_missed_is_sent_again_when_the_price_is_there_again(cross, edge, accounts):
    def lose_price():
        edge["beta"].set_book("BTC/USDT", bids=[], asks=[("50510", "1")])
        edge["beta"].before_book = lambda _symbol: edge["beta"].set_book(
            "BTC/USDT", bids=[("50450", "3")], asks=[("50510", "1")]
        )

    once(edge["beta"], lose_price)

    execution = tick(cross)

    assert execution.state == ExecutionState.COMPLETED
    assert execution.realised_profit > 0
    assert [step["action"] for step in execution.steps] == ["proceed"]
    missed, sent = execution.orders.filter(side="sell").order_by("pk")
    assert (missed.leg_index, sent.leg_index) == (1, 1)
    assert missed.client_order_id != sent.client_order_id
    assert (sent.state, sent.pk) == (OrderState.FILLED, execution.steps[0]["order_id"])
    assert is_exact(accounts)


def test_books_that_have_grown_old_while_another_venue_hung_are_asked_for_again(
    cross, edge, accounts
):
    alpha, beta = edge["alpha"], edge["beta"]
    asked = []

    def read(_symbol):
        """The first answer is three seconds old by the time the other venue has failed."""
        asked.append(alpha.book_age_ms)
        if len(asked) > 1:
            alpha.set_book("BTC/USDT", bids=[("49950", "3")], asks=[("50100", "3")])
            alpha.book_age_ms = 0

    def fail():
        beta.set_book("BTC/USDT", bids=[], asks=[("50510", "1")])
        beta.before_book = lambda _symbol: setattr(beta, "is_reachable", False)
        alpha.book_age_ms, alpha.before_book = 3_000, read

    once(beta, fail)

    execution = tick(cross)

    assert execution.state == ExecutionState.UNWOUND
    assert [step["action"] for step in execution.steps] == ["reverse"]
    reversal = execution.orders.get(side="sell", market__venue__code="alpha")
    assert (reversal.state, reversal.price) == (OrderState.FILLED, D(49950))
    assert len(asked) == 2
    beta.is_reachable, alpha.before_book, beta.before_book = True, None, None
    assert is_exact(accounts)


def test_a_repair_that_is_filled_in_part_goes_on_with_the_rest(cross, edge, accounts):
    def lose_price():
        edge["beta"].set_book("BTC/USDT", bids=[("50450", "0.1")], asks=[("50510", "1")])

    once(edge["beta"], lose_price)

    execution = tick(cross)

    # the sell limit admits 50450: a part is sold at once, the rest goes back to alpha
    assert execution.state == ExecutionState.UNWOUND
    assert execution.orders.get(side="sell", market__venue__code="beta").filled_quantity == D("0.1")
    assert abs(D(execution.residuals.get("BTC", "0"))) < D("0.0002")
    assert is_exact(accounts)


def test_a_triangle_that_cannot_go_on_turns_back(triangular, triangle, accounts):
    def break_off():
        triangle["alpha"].before_submit = lambda request: (
            empty(triangle["alpha"], "ETH/BTC") if request.symbol == "ETH/BTC" else None
        )

    once(triangle["alpha"], break_off)

    execution = tick(triangular)

    assert execution.state == ExecutionState.UNWOUND
    assert [request.symbol for request in triangle["alpha"].requests] == [
        "BTC/USDT",
        "ETH/BTC",
        "BTC/USDT",
    ]
    assert triangle["alpha"].requests[-1].side is Side.SELL
    assert -D(100) < execution.realised_profit < 0
    assert is_exact(accounts[:1])


def test_what_cannot_be_repaired_within_the_limit_is_waited_for_and_then_held(
    cross, edge, accounts, stuck
):
    execution, clock = stuck
    assert Execution.objects.filter(finished_at=None, lease_expires_at=None).count() == 1
    assert [step["action"] for step in execution.steps] == ["hold"]
    sent = Order.objects.count()

    assert sweeps.sweep(clock=clock) == 0

    execution.refresh_from_db()
    assert execution.state == ExecutionState.HELD
    assert execution.finished_at is not None
    assert D(execution.residuals["BTC"]) > D("0.1")
    assert Order.objects.count() == sent
    line = LogEntry.objects.get(event="execution_held")
    assert (line.level, line.context["execution_id"]) == (LogLevel.ERROR, execution.pk)
    # why it is held is told in the reader's language as well
    assert line.context["errors"] == execution.steps[-1]["message"]
    assert is_exact(accounts)


def test_prices_that_come_back_before_the_deadline_end_it_well(cross, edge, accounts, stuck):
    execution, _clock = stuck
    edge["beta"].set_book("BTC/USDT", bids=[("50500", "5")], asks=[("50510", "1")])

    assert sweeps.sweep() == 0

    execution.refresh_from_db()
    assert execution.state == ExecutionState.COMPLETED
    assert [step["action"] for step in execution.steps] == ["hold", "proceed"]
    assert is_exact(accounts)


def test_the_loss_that_is_allowed_is_the_strategys_own(make_cross, start, edge, accounts):
    strategy = make_cross(max_loss_bps="10")
    start(strategy)
    once(edge["beta"], lambda: edge["beta"].set_book("BTC/USDT", bids=[], asks=[("50510", "1")]))

    # going back to alpha costs two fees of 10 bps
    assert tick(strategy).state == ExecutionState.INCOMPLETE


def test_nothing_new_is_begun_while_an_execution_is_repaired(cross, edge, stuck):
    edge["alpha"].set_book("BTC/USDT", bids=[("39000", "5")], asks=[("39010", "5")])

    report = run_tick(strategy_id=cross.pk, is_spacing_kept=False)

    assert report.outcome is TickOutcome.LEFT
    assert Opportunity.objects.latest("pk").reason == "unfinished_execution"
    assert Execution.objects.count() == 1


def test_a_held_exposure_keeps_its_strategy_from_trading_until_it_is_acknowledged(
    cross, edge, stuck
):
    execution, clock = stuck
    sweeps.sweep(clock=clock)
    edge["alpha"].set_book("BTC/USDT", bids=[("39000", "5")], asks=[("39010", "5")])

    report = run_tick(strategy_id=cross.pk, is_spacing_kept=False)
    assert report.outcome is TickOutcome.LEFT
    assert Opportunity.objects.latest("pk").reason == "held_exposure"

    user = get_user_model().objects.create_user("ada")
    acknowledged = acknowledge_execution(execution_id=execution.pk, user=user)

    assert (acknowledged.state, acknowledged.acknowledged_by) == (ExecutionState.HELD, user)
    assert LogEntry.objects.filter(event="exposure_acknowledged").count() == 1
    with pytest.raises(NotHeld):
        acknowledge_execution(execution_id=execution.pk, user=user)
    report = run_tick(strategy_id=cross.pk, is_spacing_kept=False)
    assert report.outcome is TickOutcome.EXECUTED


def test_what_was_booked_before_a_person_took_note_is_judged_still(stuck, superuser):
    execution, clock = stuck
    sweeps.sweep(clock=clock)
    # as if its last entry had been committed after it was judged
    Execution.objects.update(entries_seen=F("entries_seen") - 1)

    acknowledge_execution(execution_id=execution.pk, user=superuser)

    assert find_late_news().execution_ids == [execution.pk]


def test_an_execution_that_ended_well_cannot_be_acknowledged(cross, edge):
    execution = tick(cross)
    user = get_user_model().objects.create_user("ada")

    with pytest.raises(NotHeld):
        acknowledge_execution(execution_id=execution.pk, user=user)

    execution.refresh_from_db()
    assert execution.acknowledged_at is None


def test_a_repair_of_unknown_outcome_stops_the_repair_until_it_is_found(cross, edge, accounts):
    def lose_answer(request):
        if request.side is Side.SELL:
            edge["alpha"].after_submit = None
            raise OutcomeUnknown(venue="alpha", cause="timeout")

    once(edge["beta"], lambda: empty(edge["beta"]))
    edge["alpha"].after_submit = lose_answer

    execution = tick(cross)
    assert execution.state == ExecutionState.UNKNOWN
    sent = len(edge["alpha"].requests)
    assert repair_execution(execution_id=execution.pk).state == ExecutionState.UNKNOWN
    assert len(edge["alpha"].requests) == sent

    resolve_unknown(order_id=Order.objects.get(state=OrderState.UNKNOWN).pk)

    assert go_on(execution_id=execution.pk).state == ExecutionState.UNWOUND
    assert len(edge["alpha"].requests) == sent
    assert is_exact(accounts)


def test_a_repair_ends_after_a_bounded_number_of_orders(cross, edge, accounts):
    def show_but_withdraw(request):
        if request.symbol == "BTC/USDT" and request.side is Side.SELL:
            empty(edge["alpha"])

    def show(_symbol):
        edge["alpha"].set_book("BTC/USDT", bids=[("49990", "1")], asks=[("50000", "1")])

    once(edge["beta"], lambda: empty(edge["beta"]))
    edge["alpha"].before_submit = show_but_withdraw
    edge["alpha"].before_book = show

    execution = tick(cross)

    assert execution.state == ExecutionState.HELD
    assert execution.orders.count() == 2 + STEPS_MAX
    assert len({order.client_order_id for order in execution.orders.all()}) == 2 + STEPS_MAX
    assert [step["action"] for step in execution.steps] == ["reverse"] * STEPS_MAX + ["hold"]


def test_only_one_repairs_at_a_time(cross, edge, stuck):
    execution, _clock = stuck
    edge["beta"].set_book("BTC/USDT", bids=[("50500", "5")], asks=[("50510", "1")])
    seen: list[str] = []

    def meddle(point):
        if point is CrashPoint.REPAIR_DECIDED and not seen:
            seen.append(repair_execution(execution_id=execution.pk).state)
            seen.append(settle_execution(execution_id=execution.pk).state)
            sweeps.sweep()

    with observe(meddle):
        repaired = repair_execution(execution_id=execution.pk)

    assert seen == [ExecutionState.INCOMPLETE] * 2
    assert repaired.state == ExecutionState.COMPLETED
    assert repaired.fence == execution.fence + 1
    assert repaired.orders.count() == 3


def test_one_who_slept_through_the_lease_writes_and_sends_nothing(cross, edge, accounts, stuck):
    execution, clock = stuck
    edge["beta"].set_book("BTC/USDT", bids=[("50500", "5")], asks=[("50510", "1")])
    Execution.objects.update(deadline_at=None)
    woken: list[str] = []
    asleep: list[CrashPoint] = []

    def take_over(point):
        if point is CrashPoint.REPAIR_DECIDED and not asleep:
            asleep.append(point)
            woken.append(repair_execution(execution_id=execution.pk, clock=clock).state)

    with observe(take_over):
        slept = repair_execution(execution_id=execution.pk)

    assert woken == [ExecutionState.COMPLETED]
    assert slept.state == ExecutionState.COMPLETED
    assert slept.fence == execution.fence + 2
    assert slept.orders.count() == 3
    assert is_exact(accounts)


@pytest.mark.usefixtures("exact_claims")
def test_what_was_decided_before_a_pause_is_decided_anew(cross, edge, accounts, stuck):
    execution, _clock = stuck
    edge["beta"].set_book("BTC/USDT", bids=[("50500", "5")], asks=[("50510", "1")])
    Execution.objects.update(deadline_at=None)
    clock = PausedClock()

    def pause(point):
        if point is CrashPoint.REPAIR_WRITTEN and not clock.paused_ms:
            clock.paused_ms = DECIDED_MS_MAX + 1

    with observe(pause):
        repaired = repair_execution(execution_id=execution.pk, clock=clock)

    assert repaired.state == ExecutionState.COMPLETED
    late, fresh = repaired.orders.order_by("pk")[2:]
    assert (late.state, late.error_code) == (OrderState.REJECTED, OrderTooLate.code)
    assert (fresh.state, fresh.leg_index) == (OrderState.FILLED, late.leg_index)
    assert is_exact(accounts)


class PausedClock(SystemClock):
    """The system's clock, of which durations are the pauses of the process, and nothing else."""

    paused_ms = 0.0

    def monotonic_ms(self):
        return self.paused_ms


def test_a_late_fill_of_an_ended_execution_is_repaired_as_well(cross, edge, accounts):
    def lose_answer(request):
        raise OutcomeUnknown(venue="beta", cause="timeout")

    edge["beta"].after_submit = lose_answer
    once(edge["alpha"], lambda: empty(edge["alpha"]))
    execution = tick(cross)
    lost = Order.objects.get(state=OrderState.UNKNOWN)
    Order.objects.filter(pk=lost.pk).update(state=OrderState.REJECTED)  # "it was never there"
    assert go_on(execution_id=execution.pk).state == ExecutionState.FAILED
    Order.objects.filter(pk=lost.pk).update(state=OrderState.UNKNOWN)
    edge["beta"].after_submit = None

    resolve_unknown(order_id=lost.pk)  # and there it is
    repaired = go_on(execution_id=execution.pk)

    assert repaired.state == ExecutionState.UNWOUND
    assert is_exact(accounts)


def test_books_that_cannot_be_had_or_are_crossed_are_no_way_out(cross, edge, accounts, stuck):
    execution, _clock = stuck
    edge["beta"].is_reachable = False
    edge["alpha"].set_book("BTC/USDT", bids=[("50500", "5")], asks=[("50400", "5")])
    sent = Order.objects.count()

    repaired = repair_execution(execution_id=execution.pk)

    assert repaired.state == ExecutionState.INCOMPLETE
    assert "No order book" in repaired.steps[-1]["message"]["template"]
    assert Order.objects.count() == sent


def test_a_repair_that_the_kill_switch_forbids_waits_and_is_then_held(cross, edge, accounts, stuck):
    execution, clock = stuck
    edge["beta"].set_book("BTC/USDT", bids=[("50500", "5")], asks=[("50510", "1")])
    change_trading(event=TradingEvent.HALT, scope=HaltScope(HaltLevel.GLOBAL), reason="drill")
    sent = Order.objects.count()

    assert repair_execution(execution_id=execution.pk).state == ExecutionState.INCOMPLETE
    assert repair_execution(execution_id=execution.pk, clock=clock).state == ExecutionState.HELD
    assert Order.objects.count() == sent


def test_a_repair_goes_on_while_only_exposure_may_be_reduced(cross, edge, accounts, stuck):
    execution, _clock = stuck
    edge["beta"].set_book("BTC/USDT", bids=[("50500", "5")], asks=[("50510", "1")])
    change_trading(event=TradingEvent.REDUCE, scope=HaltScope(HaltLevel.GLOBAL), reason="drill")

    assert repair_execution(execution_id=execution.pk).state == ExecutionState.COMPLETED


def test_a_strategy_that_lost_its_accounts_still_ends_what_it_began(cross, edge, accounts, stuck):
    execution, _clock = stuck
    edge["beta"].set_book("BTC/USDT", bids=[("50500", "5")], asks=[("50510", "1")])
    cross.accounts.clear()

    assert repair_execution(execution_id=execution.pk).state == ExecutionState.COMPLETED
    assert is_exact(accounts)
