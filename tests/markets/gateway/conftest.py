from collections.abc import Iterator

import pytest

from markets.gateway import factory
from markets.gateway.base import VenueGateway
from tests.markets.fakes.stage import STAGES, Stage, open_stage

PATIENCE_MS = 120_000
"""How long calls wait for an answer, and for one another, however busy the machine is."""


@pytest.fixture(autouse=True)
def no_gateway_outlives_its_test() -> Iterator[None]:
    factory.configure(timeout_ms=PATIENCE_MS)
    yield
    factory.close_all()
    factory.configure(timeout_ms=factory.TIMEOUT_MS)


@pytest.fixture(params=sorted(STAGES))
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """A funded account on a venue of each protocol, over real HTTP."""
    with open_stage(request.param) as stage:
        yield stage


@pytest.fixture
def gateway(stage: Stage) -> VenueGateway:
    return factory.gateway_for(stage.spec, stage.credentials)
