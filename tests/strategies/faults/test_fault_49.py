"""Open orders and what is held are counted here, and an intent that would exceed them is denied."""

from decimal import Decimal as D

import pytest

from arbplatform.core.clock import SYSTEM_CLOCK
from ledger.models import AssetPrice, Order
from ledger.services.journal import OrderPlan, write_orders
from markets.domain.orders import OrderKind, Side, TimeInForce
from markets.models import Asset, Market
from strategies.domain.risk import Limits
from strategies.models import Opportunity, Reason
from strategies.services.risk import save_limits
from tests.strategies.faults.play import is_denied, tick

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("limit", "is_allowed"), [(1, False), (2, True)])
def test_orders_of_whatever_strategy_count_at_the_account(cross, edge, accounts, limit, is_allowed):
    market = Market.objects.get(venue__code="beta", symbol="ETH/USDT")
    plan = OrderPlan(
        account_id=accounts[1].pk,
        market_id=market.pk,
        strategy_id=None,
        execution_id=None,
        leg_index=0,
        side=Side.BUY,
        quantity=D(1),
        price=D(2_000),
        kind=OrderKind.LIMIT,
        time_in_force=TimeInForce.GTC,
    )
    write_orders(plans=[plan])
    save_limits(strategy_id=None, limits=Limits(open_orders_max=limit))

    tick(cross)

    assert Order.objects.filter(strategy=cross).exists() is is_allowed
    assert (Opportunity.objects.get().reason == Reason.OPEN_ORDERS) is not is_allowed


def test_more_of_a_coin_than_may_be_held_at_a_venue_is_not_bought(cross, edge):
    btc, usdt = (Asset.objects.get(code=code) for code in ("BTC", "USDT"))
    AssetPrice.objects.create(
        asset=btc, reporting_asset=usdt, price=D(50_000), priced_at=SYSTEM_CLOCK.now()
    )
    save_limits(strategy_id=None, limits=Limits(position_max=D(510_000)))  # 10 BTC are there

    tick(cross)

    assert is_denied(edge, Reason.POSITION)
