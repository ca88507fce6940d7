"""A venue that does not say what an order filled, and lists its executions a little late."""

from dataclasses import replace

import pytest

from ledger.models import Fill
from ledger.selectors import imbalances
from ledger.services import recording
from ledger.services.journal import resolve_unknown_orders
from markets.domain.orders import VenueOrderStatus
from strategies.domain.states import ExecutionState
from strategies.models import Execution
from strategies.services import sweeps
from strategies.services.ticks import run_tick
from tests.strategies import fakes
from tests.strategies.fakes import FakeGateway, SkewedClock

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("exact_results")]

COUNT_SPAN_MS = 20_000
"""So long a list of executions stays the same here before it counts, on a slow machine too."""


@pytest.fixture(autouse=True)
def count_span(monkeypatch):
    monkeypatch.setattr(recording, "COUNT_SPAN_MIN_MS", COUNT_SPAN_MS)


class Laconic(FakeGateway):
    """Says of an order at alpha only that it has ended; what it executed is listed later."""

    has_listed = False

    def submit_order(self, request):
        return self._leave_out(super().submit_order(request))

    def fetch_order(self, **ids):
        return self._leave_out(super().fetch_order(**ids))

    def fetch_fills(self, *args, **kwargs):
        is_late = self.venue == "alpha" and not self.has_listed
        return [] if is_late else super().fetch_fills(*args, **kwargs)

    def _leave_out(self, order):
        if self.venue != "alpha":
            return order
        ended = VenueOrderStatus.CANCELED
        return replace(order, status=ended, filled_quantity=0, is_filled_stated=False, fills=())


def look(clock, *, after_ms):
    clock.advance_ms(after_ms)
    resolve_unknown_orders(clock=clock)
    sweeps.sweep(clock=clock)
    return Execution.objects.get().state


def test_a_leg_whose_executions_are_listed_late_is_not_repaired(cross, edge, monkeypatch):
    monkeypatch.setattr(fakes, "FakeGateway", Laconic)
    run_tick(strategy_id=cross.pk)
    clock = SkewedClock()
    assert look(clock, after_ms=COUNT_SPAN_MS // 4) == ExecutionState.UNKNOWN

    monkeypatch.setattr(Laconic, "has_listed", True)

    assert look(clock, after_ms=COUNT_SPAN_MS // 2) == ExecutionState.COMPLETED
    assert [len(edge[code].requests) for code in ("alpha", "beta")] == [1, 1]
    assert (Fill.objects.count(), imbalances()) == (2, {})


def test_a_leg_of_which_nothing_is_listed_for_a_while_is_repaired(cross, edge, monkeypatch):
    monkeypatch.setattr(fakes, "FakeGateway", Laconic)
    edge["alpha"].before_submit = lambda _request: edge["alpha"].set_book(
        "BTC/USDT", bids=[("40000", "5")], asks=[("60000", "5")]
    )
    run_tick(strategy_id=cross.pk)
    clock = SkewedClock()

    states = [look(clock, after_ms=COUNT_SPAN_MS // 2) for _round in range(3)]

    assert states[0] == ExecutionState.UNKNOWN
    assert states[-1] == ExecutionState.UNWOUND
    assert [len(edge[code].requests) for code in ("alpha", "beta")] == [1, 2]
