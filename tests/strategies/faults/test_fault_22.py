"""A leg that is filled in part is made up for, reversed, or kept as dust, by its net difference."""

from decimal import Decimal as D

import pytest

from strategies.domain.states import ExecutionState
from tests.strategies.faults.play import attribution_of, is_exact, tick

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("filled", ["0.00001", "0.1", "0.49", "0.4994"])
@pytest.mark.parametrize("short", ["alpha", "beta"])
def test_whatever_part_of_a_leg_is_filled_no_exposure_stays(cross, edge, accounts, short, filled):
    def drain(request):
        edge[short].before_submit = None
        bids, asks = edge[short].books["BTC/USDT"]
        (asks if short == "alpha" else bids)[0][1] = D(filled)

    edge[short].before_submit = drain

    execution = tick(cross)

    assert execution.state in (ExecutionState.COMPLETED, ExecutionState.UNWOUND)
    assert abs(D(execution.residuals.get("BTC", "0"))) * 50_000 < 10  # below what venues take
    assert attribution_of(execution).is_exact
    assert is_exact(accounts)
