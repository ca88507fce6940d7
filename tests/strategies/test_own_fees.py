"""An account that pays more than its venue's public list of markets says."""

from decimal import Decimal as D

import pytest

from markets.errors import VenueUnavailable
from markets.models import Market
from strategies.domain.repair import Action
from strategies.domain.states import ExecutionState
from strategies.models import Dust, Execution
from strategies.selectors import get_strategy
from strategies.services.setups import SETUPS
from strategies.services.ticks import run_tick
from strategies.tasks import read_own_fees
from tests.strategies import fakes

pytestmark = pytest.mark.django_db

DEAR = D("0.008")
"""What the account pays; the list says ``fakes.FEE``, 0.1 %."""


def test_what_a_higher_fee_took_is_bought_back_and_not_booked_as_dust(cross, edge, monkeypatch):
    monkeypatch.setattr(fakes, "FEE", DEAR)

    run_tick(strategy_id=cross.pk, is_spacing_kept=False)

    execution = Execution.objects.get()
    assert [step["action"] for step in execution.steps] == [Action.PROCEED]
    assert execution.state == ExecutionState.COMPLETED
    # 0.00349 BTC were missing; what is still missing is less than the venue takes
    assert execution.residuals == {"BTC": "-0.00002792"}
    assert execution.realised_profit == D("-152.04896")
    assert Dust.objects.get(asset__code="BTC").amount == D("-0.00002792")


def planned(strategy):
    """The taker fees that a run plans with."""
    rules = SETUPS.get(get_strategy(strategy.pk), 1).rules.values()
    return {rule.fees.taker for rule in rules}


def test_a_strategy_whose_accounts_pay_more_does_not_trade_at_a_loss(
    make_cross, start, edge, monkeypatch
):
    monkeypatch.setattr(fakes, "FEE", DEAR)
    strategy = make_cross()
    start(strategy)

    run_tick(strategy_id=strategy.pk, is_spacing_kept=False)

    assert planned(strategy) == {DEAR}
    assert not Execution.objects.exists()


def test_a_running_strategy_plans_with_the_fees_that_were_told_meanwhile(cross, edge, monkeypatch):
    assert planned(cross) == {fakes.FEE}
    monkeypatch.setattr(fakes, "FEE", DEAR)

    read_own_fees()
    run_tick(strategy_id=cross.pk, is_spacing_kept=False)

    assert planned(cross) == {DEAR}
    assert not Execution.objects.exists()


def test_a_lower_own_fee_is_planned_with(make_cross, start, calm, monkeypatch):
    monkeypatch.setattr(fakes, "FEE", D("0.0002"))
    strategy = make_cross()

    start(strategy)

    assert planned(strategy) == {D("0.0002")}


def test_fees_that_are_not_told_prevent_no_start(make_cross, start, calm, monkeypatch):
    def fail(self, symbols):
        raise VenueUnavailable(venue=self.venue, cause="no answer")

    monkeypatch.setattr(fakes.FakeGateway, "fetch_fees", fail)
    strategy = make_cross()

    start(strategy)

    assert planned(strategy) == {fakes.FEE}
    assert not Market.objects.exclude(own_fees_at=None).exists()


def test_a_tick_asks_for_no_fees(cross, edge, monkeypatch):
    asked = []
    monkeypatch.setattr(fakes.FakeGateway, "fetch_fees", lambda self, symbols: asked.append(1))

    run_tick(strategy_id=cross.pk, is_spacing_kept=False)

    assert Execution.objects.exists()
    assert asked == []
