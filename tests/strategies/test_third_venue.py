"""A strategy on three venues, of which one takes every connection and answers nothing."""

import socket
import time
from threading import Thread

import pytest

from arbplatform.core.clock import SYSTEM_CLOCK
from ledger.selectors import imbalances
from ledger.services.reconciliation import compare_with_venue
from markets.gateway.factory import close_all
from markets.models import Venue
from markets.simulator.running import start_in_thread
from strategies.domain.states import ExecutionState
from strategies.models import Execution
from strategies.plugins.cross_venue import CrossVenue, CrossVenueParams
from strategies.services.ticks import TickOutcome, run_tick
from tests.strategies.simulated import begin, market, quote_cheap_and_dear, register, venue

pytestmark = pytest.mark.django_db

CODES = ("alpha", "beta", "gamma")
FUNDS = {"BTC": "5", "USDT": "500000"}
USUAL = CrossVenueParams(symbols=("BTC/USDT",))
"""Parameters of a strategy that says nothing of books."""


@pytest.fixture
def simulator():
    """Three venues: what is cheap on the first is dear on the second."""
    venues = [venue(code, markets=[market("BTC/USDT")], funds=FUNDS) for code in CODES]
    with start_in_thread({"seed": 7, "venues": venues}) as running:
        quote_cheap_and_dear(running)
        running.control.set_book("gamma", "BTC/USDT", [("50200", "1")], [("50210", "1")])
        yield running
        close_all()


@pytest.fixture
def silent():
    """Where everybody may connect and nobody is answered."""
    kept = []
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:

        def accept():
            while True:
                try:
                    kept.append(server.accept()[0])
                except OSError:
                    return

        Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    for one in kept:
        one.close()


def test_some_of_the_age_of_a_book_is_left_when_others_are_waited_for_no_more():
    assert USUAL.book_wait_ms == USUAL.book_age_ms_max * 3 // 4 == 1_500


def test_two_venues_trade_and_are_booked_while_a_third_one_hangs(
    simulator, silent, settings, monkeypatch
):
    # a busy machine makes no book too old; for the third one it is waited as usual all the same
    monkeypatch.setattr(CrossVenue, "book_wait_ms", USUAL.book_wait_ms)
    accounts = register(simulator, CODES)
    strategy = begin("cross-venue", accounts, symbols=["BTC/USDT"], max_notional="20000")
    Venue.objects.filter(code="gamma").update(rest_origin=f"{silent}/gamma")

    began = time.monotonic()
    report = run_tick(strategy_id=strategy.pk, is_spacing_kept=False, clock=SYSTEM_CLOCK)
    took_s = time.monotonic() - began

    assert report.outcome is TickOutcome.EXECUTED
    execution = Execution.objects.get()
    assert execution.state == ExecutionState.COMPLETED
    legs = execution.orders.order_by("leg_index").values_list("market__venue__code", flat=True)
    assert list(legs) == ["alpha", "beta"]
    assert took_s < settings.VENUE_TIMEOUT_MS / 1_000  # so long a venue that hangs could take
    assert imbalances() == {}
    for account in accounts[:2]:
        assert compare_with_venue(account_id=account.pk) == []
