"""Two venues in memory, an account at each, and what the tests plant there."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from celery import current_app
from django.contrib.auth import get_user_model
from django.db import connection
from django.utils import timezone

from accounts.models import Transfer, VenueAccount, VenueNetwork
from accounts.services.addresses import approve_address, propose_address
from accounts.services.requests import request_transfer
from accounts.services.transfers import poll_transfers
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
            code=code,
            defaults={
                "name": code.title(),
                "ccxt_id": "binance",
                "rest_origin": attributes.pop("rest_origin", f"http://127.0.0.1:9/{code}"),
            },
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
def people(db):
    """Two members of the staff: who proposes, and who approves."""
    make = get_user_model().objects.create_user
    return [make(name, password="long-enough-7", is_staff=True) for name in ("ann", "bob")]


@pytest.fixture
def real(alpha, beta):
    """Alpha and beta as real venues, whose names of the network BTC are confirmed."""
    Venue.objects.update(rest_origin="")
    VenueAccount.objects.update(allows_transfers=True)
    for account, _fake in (alpha, beta):
        account.venue.refresh_from_db()
        VenueNetwork.objects.create(venue=account.venue, network="BTC", venue_name="BTC")


@pytest.fixture
def approve(beta, people, now):
    """Propose and approve where beta receives, and let the cooling time pass."""

    def run(asset="BTC", network="BTC", cooled=True):
        entry = propose_address(
            account_id=beta[0].pk,
            asset=asset,
            network=network,
            label="cold",
            user=people[0],
            clock=now,
        )
        entry = approve_address(entry_id=entry.pk, user=people[1], clock=now)
        if cooled:
            now.advance_ms(24 * 3_600_000)
        return entry

    return run


@pytest.fixture
def now():
    """A clock that starts at the present, as rows bear the database's times of making."""
    return FixedClock(at_ms=to_ms(timezone.now() + timedelta(milliseconds=1)))


@pytest.fixture
def commit(monkeypatch, django_capture_on_commit_callbacks):
    """Commit what a block did; it then knows what was sent to the workers, as (name, ids)."""
    sent: list[tuple[str, dict[str, int]]] = []
    monkeypatch.setattr(current_app, "send_task", lambda name, kwargs: sent.append((name, kwargs)))

    @contextmanager
    def run() -> Iterator[list[tuple[str, dict[str, int]]]]:
        fresh: list[tuple[str, dict[str, int]]] = []
        sent.clear()
        with django_capture_on_commit_callbacks(execute=True):
            yield fresh
            assert sent == [], "told before the commit"
        fresh.extend(sent)

    return run


@pytest.fixture
def outside_transactions(transactional_db):
    """A check that fails if it is called inside a transaction."""

    def check(name: str) -> None:
        assert not connection.in_atomic_block, f"{name} was called inside a transaction"

    return check


@pytest.fixture
def ask(alpha, beta, now):
    """Request a transfer of 0.5 BTC from alpha to beta, but for what is said."""

    def request(**changes):
        values = {
            "from_account_id": alpha[0].pk,
            "to_account_id": beta[0].pk,
            "from_wallet": Wallet.SPOT,
            "to_wallet": Wallet.SPOT,
            "asset": "BTC",
            "amount": D("0.5"),
            "idempotency_key": "key-1",
            "clock": now,
        }
        return request_transfer(**(values | changes))

    return request


@pytest.fixture
def ask_inside(ask):
    """Request a transfer between the wallets of alpha."""
    return lambda **changes: ask(**({"to_account_id": None, "to_wallet": Wallet.FUNDING} | changes))


@pytest.fixture
def is_unsent(alpha, beta):
    """Whether no venue was told to move anything."""
    fakes = (alpha[1], beta[1])
    return lambda: all(fake.count("withdraw") + fake.count("transfer") == 0 for fake in fakes)


@pytest.fixture
def poll_for(now):
    """Poll whenever a look-up is due until the time is over, and return the transfer."""

    def poll(transfer, **duration):
        end = now.now() + timedelta(**duration)
        while now.now() < end:
            poll_transfers(clock=now)
            now.advance_ms(5_000)
        return Transfer.objects.get(pk=transfer.pk)

    return poll
