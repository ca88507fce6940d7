"""A schedule and a stream decide the same on the same recorded books."""

import json
import lzma
from itertools import islice

import pytest

from strategies.domain.states import StrategyDriver
from strategies.engine.decider import IDLE_REST_MS_MAX
from strategies.models import Execution, Opportunity
from strategies.services.runs import start_strategy
from strategies.services.strategies import create_strategy
from strategies.services.ticks import run_tick
from tests.patience import PATIENT_BOOKS
from tests.strategies.builders import recorded
from tests.strategies.engine.stage import Stage

pytestmark = pytest.mark.django_db

RECORDING = "orderbooks/measurevolume/ORDER_BOOK_h00-h09.jsonl.xz"
FIRST, COUNT = 11_800, 40
"""Of 16,267 recorded books: some minutes with edges between the two venues."""
LEVELS = 100
SYMBOL = "BTC/BRL"
FUNDS = {"BTC": "20", "BRL": "1000000"}
PARAMS = {
    "symbols": [SYMBOL],
    "min_edge_bps": "1",
    "max_notional": "20000",
    "participation": "1",
    "depth": LEVELS,
    **PATIENT_BOOKS,
}


@pytest.fixture
def frames():
    """Recorded books of two venues, in the order in which they came."""
    with lzma.open(recorded(RECORDING), "rt") as file:
        return [json.loads(line) for line in islice(file, FIRST, FIRST + COUNT)]


@pytest.fixture
def begin(venues):
    """Start a strategy on two venues of its own, which show what EX1 and EX2 showed."""

    def start(driver):
        accounts = [
            venues.add(f"{driver}{number}", symbols=[SYMBOL], free=FUNDS, lot="0.000001")
            for number in (1, 2)
        ]
        strategy = create_strategy(
            name=driver,
            slug="cross-venue",
            params=PARAMS,
            account_ids=[account.pk for account in accounts],
            driver=StrategyDriver.SCHEDULE if driver == "tick" else StrategyDriver.STREAM,
        )
        start_strategy(strategy_id=strategy.pk, user=None)
        return strategy

    return start


def show(venues, driver, frame):
    """Show a recorded book; what was taken of it before is there again."""
    code = f"{driver}{frame['exchange'][-1]}"
    sides = {
        side: [(str(price), str(quantity)) for price, quantity in frame[side][:LEVELS]]
        for side in ("bids", "asks")
    }
    venues[code].set_book(SYMBOL, **sides)


def by_schedule(venues, strategy, frames):
    for frame in frames:
        show(venues, "tick", frame)
        run_tick(strategy_id=strategy.pk, is_spacing_kept=False)


def by_stream(venues, strategy, frames):
    """Let only those books be decided on that the nominator picks."""
    stage = Stage(venues)
    stage.employ(strategy)
    for frame in frames:
        show(venues, "feed", frame)
        stage.clock.advance_ms(IDLE_REST_MS_MAX)  # no rest goes on into the next recorded book
        for code in ("feed1", "feed2"):
            # a tick sees what it has left of the other book as well
            if venues[code].books:
                stage.books.show(code, SYMBOL)
        stage.crew.work(times_max=1)
    return stage


def decisions(driver):
    """Return all that was decided, without the names of the venues and the time."""

    def plain(text):
        return text.replace(driver, "ex")

    rows = Opportunity.objects.filter(strategy__name=driver).order_by("pk")
    intents = [row.evidence["intent"] for row in rows]
    states = Execution.objects.filter(strategy__name=driver).order_by("pk")
    return (
        [(plain(row.route), row.decision, row.reason, row.edge_bps, row.notional) for row in rows],
        [json.loads(plain(json.dumps(intent))) for intent in intents],
        [(each.state, each.realised_profit, each.residuals) for each in states],
    )


def test_both_drivers_make_the_same_decisions_on_the_same_recorded_books(venues, begin, frames):
    schedule, stream = begin("tick"), begin("feed")

    by_schedule(venues, schedule, frames)
    stage = by_stream(venues, stream, frames)

    ticked, fed = decisions("tick"), decisions("feed")
    assert fed == ticked
    assert len(fed[0]) >= 5
    assert stage.counts.decided < COUNT
