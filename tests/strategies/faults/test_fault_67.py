"""A suspended or delisted market is left by repairs only: no new order opens anything there."""

from decimal import Decimal as D

import pytest
from django.utils import timezone

from markets.domain.orders import Side
from markets.models import Market, Venue
from strategies.domain.states import ExecutionState
from strategies.models import Reason
from strategies.selectors import get_strategy
from strategies.services import sweeps
from strategies.services.repairs import repair_execution
from strategies.services.setups import SETUPS
from strategies.services.ticks import TickOutcome, run_tick
from tests.strategies.faults.play import change_rules, is_denied, tick
from tests.strategies.samples import Hooked

pytestmark = pytest.mark.django_db


def suspend(code):
    """What the synchronisation does when the venue says that the market is closed."""
    Market.objects.filter(venue__code=code, symbol="BTC/USDT").update(is_active=False)
    Venue.objects.filter(code=code).update(synced_at=timezone.now())


@pytest.mark.parametrize("codes", [["beta"], ["alpha", "beta"]])
def test_a_suspended_market_is_not_offered_to_a_strategy_any_more(cross, edge, codes):
    for code in codes:
        suspend(code)

    report = run_tick(strategy_id=cross.pk, is_spacing_kept=False)

    assert report.outcome is TickOutcome.FAILED
    assert "list none of the markets" in report.error
    assert edge["alpha"].requests == edge["beta"].requests == []


def test_the_gate_denies_an_intent_on_a_market_that_closed_in_between(hooked, edge):
    setup = SETUPS.get(get_strategy(hooked.pk), hooked.runs.get().pk)
    Hooked.hook = lambda: change_rules(setup, "beta", is_active=False)

    tick(hooked)

    assert is_denied(edge, Reason.MARKET_SUSPENDED)


def test_a_repair_may_still_leave_through_a_suspended_market(cross, edge, accounts):
    def lose_price(request):
        edge["beta"].before_submit = None
        edge["beta"].set_book("BTC/USDT", bids=[], asks=[("50510", "1")])
        edge["alpha"].set_book("BTC/USDT", bids=[("40000", "5")], asks=[("50000", "1")])

    edge["beta"].before_submit = lose_price
    execution = tick(cross)
    assert execution.state == ExecutionState.INCOMPLETE
    suspend("alpha")
    edge["alpha"].set_book("BTC/USDT", bids=[("49990", "5")], asks=[("50000", "1")])

    repaired = repair_execution(execution_id=execution.pk)

    assert repaired.state == ExecutionState.UNWOUND
    out = repaired.orders.latest("pk")
    assert (out.market.venue.code, out.side, out.is_reducing) == ("alpha", Side.SELL, True)
    assert abs(D(repaired.residuals.get("BTC", "0"))) < D("0.0002")
    assert sweeps.sweep() == 0
