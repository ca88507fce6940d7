"""An arbitrage with a leg below a minimum of its venue is denied before any leg is sent."""

from decimal import Decimal as D

import pytest

from markets.models import Market
from strategies.models import Reason
from strategies.selectors import get_strategy
from strategies.services.setups import SETUPS
from tests.strategies.faults.play import change_rules, is_denied, tick
from tests.strategies.samples import Hooked

pytestmark = pytest.mark.django_db


def test_a_minimum_that_rose_between_decision_and_gate_denies_all_legs(hooked, edge):
    setup = SETUPS.get(get_strategy(hooked.pk), hooked.runs.get().pk)
    Hooked.hook = lambda: change_rules(setup, "beta", notional_min=D(10**6))

    tick(hooked)

    assert is_denied(edge, Reason.NOTIONAL_BELOW_MIN)


def test_a_minimum_of_the_thin_side_is_no_opportunity_at_all(cross, edge):
    Market.objects.filter(venue__code="beta").update(notional_min=D(10**6))
    SETUPS.clear()

    assert tick(cross) is None
    assert edge["alpha"].requests == edge["beta"].requests == []
