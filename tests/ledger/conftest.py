"""A venue with an account and a market, a strategy with an execution, and orders of theirs."""

from datetime import timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from celery import current_app
from django.utils import timezone

from accounts.models import VenueAccount
from arbplatform.core.clock import FixedClock, to_ms
from ledger.services.journal import OrderPlan, write_orders
from markets.domain.orders import OrderKind, Side, TimeInForce
from markets.gateway import factory
from markets.gateway.factory import use_gateways
from markets.models import Asset, Market, Venue
from markets.simulator.running import start_in_thread
from strategies.models import Execution, Opportunity, Run, Strategy
from tests.ledger.fakes import FakeVenue, FakeWorld
from tests.ledger.over_http import open_account
from tests.markets.simulator.worlds import ASKS, BIDS, KEYS, two_venues


@pytest.fixture
def world():
    """Every gateway is a fake one."""
    made = FakeWorld()
    with use_gateways(made):
        yield made


@pytest.fixture
def assets(db):
    """The assets that the tests trade."""
    return {code: Asset.objects.create(code=code) for code in ("BTC", "ETH", "USDT")}


@pytest.fixture
def make_venue(db, world, assets):
    """Make a venue with its markets, an account there, and the fake behind both."""

    def make(code: str) -> tuple[VenueAccount, FakeVenue]:
        venue = Venue.objects.create(code=code, name=code.title(), ccxt_id="binance")
        for symbol in ("BTC/USDT", "ETH/USDT"):
            base, quote = symbol.split("/")
            Market.objects.create(
                venue=venue,
                symbol=symbol,
                base=assets[base],
                quote=assets[quote],
                tick=D("0.01"),
                lot=D("0.00001"),
                quantity_min=D("0.00001"),
                notional_min=D(5),
                maker_fee=D("0.001"),
                taker_fee=D("0.001"),
                synced_at=timezone.now(),
            )
        fake = FakeVenue(code)
        world.by_key[f"key-of-{code}-0123456789"] = fake
        world.public[code] = fake
        account = VenueAccount.objects.create(
            venue=venue, label="main", api_key=f"key-of-{code}-0123456789", api_secret="s" * 20
        )
        return account, fake

    return make


@pytest.fixture
def alpha(make_venue):
    """Account and fake at the venue alpha."""
    return make_venue("alpha")


@pytest.fixture
def beta(make_venue):
    """Account and fake at the venue beta."""
    return make_venue("beta")


@pytest.fixture
def account(alpha):
    """The account at alpha."""
    return alpha[0]


@pytest.fixture
def venue(alpha):
    """The fake venue alpha."""
    return alpha[1]


@pytest.fixture
def market(account):
    """BTC/USDT at alpha."""
    return Market.objects.get(venue=account.venue, symbol="BTC/USDT")


@pytest.fixture
def strategy(db):
    """A strategy."""
    return Strategy.objects.create(name="one", type="cross-venue")


@pytest.fixture
def make_execution(strategy, assets):
    """Make an execution of the strategy."""

    def make(owner: Strategy = strategy) -> Execution:
        now = timezone.now()
        run, _ = Run.objects.get_or_create(
            strategy=owner, stopped_at=None, defaults={"started_at": now}
        )
        figures = {"expected_profit": D(1), "profit_asset": assets["USDT"]}
        opportunity = Opportunity.objects.create(
            strategy=owner,
            run=run,
            detected_at=now,
            summary="test",
            route="test",
            edge_bps=D(10),
            notional=D(100),
            decision="executed",
            **figures,
        )
        return Execution.objects.create(
            strategy=owner, run=run, opportunity=opportunity, leg_count=2, **figures
        )

    return make


@pytest.fixture
def execution(make_execution):
    """An execution of the strategy."""
    return make_execution()


@pytest.fixture
def clock():
    """A clock that starts at the present, as rows bear the database's times of making."""
    return FixedClock(at_ms=to_ms(timezone.now() + timedelta(milliseconds=1)))


@pytest.fixture
def make_plan(account, market, execution):
    """Make a plan to buy 0.5 BTC at 60,000."""

    def make(leg_index: int = 0, **fields: Any) -> OrderPlan:
        defaults: dict[str, Any] = {
            "account_id": account.pk,
            "market_id": market.pk,
            "strategy_id": execution.strategy_id,
            "execution_id": execution.pk,
            "side": Side.BUY,
            "quantity": D("0.5"),
            "price": D(60_000),
            "kind": OrderKind.LIMIT,
            "time_in_force": TimeInForce.IOC,
        }
        return OrderPlan(leg_index=leg_index, **(defaults | fields))

    return make


@pytest.fixture
def order(make_plan):
    """A pending order to buy 0.5 BTC at 60,000."""
    return write_orders(plans=[make_plan()])[0]


@pytest.fixture
def sent_tasks(monkeypatch):
    """What was sent to the workers, as (name, ids)."""
    sent: list[tuple[str, dict[str, int]]] = []
    monkeypatch.setattr(current_app, "send_task", lambda name, kwargs: sent.append((name, kwargs)))
    return sent


@pytest.fixture
def simulator():
    """Two simulated venues, alpha and beta; transfers between them take 50 ms."""
    config = two_venues() | {"settlement": {"delay_ms": 50, "network_fees": {"BTC": "0.0001"}}}
    with start_in_thread(config) as running:
        for code in KEYS:
            running.control.set_book(code, "BTC/USDT", BIDS, ASKS)
        yield running
        factory.close_all()


@pytest.fixture
def opened(simulator, db):
    """An account at each simulated venue, with its books opened."""
    return {code: open_account(simulator, code) for code in KEYS}
