"""Venues in memory, accounts there, and strategies that trade on them."""

import pytest

from markets.gateway.factory import use_gateways
from strategies.domain.states import ExecutionState, StrategyDriver
from strategies.models import Execution
from strategies.selectors import list_result_errors
from strategies.services import batch_books, sweeps
from strategies.services.batch_books import BOOKS
from strategies.services.recent_funds import FUNDS as FUNDS_SEEN
from strategies.services.runs import start_strategy
from strategies.services.scanner import forget_scan
from strategies.services.setups import SETUPS
from strategies.services.shelves import SHELF
from strategies.services.strategies import create_strategy
from strategies.services.ticks import run_tick
from strategies.services.watches import WATCHES
from tests.patience import PATIENT_BOOKS, lengthen_leases
from tests.strategies.fakes import FakeVenues, SkewedClock
from tests.strategies.samples import Hooked

FUNDS = {"BTC": "10", "ETH": "100", "USDT": "1000000"}
SYMBOLS = ("BTC/USDT", "ETH/USDT", "ETH/BTC")


@pytest.fixture(autouse=True)
def no_memories():
    """Row ids come again with every test; what one test remembered must not reach the next."""
    for memory in (SETUPS, SHELF, WATCHES, BOOKS, FUNDS_SEEN):
        memory.clear()
    forget_scan()


@pytest.fixture(autouse=True)
def patient_batches(monkeypatch):
    """A busy machine makes no book of a batch missing; tests of that set a limit of their own."""
    monkeypatch.setattr(batch_books, "WAIT_S", 30)


@pytest.fixture
def long_leases(monkeypatch):
    """An engine is alive though a busy machine has kept it, or the test, from going on."""
    lengthen_leases(monkeypatch)


@pytest.fixture
def venues():
    """Venues in memory: every gateway of the platform leads to them."""
    fakes = FakeVenues()
    with use_gateways(fakes.build):
        yield fakes


@pytest.fixture
def accounts(db, venues):
    """An account at alpha and one at beta, both with all funds."""
    return [venues.add(code, symbols=SYMBOLS, free=FUNDS) for code in ("alpha", "beta")]


@pytest.fixture
def exact_results(db):
    """After the test: the running totals of results are what executions and attributions say."""
    yield
    assert list_result_errors() == {}


@pytest.fixture
def calm(accounts, venues):
    """Books of both venues that offer nothing."""
    for code in ("alpha", "beta"):
        venues[code].set_book(
            "BTC/USDT", bids=[("49990", "1"), ("49980", "2")], asks=[("50010", "1"), ("50020", "2")]
        )
        venues[code].set_book("ETH/USDT", bids=[("2499", "50")], asks=[("2501", "50")])
        venues[code].set_book("ETH/BTC", bids=[("0.04995", "50")], asks=[("0.05005", "50")])
    return venues


@pytest.fixture
def edge(calm):
    """BTC is cheap on alpha and dear on beta: about 80 bps after fees, for 0.5 BTC."""
    calm["alpha"].set_book("BTC/USDT", bids=[("49990", "1")], asks=[("50000", "1")])
    calm["beta"].set_book("BTC/USDT", bids=[("50500", "1")], asks=[("50510", "1")])
    return calm


@pytest.fixture
def triangle(calm):
    """On alpha, USDT → BTC → ETH → USDT gains about 1 % after fees."""
    calm["alpha"].set_book("BTC/USDT", bids=[("49990", "5")], asks=[("50000", "5")])
    calm["alpha"].set_book("ETH/BTC", bids=[("0.0489", "200")], asks=[("0.049", "200")])
    calm["alpha"].set_book("ETH/USDT", bids=[("2483", "200")], asks=[("2485", "200")])
    return calm


@pytest.fixture
def make_cross(accounts):
    """Return a function that writes down a cross-venue strategy on alpha and beta."""

    def make(name="cross", interval_ms=1000, driver=StrategyDriver.SCHEDULE, **params):
        return create_strategy(
            name=name,
            slug="cross-venue",
            params={
                "symbols": ["BTC/USDT"],
                "max_notional": "30000",
                **PATIENT_BOOKS,
                **params,
            },
            account_ids=[account.pk for account in accounts],
            interval_ms=interval_ms,
            driver=driver,
        )

    return make


@pytest.fixture
def make_triangular(accounts):
    """Return a function that writes down a triangular strategy on alpha."""

    def make(name="triangle", driver=StrategyDriver.SCHEDULE, **params):
        return create_strategy(
            name=name,
            slug="triangular",
            params={
                "assets": ["BTC", "ETH", "USDT"],
                "max_start_amount": "20000",
                **PATIENT_BOOKS,
                **params,
            },
            account_ids=[accounts[0].pk],
            driver=driver,
        )

    return make


@pytest.fixture
def start():
    """Return a function that starts a strategy and returns its run."""

    def run(strategy):
        return start_strategy(strategy_id=strategy.pk, user=None)

    return run


@pytest.fixture
def cross(make_cross, start):
    """A cross-venue strategy that runs."""
    strategy = make_cross()
    start(strategy)
    strategy.refresh_from_db()
    return strategy


@pytest.fixture
def triangular(make_triangular, start):
    """A triangular strategy that runs."""
    strategy = make_triangular()
    start(strategy)
    strategy.refresh_from_db()
    return strategy


@pytest.fixture
def hooked(settings, accounts, start):
    """A running strategy whose plugin calls ``Hooked.hook`` in the middle of each tick."""
    settings.STRATEGY_PACKAGES = ["strategies.plugins", "tests.strategies.samples"]
    strategy = create_strategy(
        name="hooked",
        slug=Hooked.slug,
        params={"symbols": ["BTC/USDT"], "max_notional": "30000", **PATIENT_BOOKS},
        account_ids=[account.pk for account in accounts],
        driver=StrategyDriver.SCHEDULE,
    )
    start(strategy)
    yield strategy
    Hooked.hook = None


@pytest.fixture
def held(cross, edge):
    """An execution that bought, could not sell within the limit, and is held."""

    def break_off(request):
        for code in ("alpha", "beta"):
            edge[code].before_submit = None
        edge["alpha"].set_book("BTC/USDT", bids=[("40000", "5")], asks=[("50000", "1")])
        edge["beta"].set_book("BTC/USDT", bids=[("40000", "5")], asks=[("60000", "5")])

    edge["alpha"].before_submit = edge["beta"].before_submit = break_off
    run_tick(strategy_id=cross.pk, is_spacing_kept=False)
    clock = SkewedClock()
    clock.advance_ms(60_000)
    sweeps.sweep(clock=clock)
    execution = Execution.objects.get()
    assert execution.state == ExecutionState.HELD
    return execution


@pytest.fixture
def better(held, edge):
    """A held execution whose missing sale beta would take now."""
    edge["beta"].set_book("BTC/USDT", bids=[("50400", "5")], asks=[("50510", "1")])
    return held
