"""Accounts at simulated venues over real HTTP, and orders there that belong to no execution."""

from decimal import Decimal as D
from typing import Any

from accounts.models import VenueAccount
from ledger.services.journal import OrderPlan
from ledger.services.openings import ensure_opened
from markets.domain.orders import Side
from markets.models import Venue
from markets.services.markets import sync_markets
from markets.simulator.running import RunningSimulator
from tests.markets.simulator.worlds import KEYS


def open_account(simulator: RunningSimulator, code: str) -> VenueAccount:
    """Return an account at a simulated venue, with its books opened."""
    key, secret = KEYS[code]
    venue = Venue.objects.create(
        code=code, name=code, ccxt_id="binance", rest_origin=f"{simulator.url}/{code}"
    )
    sync_markets(venue_id=venue.pk)
    account = VenueAccount.objects.create(venue=venue, label="ours", api_key=key, api_secret=secret)
    ensure_opened(account_id=account.pk)
    return account


def plan(account: VenueAccount, side: Side, quantity: str, price: str, **fields: Any) -> OrderPlan:
    """Return what an order for BTC/USDT has to be."""
    market = account.venue.markets.get(symbol="BTC/USDT")
    return OrderPlan(
        account_id=account.pk,
        market_id=market.pk,
        strategy_id=None,
        execution_id=None,
        leg_index=0,
        side=side,
        quantity=D(quantity),
        price=D(price),
        **fields,
    )
