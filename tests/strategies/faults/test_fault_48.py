"""A limit price outside the band around the last known price is denied before it is sent."""

from decimal import Decimal as D

import pytest

from arbplatform.core.clock import SYSTEM_CLOCK
from ledger.models import AssetPrice
from markets.models import Asset
from strategies.domain.risk import Limits
from strategies.models import Reason
from strategies.services.risk import save_limits
from tests.strategies.faults.play import is_denied, tick

pytestmark = pytest.mark.django_db


@pytest.fixture
def last_price(accounts):
    """BTC was last known to be worth 49,000 USDT."""
    btc, usdt = (Asset.objects.get(code=code) for code in ("BTC", "USDT"))
    AssetPrice.objects.create(
        asset=btc, reporting_asset=usdt, price=D(49_000), priced_at=SYSTEM_CLOCK.now()
    )


def test_a_price_beyond_the_band_is_denied(cross, edge, last_price):
    save_limits(strategy_id=None, limits=Limits(price_band_bps=D(100)))

    tick(cross)

    assert is_denied(edge, Reason.PRICE_BAND)


def test_a_price_within_the_band_is_traded(cross, edge, last_price):
    save_limits(strategy_id=None, limits=Limits(price_band_bps=D(500)))

    assert tick(cross) is not None
