"""A trade that its venue has voided, and that a person has had reversed, was none."""

from decimal import Decimal as D

import pytest

from ledger.models import Fill
from ledger.selectors import execution_movements
from ledger.services.entries import reverse_entry
from markets.domain.orders import Side
from strategies.domain.states import ExecutionState
from strategies.models import Dust, Execution
from strategies.services import sweeps
from strategies.services.situations import read_scene
from strategies.services.ticks import run_tick

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("exact_results")]

NOWHERE = {"bids": [("40000", "5")], "asks": [("60000", "5")]}
"""A book on which nothing can be repaired within the limit."""


def void(side):
    """Reverse the trade of one leg of the only execution."""
    fill = Fill.objects.get(side=side)
    reverse_entry(entry_id=fill.entry_id, memo="voided by the venue")
    return fill


@pytest.mark.parametrize("side", list(Side))
def test_what_it_leaves_is_an_exposure_and_no_dust(cross, edge, side):
    run_tick(strategy_id=cross.pk, is_spacing_kept=False)
    assert Execution.objects.get().state == ExecutionState.COMPLETED
    for code in ("alpha", "beta"):
        edge[code].set_book("BTC/USDT", **NOWHERE)

    quantity = void(side).quantity
    sweeps.sweep()

    execution = Execution.objects.get()
    assert execution.state == ExecutionState.INCOMPLETE
    assert abs(D(execution.residuals["BTC"])) > quantity * D("0.99")
    assert abs(Dust.objects.get().amount) < D("0.0005")


def test_what_it_was_to_sell_of_earlier_dust_was_not_sold_either(cross, edge):
    run_tick(strategy_id=cross.pk, is_spacing_kept=False)
    execution = Execution.objects.get()
    bought, sold = execution.plan
    execution.plan = [bought, sold | {"carried": "0.1"}]

    void(Side.SELL)

    assert read_scene(execution).situation.movements == execution_movements(execution.pk)
