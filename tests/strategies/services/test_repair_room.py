"""A repair on books that move faster than its orders travel: each order has more room."""

from decimal import Decimal as D

import pytest

from arbplatform.core.clock import SYSTEM_CLOCK, FixedClock
from ledger.models import Fill, Order
from ledger.selectors import imbalances
from markets.domain.orders import Side
from strategies.domain.repair import Action
from strategies.domain.states import ExecutionState
from strategies.models import Execution
from strategies.services.flattening import list_flattenings
from strategies.services.ticks import run_tick

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("exact_results")]

SEEN = D(49_990)


@pytest.fixture
def running_away(edge):
    """Beta's bids vanish before the sell; alpha's fall by what is set whenever an order comes."""
    alpha, beta = edge["alpha"], edge["beta"]
    fall = {"by": D(0)}

    def show(_symbol):
        alpha.set_book("BTC/USDT", bids=[(SEEN, "1")], asks=[("50000", "1")])

    def move(request):
        if request.side is Side.SELL:
            alpha.set_book("BTC/USDT", bids=[(SEEN - fall["by"], "1")], asks=[("50000", "1")])

    beta.before_submit = lambda _request: beta.set_book("BTC/USDT", bids=[], asks=[])
    alpha.before_book, alpha.before_submit = show, move
    return fall


def limits():
    """Limit prices of the orders that the repair sent, in their sequence."""
    found = Order.objects.filter(side=Side.SELL, market__venue__code="alpha").order_by("id")
    return list(found.values_list("price", flat=True))


def test_an_order_that_came_too_late_is_followed_by_one_with_more_room(cross, running_away):
    running_away["by"] = D(20)

    run_tick(strategy_id=cross.pk, is_spacing_kept=False, clock=FixedClock(SYSTEM_CLOCK.now_ms()))

    execution = Execution.objects.get()
    assert execution.state == ExecutionState.UNWOUND
    first, second = limits()
    assert first == SEEN
    assert second < SEEN - running_away["by"]
    # the book has paid what it had, no less
    sold = Fill.objects.filter(order__price=second)
    assert [fill.price for fill in sold] == [SEEN - running_away["by"]]
    assert [step["action"] for step in execution.steps] == [Action.REVERSE] * 2
    assert imbalances() == {}


def test_the_room_ends_at_the_loss_that_the_strategy_allows(cross, running_away):
    running_away["by"] = D(1000)

    run_tick(strategy_id=cross.pk, is_spacing_kept=False, clock=FixedClock(SYSTEM_CLOCK.now_ms()))

    execution = Execution.objects.get()
    assert execution.state == ExecutionState.HELD
    first, second, third, *rest = limits()
    assert first == SEEN > second > third > rest[0]
    # bought at 50,000 and two fees of a thousandth: 50 bps are lost at 49,849.649
    assert rest == [D("49849.65")] * 3
    # begun anew, it has none at first
    assert [row.verdict.order and row.verdict.order.limit_price for row in list_flattenings()] == [
        SEEN
    ]
