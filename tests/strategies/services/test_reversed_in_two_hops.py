"""A triangle that is reversed through two markets is not over after the first of them."""

import pytest

from ledger.models import Order
from ledger.selectors import imbalances
from ledger.services.journal import resolve_unknown_orders
from strategies.domain.states import ExecutionState
from strategies.models import Execution
from strategies.services import sweeps
from strategies.services.ticks import run_tick
from tests.strategies.fakes import SkewedClock

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("exact_results")]


class Killed(BaseException):
    """What a SIGKILL looks like from inside: nothing after it runs."""


def test_as_many_filled_orders_as_legs_are_no_end_when_one_of_them_is_a_repair(
    triangular, triangle
):
    venue = triangle["alpha"]

    def die_after_the_second_leg(_request):
        if len(venue.requests) == 2:
            raise Killed

    venue.after_submit = die_after_the_second_leg
    with pytest.raises(Killed):
        run_tick(strategy_id=triangular.pk)
    venue.after_submit = None
    # the third leg is out of the question now; the way back is open
    venue.set_book("ETH/USDT", bids=[("2000", "200")], asks=[("2600", "200")])
    venue.set_book("ETH/BTC", bids=[("0.049", "200")], asks=[("0.0491", "200")])
    clock = SkewedClock()
    clock.advance_ms(3_600_000)
    resolve_unknown_orders(clock=clock)
    sweeps.sweep(clock=clock)

    execution = Execution.objects.get()
    sent = list(Order.objects.order_by("id").values_list("leg_index", "side", "state"))
    assert sent == [
        (0, "buy", "filled"),
        (1, "buy", "filled"),
        (1, "sell", "filled"),
        (0, "sell", "filled"),
    ]
    assert execution.state == ExecutionState.UNWOUND
    assert imbalances() == {}
