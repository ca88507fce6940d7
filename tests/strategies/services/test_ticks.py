"""One tick: look, decide, act, say why."""

from decimal import Decimal as D

import pytest
from django.utils import timezone

from accounts.models import VenueAccount
from arbplatform.core.clock import SYSTEM_CLOCK
from ledger.domain.orders import OrderState
from ledger.models import LogEntry, LogLevel, Order
from ledger.selectors import imbalances, pnl_by_asset, wallet_balances
from ledger.services.reconciliation import compare_with_venue
from markets.errors import OutcomeUnknown, VenueDisabled
from markets.models import Market, Venue
from strategies.domain.states import ExecutionState, StrategyState
from strategies.errors import StrategyNotFound
from strategies.models import Decision, Execution, Opportunity, Reason, Run, Strategy
from strategies.services import deciding
from strategies.services.endings import FAILURES_MAX
from strategies.services.runs import stop_strategy
from strategies.services.ticks import TickOutcome, run_tick
from tests.strategies.fakes import SkewedClock
from tests.strategies.samples import Hooked

pytestmark = pytest.mark.django_db


def tick(strategy, **options):
    return run_tick(strategy_id=strategy.pk, is_spacing_kept=False, **options)


def test_a_tick_without_an_edge_trades_nothing_and_says_why(cross, calm):
    report = tick(cross)

    assert report.outcome is TickOutcome.NOTHING
    assert not Order.objects.exists()
    assert not Opportunity.objects.exists()
    cross.refresh_from_db()
    codes = {item["code"] for item in cross.last_decision["rejections"]}
    assert codes == {"edge_below_min"}
    assert cross.last_decision["intent_count"] == 0
    assert Run.objects.get().tick_count == 1


def test_a_tick_with_an_edge_buys_cheap_sells_dear_and_books_both(cross, edge):
    report = tick(cross)

    assert report.outcome is TickOutcome.EXECUTED
    execution = Execution.objects.get()
    assert execution.pk == report.execution_ids[0]
    assert execution.state == ExecutionState.COMPLETED
    assert [(order.side, order.market.venue.code) for order in execution.orders.order_by("pk")] == [
        ("buy", "alpha"),
        ("sell", "beta"),
    ]
    assert {order.state for order in execution.orders.all()} == {OrderState.FILLED}
    assert execution.realised_profit == pnl_by_asset(strategy_id=cross.pk)["USDT"]
    assert execution.realised_profit > 100
    assert execution.finished_at is not None
    assert imbalances() == {}


def test_the_ledger_says_exactly_what_the_venues_say_after_a_tick(cross, edge, accounts):
    tick(cross)

    assert [compare_with_venue(account_id=account.pk) for account in accounts] == [[], []]


def test_an_executed_opportunity_keeps_its_evidence_and_the_run_is_counted(cross, edge):
    tick(cross)

    opportunity = Opportunity.objects.get()
    assert opportunity.decision == Decision.EXECUTED
    assert opportunity.reason == ""
    assert opportunity.route == "buy BTC/USDT @ alpha > sell BTC/USDT @ beta"
    assert {book["venue"] for book in opportunity.evidence["books"]} == {"alpha", "beta"}
    assert opportunity.evidence["params"]["max_notional"] == "30000"
    run = Run.objects.get()
    assert (run.tick_count, run.opportunity_count, run.execution_count) == (1, 1, 1)


def test_of_several_opportunities_the_best_is_executed_and_the_others_are_written_as_skipped(
    make_cross, start, edge
):
    strategy = make_cross(symbols=["BTC/USDT", "ETH/USDT"])
    edge["beta"].set_book("ETH/USDT", bids=[("2530", "1")], asks=[("2531", "1")])
    start(strategy)

    report = tick(strategy)

    assert report.opportunity_count == 2
    executed, skipped = Opportunity.objects.order_by("pk")
    assert (executed.decision, executed.route.split()[1]) == (Decision.EXECUTED, "BTC/USDT")
    assert (skipped.decision, skipped.reason) == (Decision.SKIPPED, Reason.ONE_PER_TICK)
    assert executed.expected_profit > skipped.expected_profit
    strategy.refresh_from_db()
    assert strategy.last_decision["left"][0]["reason"] == "one_per_tick"


def fail(**_what):
    raise RuntimeError("the rest cannot be written down")


def test_what_was_executed_is_told_even_if_the_rest_cannot_be_written_down(
    cross, edge, monkeypatch
):
    monkeypatch.setattr(deciding, "record_left", fail)

    report = tick(cross)

    assert (report.outcome, report.error) == (TickOutcome.EXECUTED, "")
    cross.refresh_from_db()
    assert (cross.failure_count, cross.runs.get().execution_count) == (0, 1)


def test_a_tick_that_cannot_write_down_what_it_leaves_has_failed(cross, edge, monkeypatch):
    monkeypatch.setattr(deciding, "record_left", fail)
    disable_account()

    assert tick(cross).outcome is TickOutcome.FAILED


def test_nothing_is_traded_while_the_outcome_of_an_order_is_unknown(cross, edge):
    def lose_answer(request):
        raise OutcomeUnknown(venue="beta", cause="timeout")

    edge["beta"].after_submit = lose_answer
    tick(cross)
    edge["beta"].after_submit = None
    sent = len(edge["alpha"].requests)

    report = tick(cross)

    assert report.outcome is TickOutcome.LEFT
    assert len(edge["alpha"].requests) == sent
    denied = Opportunity.objects.get(decision=Decision.DENIED)
    assert denied.reason == Reason.OPEN_UNKNOWN_ORDERS


def disable_account():
    VenueAccount.objects.filter(venue__code="beta").update(is_enabled=False)


def disable_venue():
    Venue.objects.filter(code="beta").update(is_enabled=False)


def remove_account():
    Strategy.objects.get().accounts.remove(VenueAccount.objects.get(venue__code="beta"))


def ask_to_stop():
    stop_strategy(strategy_id=Strategy.objects.get().pk, user=None)


@pytest.mark.parametrize(
    ("hook", "reason"),
    [
        (disable_account, Reason.ACCOUNT_DISABLED),
        (remove_account, Reason.ACCOUNT_DISABLED),
        (disable_venue, Reason.VENUE_DISABLED),
        (ask_to_stop, Reason.STRATEGY_STOPPING),
    ],
)
def test_what_is_switched_off_during_a_tick_stops_it_before_any_order(hooked, edge, hook, reason):
    Hooked.hook = hook

    report = tick(hooked)

    assert report.outcome is TickOutcome.LEFT
    opportunity = Opportunity.objects.get()
    assert (opportunity.decision, opportunity.reason) == (Decision.DENIED, reason)
    assert not Order.objects.exists()
    assert edge["alpha"].requests == []


def test_a_tick_that_lost_its_claim_sends_nothing(hooked, edge):
    clock = SkewedClock()

    def oversleep():
        clock.advance_ms(3_600_000)
        Strategy.objects.filter(pk=hooked.pk).update(tick_token="somebody else's")

    Hooked.hook = oversleep

    report = run_tick(strategy_id=hooked.pk, clock=clock)

    assert report.outcome is TickOutcome.LEFT
    assert Opportunity.objects.get().reason == Reason.TICK_LOST
    assert not Order.objects.exists()
    hooked.refresh_from_db()
    assert hooked.tick_token == "somebody else's"


def test_a_strategy_that_is_stopped_during_a_tick_is_at_rest_when_the_tick_ends(hooked, edge):
    Hooked.hook = ask_to_stop

    tick(hooked)

    hooked.refresh_from_db()
    assert (hooked.state, hooked.tick_token) == (StrategyState.STOPPED, "")
    assert Run.objects.get().stopped_at is not None


def test_a_disabled_venue_gives_no_book_and_so_no_trade(cross, edge):
    disable_venue()
    Venue.objects.get(code="beta").save()

    report = tick(cross)

    assert report.outcome is TickOutcome.NOTHING
    cross.refresh_from_db()
    assert [item["code"] for item in cross.last_decision["missing_books"]] == [VenueDisabled.code]
    assert not Order.objects.exists()


def test_a_book_that_cannot_be_had_is_a_warning_once_a_minute_and_the_tick_goes_on(
    make_cross, start, edge
):
    strategy = make_cross(symbols=["BTC/USDT", "ETH/USDT"])
    start(strategy)
    del edge["beta"].books["ETH/USDT"]

    reports = [tick(strategy), tick(strategy), tick(strategy)]

    assert reports[0].outcome is TickOutcome.EXECUTED
    line = LogEntry.objects.get(event="book_missing")
    assert (line.level, line.context["venue"], line.context["symbol"]) == (
        LogLevel.WARNING,
        "beta",
        "ETH/USDT",
    )
    assert line.context["error"]["template"]  # a sentence, for each reader in their language


def test_an_opportunity_that_is_left_with_every_tick_is_written_down_once_a_minute(cross, edge):
    clock = SkewedClock()
    leave_unknown_order(cross)

    for _ in range(5):
        tick(cross, clock=clock)
        clock.advance_ms(1_000)
    left = Opportunity.objects.filter(execution=None)
    assert left.count() == 1

    clock.advance_ms(60_000)
    tick(cross, clock=clock)
    assert left.count() == 2


def test_an_opportunity_is_written_down_again_as_soon_as_the_reason_changes(hooked, edge):
    leave_unknown_order(hooked)
    tick(hooked)
    Order.objects.update(state=OrderState.REJECTED)
    disable_account()

    tick(hooked)

    left = Opportunity.objects.filter(execution=None)
    assert list(left.order_by("pk").values_list("reason", flat=True)) == [
        Reason.OPEN_UNKNOWN_ORDERS,
        Reason.ACCOUNT_DISABLED,
    ]


def test_an_unexpected_error_is_logged_written_on_the_strategy_and_the_claim_given_back(
    hooked, edge, caplog
):
    def explode():
        raise RuntimeError("the plugin is broken")

    Hooked.hook = explode

    report = tick(hooked)

    assert report.outcome is TickOutcome.FAILED
    assert "tick of strategy" in caplog.text
    hooked.refresh_from_db()
    assert str(hooked.to_error()) == "RuntimeError: the plugin is broken"
    assert (hooked.failure_count, hooked.state, hooked.tick_token) == (1, "running", "")
    assert not Order.objects.exists()


def test_a_strategy_is_faulted_after_several_failures_in_a_row_and_not_before(hooked, edge):
    def explode():
        raise RuntimeError("the plugin is broken")

    Hooked.hook = explode
    for _ in range(FAILURES_MAX - 1):
        tick(hooked)
    hooked.refresh_from_db()
    assert hooked.state == StrategyState.RUNNING

    tick(hooked)

    hooked.refresh_from_db()
    assert hooked.state == StrategyState.FAULTED
    assert not hooked.periodic_task.enabled
    assert str(Run.objects.get().to_fault()) == "RuntimeError: the plugin is broken"
    assert LogEntry.objects.filter(event="tick_failed").count() == 1
    assert LogEntry.objects.filter(event="strategy_faulted").count() == 1


def test_a_tick_that_works_ends_the_count_of_failures(hooked, calm):
    def explode():
        raise RuntimeError("once")

    Hooked.hook = explode
    tick(hooked)
    Hooked.hook = None

    tick(hooked)

    hooked.refresh_from_db()
    assert (hooked.failure_count, str(hooked.to_error())) == (0, "RuntimeError: once")


def test_parameters_that_the_plugin_no_longer_accepts_fail_the_tick_with_the_reason(cross, edge):
    Strategy.objects.filter(pk=cross.pk).update(params={"symbols": ["BTC/USDT"], "gone": 1})

    report = tick(cross)

    assert report.outcome is TickOutcome.FAILED
    assert "parameters are not valid" in report.error


def test_a_running_strategy_without_a_run_fails_its_ticks_with_the_way_out(cross, edge):
    Run.objects.update(stopped_at=SYSTEM_CLOCK.now())

    report = tick(cross)

    assert report.outcome is TickOutcome.FAILED
    assert "Stop it and start it again" in report.error


def test_a_tick_of_a_strategy_at_rest_is_dropped(make_cross, edge):
    report = tick(make_cross())

    assert report.outcome is TickOutcome.DROPPED
    assert not Opportunity.objects.exists()


def test_a_tick_of_a_deleted_strategy_says_so(db):
    with pytest.raises(StrategyNotFound):
        run_tick(strategy_id=4711)


def test_a_second_tick_at_once_finds_the_balances_that_the_first_one_left(cross, edge):
    edge["alpha"].set_book("BTC/USDT", bids=[("49990", "1")], asks=[("50000", "50")])
    edge["beta"].set_book("BTC/USDT", bids=[("50500", "50")], asks=[("50510", "1")])
    before = wallet_balances(VenueAccount.objects.get(venue__code="beta").pk)["BTC"]

    for _ in range(3):
        tick(cross)

    sold = sum(order.filled_quantity for order in Order.objects.filter(side="sell").order_by("pk"))
    evidence = Opportunity.objects.order_by("-pk")[0].evidence
    free = {(item["venue"], item["asset"]): D(item["amount"]) for item in evidence["free"]}
    last_sold = Order.objects.filter(side="sell").latest("pk").filled_quantity
    assert free["beta", "BTC"] == before - sold + last_sold


def test_a_tick_says_how_long_each_stage_took(cross, edge):
    report = tick(cross)

    assert list(report.durations_ms) == ["read", "fetch", "evaluate", "execute", "finish"]
    assert all(duration >= 0 for duration in report.durations_ms.values())


def leave_unknown_order(strategy):
    """Write down an order of unknown outcome, of an execution that is over."""
    account = VenueAccount.objects.get(venue__code="alpha")
    market = Market.objects.get(venue=account.venue, symbol="BTC/USDT")
    same = {
        "strategy": strategy,
        "run": strategy.runs.get(),
        "expected_profit": D(1),
        "profit_asset": market.quote,
    }
    opportunity = Opportunity.objects.create(
        summary="seen before",
        route="another",
        detected_at=timezone.now(),
        edge_bps=D(10),
        notional=D(1),
        decision=Decision.EXECUTED,
        **same,
    )
    execution = Execution.objects.create(
        opportunity=opportunity, leg_count=1, state=ExecutionState.COMPLETED, **same
    )
    Order.objects.create(
        client_order_id="arbtestsunknown",
        account=account,
        market=market,
        strategy=strategy,
        execution=execution,
        side="buy",
        quantity=D(1),
        price=D(1),
        state=OrderState.UNKNOWN,
    )
