"""An execution goes on by its rules once a person has ended an order that never came to be."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal as D

import pytest

from accounts.models import Reservation
from ledger.domain.orders import OrderState
from ledger.models import Order
from ledger.selectors import imbalances
from ledger.services.disowning import disown_order
from markets.errors import OutcomeUnknown
from strategies.domain.states import ExecutionState
from strategies.models import Execution
from strategies.services.repairs import go_on
from strategies.services.settlement import settle_execution
from strategies.services.ticks import run_tick

pytestmark = pytest.mark.django_db


def test_a_leg_that_a_person_has_ended_counts_as_none(cross, edge, superuser):
    """Of two legs one was taken; the other one's id turns out to be that of another order."""

    def lose(request):
        raise OutcomeUnknown(venue="beta", cause="timeout")

    edge["beta"].before_submit = lose
    run_tick(strategy_id=cross.pk, is_spacing_kept=False)
    execution = Execution.objects.get()
    lost = Order.objects.get(state=OrderState.UNKNOWN)
    Order.objects.filter(pk=lost.pk).update(submitted_at=lost.created_at - timedelta(minutes=5))
    taken = Order.objects.exclude(pk=lost.pk).get()
    other = edge["alpha"].orders[taken.client_order_id]
    edge["beta"].orders[lost.client_order_id] = replace(
        other, venue_order_id="other", client_order_id=lost.client_order_id, quantity=D(9)
    )
    edge["beta"].before_submit = None

    disown_order(order_id=lost.pk, note="looked", user=superuser)
    go_on(execution_id=execution.pk)
    settled = settle_execution(execution_id=execution.pk)

    assert settled.state == ExecutionState.COMPLETED  # by another order for the same leg
    assert Order.objects.filter(leg_index=lost.leg_index, state=OrderState.FILLED).count() == 1
    assert not Order.objects.filter(state=OrderState.UNKNOWN).exists()
    assert (Reservation.objects.count(), imbalances()) == (0, {})
