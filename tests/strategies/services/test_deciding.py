"""The way that every driver takes from books to orders."""

import pytest

from arbplatform.core.clock import SYSTEM_CLOCK
from ledger.models import Order
from markets.errors import VenueDisabled
from markets.services.data import fetch_books
from strategies.domain.states import ExecutionState
from strategies.models import Execution, Opportunity, Run
from strategies.sdk import MarketKey
from strategies.selectors import get_strategy
from strategies.services.claims import claim_tick
from strategies.services.deciding import Superseded, Turn, carry_out, read_basis, split_markets
from strategies.services.setups import SETUPS

pytestmark = pytest.mark.django_db


def decide(strategy, is_current):
    """Decide on the books as they are now, as a driver does; return what was done."""
    strategy = get_strategy(strategy.pk)
    basis = read_basis(strategy=strategy, run=Run.objects.get(), clock=SYSTEM_CLOCK)
    markets, _disabled = split_markets(basis.setup)
    report = fetch_books([(market.venue, key.symbol) for key, market in markets.items()])
    books = {MarketKey(*key): book for key, book in report.books.items()}
    view = basis.view(books, now_ms=SYSTEM_CLOCK.now_ms())
    claim = claim_tick(strategy, clock=SYSTEM_CLOCK)
    assert claim is not None
    return carry_out(Turn(basis, claim, SYSTEM_CLOCK, is_current), view, basis.evaluate(view))


def test_an_intent_whose_books_have_changed_is_neither_written_nor_sent(cross, edge):
    with pytest.raises(Superseded):
        decide(cross, is_current=lambda intent: False)

    assert not Opportunity.objects.exists()
    assert not Order.objects.exists()
    assert edge["alpha"].requests == edge["beta"].requests == []


def test_the_driver_is_asked_about_the_intent_that_would_be_carried_out(cross, edge):
    asked = []

    def note(intent):
        asked.append(intent)
        return True

    deeds = decide(cross, is_current=note)

    assert [intent.summary for intent in asked] == [Opportunity.objects.get().summary]
    assert [execution.pk for execution in deeds.executions] == [Execution.objects.get().pk]
    assert (deeds.executions[0].state, deeds.written_count) == (ExecutionState.COMPLETED, 1)


def test_books_of_a_venue_that_is_switched_off_are_not_asked_for(cross, calm):
    setup = SETUPS.get(get_strategy(cross.pk), Run.objects.get().pk)
    setup.markets[MarketKey("beta", "BTC/USDT")].venue.is_enabled = False

    markets, failures = split_markets(setup)

    assert list(markets) == [MarketKey("alpha", "BTC/USDT")]
    assert [(failure.key, failure.error.code) for failure in failures] == [
        (MarketKey("beta", "BTC/USDT"), VenueDisabled.code)
    ]
