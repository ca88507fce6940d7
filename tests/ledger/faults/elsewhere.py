"""Accounts at the fakes that speak other protocols than the simulator."""

from decimal import Decimal as D
from typing import Any

from accounts.models import VenueAccount
from ledger.services.journal import OrderPlan
from ledger.services.openings import ensure_opened
from markets.domain.orders import Side
from markets.models import Venue
from markets.services.markets import sync_markets
from tests.markets.fakes.exchange import FakeExchange
from tests.markets.fakes.stage import BALANCES, KEY, PASSPHRASE, SECRET

SYMBOL = "BTC/USDT"


def open_elsewhere(venue: FakeExchange, ccxt_id: str, url: str) -> VenueAccount:
    """Return a funded account at a running fake, with its books opened."""
    venue.add_account(KEY, SECRET, PASSPHRASE, BALANCES)
    row = Venue.objects.create(code=ccxt_id, name=ccxt_id, ccxt_id=ccxt_id, rest_origin=url)
    sync_markets(venue_id=row.pk)
    account = VenueAccount.objects.create(
        venue=row, label="ours", api_key=KEY, api_secret=SECRET, passphrase=PASSPHRASE
    )
    ensure_opened(account_id=account.pk)
    return account


def plan_at(
    account: VenueAccount, side: Side, quantity: str, price: str, **fields: Any
) -> OrderPlan:
    """Return a plan for an order in the account's market."""
    usual = {"strategy_id": None, "execution_id": None, "leg_index": 0}
    return OrderPlan(
        account_id=account.pk,
        market_id=account.venue.markets.get(symbol=SYMBOL).pk,
        side=side,
        quantity=D(quantity),
        price=D(price),
        **(usual | fields),
    )
