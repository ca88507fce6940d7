"""Two venues in memory, an account at each, and what the tests plant there."""

from datetime import timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from celery import current_app
from django.db import connection
from django.utils import timezone

from accounts.models import VenueAccount
from arbplatform.core.clock import FixedClock, to_ms
from markets.domain.funds import Wallet
from markets.gateway.factory import use_gateways
from markets.models import Asset, Venue
from tests.accounts.fakes import FakeVenue, FakeWorld

SECRET = "planted-secret-of-the-test-0123456789"
PASSPHRASE = "planted-passphrase-0123456789"


@pytest.fixture
def world():
    """Every gateway is a fake one."""
    made = FakeWorld()
    with use_gateways(made):
        yield made


@pytest.fixture
def assets(db):
    """The assets that the tests move."""
    return {code: Asset.objects.create(code=code) for code in ("BTC", "USDT", "XRP")}


@pytest.fixture
def make_account(db, world, assets):
    """Make a venue, an account there, and the fake behind it."""

    def make(code: str, **attributes: Any) -> tuple[VenueAccount, FakeVenue]:
        venue, _ = Venue.objects.get_or_create(
            code=code, defaults={"name": code.title(), "ccxt_id": "binance"}
        )
        label = attributes.pop("label", "main")
        key = f"planted-key-of-{code}-{label}"
        fake = FakeVenue(code)
        fake.wallets[Wallet.SPOT] = {"BTC": D(2), "USDT": D(100_000)}
        world.by_key[key] = fake
        account = VenueAccount.objects.create(
            venue=venue,
            label=label,
            api_key=key,
            api_secret=SECRET,
            passphrase=PASSPHRASE,
            **attributes,
        )
        return account, fake

    return make


@pytest.fixture
def alpha(make_account):
    """Account and fake at the venue alpha."""
    return make_account("alpha")


@pytest.fixture
def beta(make_account):
    """Account and fake at the venue beta."""
    return make_account("beta")


@pytest.fixture
def now():
    """A clock that starts at the present, as rows bear the database's times of making."""
    return FixedClock(at_ms=to_ms(timezone.now() + timedelta(milliseconds=1)))


@pytest.fixture
def sent_tasks(monkeypatch):
    """What was sent to the workers, as (name, ids)."""
    sent: list[tuple[str, dict[str, int]]] = []
    monkeypatch.setattr(current_app, "send_task", lambda name, kwargs: sent.append((name, kwargs)))
    return sent


@pytest.fixture
def outside_transactions(transactional_db):
    """A check that fails if it is called inside a transaction."""

    def check(name: str) -> None:
        assert not connection.in_atomic_block, f"{name} was called inside a transaction"

    return check
