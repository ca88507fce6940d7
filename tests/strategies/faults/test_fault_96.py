"""What lies at one venue is capped: where more of everything lies, no strategy opens anything."""

from decimal import Decimal as D

import pytest
from django.utils import timezone

from ledger.models import AssetPrice
from markets.models import Asset
from strategies.domain.risk import Limits
from strategies.domain.states import ExecutionState
from strategies.models import Opportunity, Reason
from strategies.services.risk import save_limits
from tests.strategies.faults.play import is_denied, tick

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def priced(accounts):
    """Prices of all assets, as an equity snapshot leaves them; both venues hold the same."""
    for code, price in (("BTC", "50000"), ("ETH", "2500"), ("USDT", "1")):
        AssetPrice.objects.create(
            asset=Asset.objects.get(code=code),
            reporting_asset=Asset.objects.get(code="USDT"),
            price=D(price),
            source="test",
            priced_at=timezone.now(),
        )


def test_nothing_is_opened_where_more_lies_than_is_allowed(cross, edge):
    save_limits(strategy_id=cross.pk, limits=Limits(venue_share_max=D("0.49")))

    tick(cross)

    assert is_denied(edge, Reason.VENUE_CONCENTRATION)
    context = Opportunity.objects.get().evidence["denial"]["context"]
    assert (context["value"], context["limit"]) == ("50", "49")


def test_below_the_cap_trading_goes_on(cross, edge):
    save_limits(strategy_id=cross.pk, limits=Limits(venue_share_max=D("0.51")))

    execution = tick(cross)

    assert execution is not None
    assert execution.state == ExecutionState.COMPLETED
