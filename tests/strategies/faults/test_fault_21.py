"""What one leg filled is completed or reversed within a bounded loss when the other is rejected."""

from decimal import Decimal as D

import pytest

from ledger.models import LogEntry, LogLevel, Order
from markets.domain.orders import Side
from markets.errors import VenueRejected
from strategies.domain.states import ExecutionState
from strategies.models import Execution
from strategies.services.ticks import run_tick
from tests.strategies.faults.play import attribution_of, is_exact

pytestmark = pytest.mark.django_db


def test_the_rest_of_a_rejected_leg_is_brought_back_within_the_loss_that_is_allowed(
    cross, edge, accounts
):
    def refuse(request):
        raise VenueRejected(venue="beta", cause="market order rejected")

    edge["beta"].before_submit = refuse

    run_tick(strategy_id=cross.pk, is_spacing_kept=False)

    execution = Execution.objects.get()
    assert execution.state == ExecutionState.UNWOUND
    bought, back = Order.objects.filter(market__venue__code="alpha").order_by("pk")
    assert (bought.side, back.side) == (Side.BUY, Side.SELL)
    loss_bps = -attribution_of(execution).total / bought.filled_cost * 10_000
    assert 0 < loss_bps <= D(cross.params.get("max_loss_bps", 50))
    # two refusals are enough to know: the venue is not asked a third time
    assert Order.objects.filter(market__venue__code="beta").count() <= 3
    assert LogEntry.objects.filter(
        event="execution_incomplete", level=LogLevel.WARNING, strategy=cross
    ).exists()
    assert is_exact(accounts)
