"""A quantity that is no whole number of lots, or rounds to nothing, is denied and never sent."""

from decimal import Decimal as D

import pytest

from markets.domain.orders import Side
from markets.models import Market
from strategies.domain.repair import Hop, is_tradable
from strategies.services.setups import SETUPS
from tests.strategies.domain.test_quality import code_of, grounds_of, make_intent, make_leg
from tests.strategies.domain.test_repair import make_leg as make_state
from tests.strategies.faults.play import tick

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("quantity", ["0", "0.000001", "1.000001"])
def test_the_gate_denies_what_is_off_the_lot(quantity):
    intent = make_intent(make_leg(quantity=quantity))

    assert code_of(grounds_of(), intent) == "quantity_off_lot"


def test_a_lot_that_is_larger_than_the_opportunity_sends_nothing(cross, edge):
    Market.objects.update(lot=D(5), quantity_min=D(5))
    SETUPS.clear()

    assert tick(cross) is None
    assert edge["alpha"].requests == edge["beta"].requests == []


def test_a_repair_takes_what_rounds_to_nothing_for_dust():
    hop = Hop(make_state(0, "alpha", Side.BUY, filled=D(1), price=D(100)))

    assert not is_tradable(hop, hop.leg.rules.lot / 2)
