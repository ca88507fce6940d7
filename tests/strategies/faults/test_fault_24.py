"""Completing, reversing and holding are compared on fresh books, and the cheapest is done."""

from decimal import Decimal as D

import pytest

from markets.domain.orders import Side
from strategies.domain.states import ExecutionState
from strategies.models import Execution
from tests.strategies.faults.play import tick

pytestmark = pytest.mark.django_db


@pytest.fixture
def missed(edge):
    """The sell finds no bid; a repair sees the prices that the test sets."""

    def show(*, complete_at, reverse_at):
        def lose_price(request):
            edge["beta"].before_submit = None
            edge["beta"].set_book("BTC/USDT", bids=[], asks=[("50510", "1")])

        def fresh(_symbol):
            if edge["beta"].before_submit is None:
                edge["beta"].set_book("BTC/USDT", bids=[(complete_at, "3")], asks=[("60000", "1")])
                edge["alpha"].set_book("BTC/USDT", bids=[(reverse_at, "3")], asks=[("60000", "1")])

        edge["beta"].before_submit = lose_price
        edge["beta"].before_book = edge["alpha"].before_book = fresh

    return show


COMPLETED = ("beta", Side.SELL, ExecutionState.COMPLETED)
UNWOUND = ("alpha", Side.SELL, ExecutionState.UNWOUND)


@pytest.mark.parametrize(
    ("complete_at", "reverse_at", "end"),
    [
        ("50400", "49990", COMPLETED),
        ("49950", "49999", UNWOUND),
        ("40000", "49990", UNWOUND),
        ("49990", "40000", COMPLETED),
    ],
)
def test_the_better_way_out_is_taken(cross, missed, complete_at, reverse_at, end):
    missed(complete_at=complete_at, reverse_at=reverse_at)

    execution = tick(cross)

    last = execution.orders.order_by("pk").last()
    assert (last.market.venue.code, last.side, execution.state) == end


def test_when_both_would_lose_too_much_nothing_is_sent_and_the_exposure_is_held(held, edge):
    assert Execution.objects.get().state == ExecutionState.HELD
    assert held.orders.count() == 2
    assert D(held.residuals["BTC"]) > D("0.1")
