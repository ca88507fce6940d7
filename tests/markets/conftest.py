from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import pytest

from markets.gateway import simulation
from markets.gateway.base import Credentials, VenueGateway, VenueSpec
from markets.gateway.factory import use_gateways
from markets.models import Market, Venue
from markets.services.markets import sync_markets
from markets.simulator.running import RunningSimulator, start_in_thread
from tests.markets.fakes.gateway import FakeMarketGateway, make_rules
from tests.markets.simulator.worlds import two_venues

PATIENCE_S = 30
"""Before a simulator of a test is held to be down, however busy the machine is [s]."""


class Venues:
    """Fake gateways by venue code; what they answer can be set at any time."""

    def __init__(self) -> None:
        self.answers: dict[str, dict[str, Any]] = {}
        self.made: dict[str, FakeMarketGateway] = {}

    def answer(self, venue: str, **answers: Any) -> None:
        self.answers.setdefault(venue, {}).update(answers)

    def calls(self, venue: str) -> list[tuple[Any, ...]]:
        return self.made[venue].calls if venue in self.made else []

    def build(self, spec: VenueSpec, credentials: Credentials | None) -> VenueGateway:
        assert credentials is None, "public data needs no key"
        if spec.code not in self.made:
            answers = self.answers.setdefault(spec.code, {})
            self.made[spec.code] = FakeMarketGateway(spec, answers)
        return self.made[spec.code]  # type: ignore[return-value]  # a part of the port


@pytest.fixture
def venues() -> Iterator[Venues]:
    fakes = Venues()
    with use_gateways(fakes.build):
        yield fakes


@pytest.fixture
def alpha(db: Any, venues: Venues) -> Venue:
    """A venue with two synchronised markets."""
    venue = Venue.objects.create(code="alpha", name="Alpha", ccxt_id="binance")
    venues.answer(
        "alpha", fetch_markets=[make_rules("alpha", "BTC/USDT"), make_rules("alpha", "ETH/USDT")]
    )
    sync_markets(venue_id=venue.pk)
    venue.refresh_from_db()
    return venue


@pytest.fixture
def beta(db: Any, venues: Venues) -> Venue:
    """A venue with one synchronised market, which alpha lists too."""
    venue = Venue.objects.create(code="beta", name="Beta", ccxt_id="okx")
    venues.answer("beta", fetch_markets=[make_rules("beta", "BTC/USDT")])
    sync_markets(venue_id=venue.pk)
    venue.refresh_from_db()
    return venue


@pytest.fixture
def btc(alpha: Venue) -> Market:
    return alpha.markets.get(symbol="BTC/USDT")


@pytest.fixture
def simulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningSimulator]:
    """Two simulated venues without quotes; who asks them about their faults is patient."""
    monkeypatch.setattr(
        simulation,
        "HTTPConnection",
        lambda address, **_timeout: HTTPConnection(address, timeout=PATIENCE_S),
    )
    with start_in_thread(two_venues()) as running:
        yield running


@pytest.fixture
def venue(simulator: RunningSimulator, db: Any) -> Venue:
    """The simulated venue alpha, which is called otherwise here."""
    return Venue.objects.create(
        code="mine", name="Mine", ccxt_id="binance", rest_origin=f"{simulator.url}/alpha"
    )
