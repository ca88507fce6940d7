"""Which venues leave orders without an answer."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from decimal import Decimal as D
from threading import Barrier
from typing import Any

import pytest

from arbplatform.core.clock import SYSTEM_CLOCK
from ledger.services import sending
from ledger.services.sending import Dispatch, send
from ledger.services.waits import HANG_MS, REST_MS, TRY_MS, Waits
from markets.domain.orders import OrderRequest, Side
from markets.errors import OrderTooLate, OutcomeUnknown, VenueRejected, VenueUnavailable


class Watch:
    """A monotonic clock that a test moves [ms]."""

    now_ms = 0.0

    def __call__(self):
        return self.now_ms


@pytest.fixture
def watch():
    return Watch()


@pytest.fixture
def waits(watch):
    return Waits(watch)


def test_a_venue_hangs_while_an_order_waits_for_it_too_long(waits, watch):
    waits.begin(1, "alpha")
    waits.begin(2, "beta")
    watch.now_ms = HANG_MS - 1
    waits.end(2, is_lost=False)
    assert waits.hanging() == set()

    watch.now_ms = HANG_MS
    assert waits.hanging() == {"alpha"}


def test_a_late_answer_ends_it_at_once(waits, watch):
    waits.begin(1, "alpha")
    watch.now_ms = 3 * HANG_MS
    waits.end(1, is_lost=False)

    assert waits.hanging() == set()


def test_after_an_order_was_given_up_its_venue_rests(waits, watch):
    waits.begin(1, "alpha")
    watch.now_ms = 10 * HANG_MS
    waits.end(1, is_lost=True)

    watch.now_ms += REST_MS - 1
    assert waits.hanging() == {"alpha"}
    watch.now_ms += 1
    assert waits.hanging() == set()


@pytest.fixture
def rested(waits, watch):
    """A venue that has left an order without an answer, after its rest."""
    waits.begin(1, "alpha")
    watch.now_ms = 10 * HANG_MS
    waits.end(1, is_lost=True)
    assert waits.refuse({"alpha", "beta"})
    watch.now_ms += REST_MS
    return waits


def test_after_its_rest_a_venue_gets_one_order_at_a_time_until_it_answers(rested, watch):
    assert not rested.refuse({"gamma"})
    assert [rested.refuse({"alpha", "beta"}), rested.refuse({"alpha"})] == [False, True]
    rested.begin(2, "alpha")
    watch.now_ms += TRY_MS
    assert rested.hanging() == {"alpha"}
    assert rested.refuse({"alpha"})

    rested.end(2, is_lost=False)

    assert [rested.refuse({"alpha"}) for _strategy in range(3)] == [False] * 3
    rested.begin(3, "alpha")
    assert not rested.refuse({"alpha"})


def test_if_it_hangs_again_it_has_cost_one_more_order_and_rests_again(rested, watch):
    assert not rested.refuse({"alpha"})
    rested.begin(2, "alpha")
    watch.now_ms += 10 * HANG_MS
    rested.end(2, is_lost=True)
    watch.now_ms += REST_MS - 1
    assert rested.refuse({"alpha"})

    watch.now_ms += 1
    assert [rested.refuse({"alpha"}), rested.refuse({"alpha"})] == [False, True]


def test_a_try_that_comes_to_nothing_leaves_it_to_the_next_one(rested, watch):
    assert not rested.refuse({"alpha"})
    watch.now_ms += TRY_MS - 1
    assert rested.refuse({"alpha"})

    watch.now_ms += 1
    assert not rested.refuse({"alpha"})


def test_of_many_that_ask_at_once_one_may_try(rested):
    barrier = Barrier(8)

    def ask():
        barrier.wait()
        return rested.refuse({"alpha"})

    with ThreadPoolExecutor(8) as threads:
        answers = [each.result() for each in [threads.submit(ask) for _ in range(8)]]

    assert answers.count(False) == 1


def test_what_breaks_at_once_is_no_hanging(waits):
    waits.begin(1, "alpha")
    waits.end(1, is_lost=True)
    waits.end(2, is_lost=True)

    assert waits.hanging() == set()


def test_a_child_of_a_fork_waits_for_nothing(waits, watch):
    waits.begin(1, "alpha")
    watch.now_ms = HANG_MS
    waits.forget()

    assert waits.hanging() == set()


class SlowVenue:
    """A gateway whose answer takes as long as it is told to."""

    venue = "alpha"

    def __init__(self, waits, watch, error):
        self.waits, self.watch, self.error = waits, watch, error
        self.seen = None

    def submit_order(self, _request):
        self.watch.now_ms += HANG_MS
        self.seen = self.waits.hanging()
        raise self.error


@pytest.mark.parametrize(
    ("error", "afterwards"),
    [
        (OutcomeUnknown(venue="alpha", cause="timeout"), {"alpha"}),
        (VenueRejected(venue="alpha", cause="no"), set()),
        (SystemExit(), set()),
    ],
    ids=["lost", "refused", "killed"],
)
def test_sending_tells_when_it_waits_and_how_it_ended(error, afterwards, waits, watch, monkeypatch):
    monkeypatch.setattr(sending, "WAITS", waits)
    gateway: Any = SlowVenue(waits, watch, error)

    with suppress(SystemExit):
        _send_to(gateway)

    assert gateway.seen == {"alpha"}
    assert waits.hanging() == afterwards


@pytest.mark.parametrize(
    "error",
    [OrderTooLate(venue="alpha"), VenueUnavailable(venue="alpha", cause="no connection")],
    ids=["too-late", "no-connection"],
)
def test_an_order_that_was_held_back_is_no_answer_of_a_venue_that_hung(
    error, rested, watch, monkeypatch
):
    monkeypatch.setattr(sending, "WAITS", rested)
    gateway: Any = SlowVenue(rested, watch, error)

    _send_to(gateway)

    assert [rested.refuse({"alpha"}) for _strategy in range(3)] == [False, True, True]


def _send_to(gateway):
    request = OrderRequest(
        symbol="BTC/USDT", side=Side.BUY, quantity=D(1), client_order_id="c", price=D(1)
    )
    send(Dispatch(1, gateway, request, SYSTEM_CLOCK.now_ms()), clock=SYSTEM_CLOCK)
