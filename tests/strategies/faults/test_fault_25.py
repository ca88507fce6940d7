"""Funds are reserved before an order leaves, and where a venue has less than the books say, its own
statement is read and the repair shrinks to what is there.
"""

from decimal import Decimal as D

import pytest

from ledger.domain.orders import LIVE_STATES, OrderState
from ledger.models import Order
from ledger.selectors import list_stray_reservations
from markets.errors import InsufficientFunds
from strategies.domain.states import FINISHED_STATES
from strategies.models import Execution
from strategies.services.ticks import run_tick


@pytest.fixture
def short(edge):
    """Beta holds less BTC than the books say: somebody took it away without the platform."""

    def refuse_more_than_there_is(request):
        if request.side.value == "sell" and request.quantity > edge["beta"].free["BTC"]:
            raise InsufficientFunds(venue="beta", cause="Account has insufficient balance.")

    edge["beta"].free["BTC"] = D("0.3")
    edge["beta"].before_submit = refuse_more_than_there_is
    return edge


@pytest.mark.django_db
def test_the_second_leg_shrinks_to_what_the_venue_has(cross, short):
    run_tick(strategy_id=cross.pk)

    execution = Execution.objects.get()
    at_beta = Order.objects.filter(market__venue__code="beta").order_by("pk")
    refused, smaller = at_beta[:2]
    assert (refused.state, refused.error_code) == (OrderState.REJECTED, InsufficientFunds.code)
    # asked once, and then no more was offered than the venue has
    assert smaller.state == OrderState.FILLED
    assert smaller.quantity <= D("0.3")
    assert not Order.objects.filter(state__in=LIVE_STATES).exists()
    assert execution.state in FINISHED_STATES
    assert list_stray_reservations() == []
