"""Trading follows the states of venues, whoever sees them first."""

import pytest

from ledger.domain.halts import TradingState
from ledger.models import TradingChange, TradingHalt
from ledger.services.conditions import heed_conditions
from ledger.services.halts import change_trading
from markets.domain.health import VenueState
from markets.models import Venue

pytestmark = pytest.mark.django_db


def test_a_venue_that_somebody_else_has_restricted_meanwhile_keeps_no_other_waiting(
    alpha, beta, monkeypatch
):
    Venue.objects.update(state=VenueState.DEGRADED)

    def after_another(**change):
        change_trading(**change)
        return change_trading(**change)

    monkeypatch.setattr("ledger.services.conditions.change_trading", after_another)

    heed_conditions()

    states = set(TradingHalt.objects.values_list("level", "state"))
    assert states == {("venue_state", TradingState.REDUCING)}
    assert TradingHalt.objects.count() == TradingChange.objects.count() == 2
