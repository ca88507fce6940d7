"""An account that pays more than its venue's public list of markets says."""

from decimal import Decimal as D

import pytest

from strategies.domain.repair import Action
from strategies.domain.states import ExecutionState
from strategies.models import Dust, Execution
from strategies.services.ticks import run_tick
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
