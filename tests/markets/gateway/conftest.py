from collections.abc import Iterator

import pytest

from markets.gateway import factory
from markets.gateway.base import VenueGateway
from tests.markets.fakes.stage import STAGES, Stage, open_stage


@pytest.fixture(autouse=True)
def no_gateway_outlives_its_test() -> Iterator[None]:
    yield
    factory.close_all()


@pytest.fixture(params=sorted(STAGES))
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """A funded account on a venue of each protocol, over real HTTP."""
    with open_stage(request.param) as stage:
        yield stage


@pytest.fixture
def gateway(stage: Stage) -> VenueGateway:
    return factory.gateway_for(stage.spec, stage.credentials)
