"""Only pairs that a person named are traded, and one name at two prices counts as two coins."""

from decimal import Decimal as D

import pytest

from markets.models import Market
from strategies.domain.risk import Limits
from strategies.errors import InvalidParams
from strategies.models import Opportunity, Reason
from strategies.services.risk import save_limits
from strategies.services.setups import build_setup
from tests.strategies.faults.play import is_denied, tick

pytestmark = pytest.mark.django_db


def test_one_ticker_with_prices_far_apart_is_denied_until_a_person_raises_the_limit(
    make_cross, start, edge
):
    strategy = make_cross(max_edge_bps="9999")
    start(strategy)
    strategy.refresh_from_db()
    edge["beta"].set_book("BTC/USDT", bids=[("55500", "1")], asks=[("55510", "1")])

    tick(strategy)

    assert is_denied(edge, Reason.TICKER_MISMATCH)
    assert "two coins" in Opportunity.objects.get().evidence["denial"]["template"]
    save_limits(strategy_id=strategy.pk, limits=Limits(ticker_gap_bps_max=D(2_000)))
    assert tick(strategy) is None  # the edge itself is still above the cap
    assert Opportunity.objects.latest("pk").reason == Reason.EDGE_ABOVE_CAP


def test_a_new_listing_is_not_traded_before_a_person_names_it(cross, edge, make_cross):
    listed = Market.objects.get(venue__code="beta", symbol="ETH/BTC")
    Market.objects.filter(pk=listed.pk).update(symbol="NEW/USDT")

    assert {key.symbol for key in build_setup(cross).markets} == {"BTC/USDT"}
    with pytest.raises(InvalidParams):
        make_cross("everything", symbols=[])
