"""What strategies do while trading is halted."""

import pytest

from ledger.domain.halts import (
    EVERYTHING,
    PERSONAL_LEVELS,
    HaltLevel,
    HaltScope,
    TradingEvent,
)
from ledger.models import LogEntry, Order
from ledger.services.halts import change_trading
from markets.models import Venue
from strategies.domain.states import ExecutionState
from strategies.models import Decision, Execution, Opportunity, Reason
from strategies.services.ticks import TickOutcome, run_tick

pytestmark = pytest.mark.django_db


def change(event, scope=EVERYTHING):
    change_trading(event=event, scope=scope, reason="a test")


@pytest.mark.parametrize("event", [TradingEvent.HALT, TradingEvent.REDUCE])
@pytest.mark.parametrize("level", PERSONAL_LEVELS)
def test_nothing_is_opened_under_a_halt_and_the_decision_says_so(
    cross, edge, accounts, event, level
):
    targets = {
        HaltLevel.GLOBAL: None,
        HaltLevel.VENUE: Venue.objects.get(code="beta").pk,
        HaltLevel.ACCOUNT: accounts[0].pk,
        HaltLevel.STRATEGY: cross.pk,
        HaltLevel.GUARD: None,
    }
    guard = "disk@here" if level is HaltLevel.GUARD else ""
    change(event, HaltScope(level, targets[level], guard))

    report = run_tick(strategy_id=cross.pk)

    assert report.outcome is TickOutcome.LEFT
    opportunity = Opportunity.objects.get()
    assert (opportunity.decision, opportunity.reason) == (Decision.DENIED, Reason.TRADING_HALTED)
    assert Order.objects.count() == Execution.objects.count() == 0
    cross.refresh_from_db()
    assert cross.last_decision["left"][0]["reason"] == "trading_halted"


def test_a_halt_between_decision_and_orders_leaves_nothing_behind(hooked, edge, monkeypatch):
    """The gate has just said yes; the transaction that writes the orders says no."""
    extend = "strategies.services.deciding.extend_claim"
    monkeypatch.setattr(extend, lambda *_args, **_kwargs: change(TradingEvent.HALT) or True)

    report = run_tick(strategy_id=hooked.pk)

    assert (report.outcome, report.error) == (TickOutcome.LEFT, "")
    assert Order.objects.count() == Execution.objects.count() == 0
    assert Opportunity.objects.get().reason == Reason.TRADING_HALTED
    assert edge["alpha"].requests == edge["beta"].requests == []


def test_a_halt_between_two_legs_ends_a_sequence_there(triangular, triangle):
    triangle["alpha"].after_submit = lambda request: change(TradingEvent.HALT)

    run_tick(strategy_id=triangular.pk)

    assert len(triangle["alpha"].requests) == Order.objects.count() == 1
    assert Execution.objects.get().state == ExecutionState.INCOMPLETE
    assert "trading was halted" in LogEntry.objects.get(event="sequence_stopped").template


def test_a_sequence_that_has_begun_is_finished_while_reducing(triangular, triangle):
    def reduce(request):
        if len(triangle["alpha"].requests) == 1:
            change(TradingEvent.REDUCE)

    triangle["alpha"].after_submit = reduce

    run_tick(strategy_id=triangular.pk)

    assert Execution.objects.get().state == ExecutionState.COMPLETED
    assert list(Order.objects.order_by("leg_index").values_list("is_reducing", flat=True)) == [
        False,
        True,
        True,
    ]
