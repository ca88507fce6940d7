"""Strategies that run on streams, and keepers whose steps the test takes itself."""

import pytest

from ledger.services.readiness import Readiness
from strategies.domain.states import StrategyDriver
from strategies.engine.keeper import LeaseKeeper
from strategies.selectors import get_strategy
from strategies.services.leases import Engine
from strategies.services.runs import start_strategy
from tests.strategies.engine.stage import Stage


@pytest.fixture
def streams(make_cross, calm):
    """Four strategies that run on streams."""
    rows = [make_cross(f"s{number}", driver=StrategyDriver.STREAM) for number in range(4)]
    for row in rows:
        start_strategy(strategy_id=row.pk, user=None)
    return [get_strategy(row.pk) for row in rows]


class Stepped(LeaseKeeper):
    """A keeper without threads, and what it has announced."""

    def __init__(self, name, clock):
        super().__init__(
            Engine(name, "here", 1),
            clock=clock,
            read_ms=clock.monotonic_ms,
            readiness=Readiness(clock),
        )
        self.announced: list[frozenset[int]] = []
        self.busy: set[int] = set()
        self.on_change = self.announced.append
        self.is_busy = self.busy.__contains__

    def turn(self):
        """Do what the threads do in a second, once each."""
        self.renew()
        self.take()
        self.announce()
        self.take()

    @property
    def ids(self):
        return sorted(self.held())


@pytest.fixture
def make_keeper(clock):
    """Return a function that makes a keeper of an engine at the test's time."""
    return lambda name="one": Stepped(name, clock)


@pytest.fixture
def stage(accounts, venues):
    """A stage whose books show what the venues in memory have."""
    return Stage(venues)


@pytest.fixture
def watched(stage, cross, calm):
    """A running cross-venue strategy on the stage, with calm books on both sides."""
    stage.books.show("alpha")
    stage.books.show("beta")
    stage.employ(cross)
    return stage
