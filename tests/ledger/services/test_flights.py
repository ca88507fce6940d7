"""Orders are made ready while they are written, and leave when that is committed, or never."""

import threading
import time
from dataclasses import dataclass, field
from decimal import Decimal as D
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from arbplatform.core.clock import SYSTEM_CLOCK
from ledger.domain.moments import Moments
from ledger.services import flights
from ledger.services.flights import Clearance, Flight
from ledger.services.senders import Senders
from ledger.services.sending import Dispatch, Lost, Refused, Reported
from markets.domain.orders import OrderRequest, Side, VenueOrder, VenueOrderStatus
from markets.errors import VenueUnavailable

WAIT_S = 10


@dataclass
class Gateway:
    """A venue that takes every order; one that asks is ready before it may send."""

    asks_before_sending: bool = True
    venue: str = "alpha"
    error: BaseException | None = None
    ready: threading.Event = field(default_factory=threading.Event)
    sent: list[str] = field(default_factory=list)
    threads: list[str] = field(default_factory=list)
    writers: list[str] = field(default_factory=list)

    def _write(self):
        self.writers.append(threading.current_thread().name)

    def submit_order(self, request):
        self.ready.set()
        if self.asks_before_sending and not request.let_go(self._write):
            raise VenueUnavailable(venue=self.venue, cause="held back")
        self.threads.append(threading.current_thread().name)
        if self.error is not None:
            raise self.error
        self.sent.append(request.client_order_id)
        return VenueOrder(
            venue_order_id=f"v{request.client_order_id}",
            client_order_id=request.client_order_id,
            symbol=request.symbol,
            side=request.side,
            status=VenueOrderStatus.CANCELED,
            quantity=request.quantity,
            filled_quantity=D(0),
        )


def dispatch(number, gateway, moments=None):
    request = OrderRequest("BTC/USDT", Side.BUY, D(1), f"id-{number}", price=D(1))
    return Dispatch(number, gateway, request, SYSTEM_CLOCK.now_ms(), number, moments)


def flight(*dispatches, refused=None, is_committed=False):
    return Flight(dispatches, refused or {}, clock=SYSTEM_CLOCK, is_committed=is_committed)


def wait_until_ready(ours):
    """Wait until each order stands at its connection."""
    deadline = time.monotonic() + WAIT_S
    while not all(clearance._ready for _dispatch, clearance, _task in ours._waiting):
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_orders_wait_at_their_connections_until_the_flight_goes():
    gateways, moments = [Gateway(), Gateway()], Moments()
    ours = flight(*(dispatch(number, one, moments) for number, one in enumerate(gateways)))

    wait_until_ready(ours)
    assert [gateway.sent for gateway in gateways] == [[], []]
    assert moments.sent_ns == {}

    outcomes = ours.go()

    assert [gateway.sent for gateway in gateways] == [["id-0"], ["id-1"]]
    assert [gateway.writers for gateway in gateways] == [[threading.current_thread().name]] * 2
    assert {number: type(outcome) for number, outcome in outcomes.items()} == {
        0: Reported,
        1: Reported,
    }
    assert sorted(moments.sent_ns) == sorted(moments.acked_ns) == [0, 1]


def test_what_is_held_back_never_leaves():
    gateways = [Gateway(), Gateway(asks_before_sending=False)]

    with flight(*(dispatch(number, one) for number, one in enumerate(gateways))) as ours:
        assert gateways[0].ready.wait(WAIT_S)
    outcome = ours._waiting[0][2].result()

    assert isinstance(outcome, Refused)
    assert [gateway.sent for gateway in gateways] == [[], []]
    assert not gateways[1].ready.is_set()


def test_a_gateway_that_does_not_ask_is_called_when_the_flight_goes():
    quiet, own = Gateway(asks_before_sending=False), Gateway(asks_before_sending=False)
    ours = flight(dispatch(1, quiet), dispatch(2, own))
    assert not quiet.ready.is_set()

    assert sorted(ours.go()) == [1, 2]

    # the last one is sent by the caller itself, the others by threads of their own
    assert own.threads == [threading.current_thread().name]
    assert quiet.threads[0].startswith("order-sender-")


def test_orders_whose_claim_is_committed_need_no_thread_to_wait_in():
    gateway = Gateway()

    outcomes = flight(dispatch(1, gateway), is_committed=True).go()

    assert isinstance(outcomes[1], Reported)
    assert gateway.threads == [threading.current_thread().name]


def test_what_cannot_be_sent_is_among_the_outcomes():
    refused = Refused(VenueUnavailable(venue="beta", cause="switched off"))
    gateway = Gateway(asks_before_sending=False, error=VenueUnavailable(venue="alpha", cause="x"))

    outcomes = flight(dispatch(1, gateway), refused={2: refused}).go()

    assert isinstance(outcomes[1], Refused)
    assert outcomes[2] is refused


def test_an_unforeseen_error_makes_one_order_unknown_and_no_other():
    broken, sound = Gateway(error=RuntimeError("broken")), Gateway()

    outcomes = flight(dispatch(1, broken), dispatch(2, sound)).go()

    assert isinstance(outcomes[1], Lost)
    assert isinstance(outcomes[2], Reported)


@pytest.mark.parametrize("asks", [True, False])
def test_what_ends_the_process_is_raised_once_all_have_been_answered(asks):
    class Killed(BaseException):
        pass

    killed, sound = Gateway(asks, error=Killed()), Gateway(asks)

    with pytest.raises(Killed):
        flight(dispatch(1, killed), dispatch(2, sound)).go()

    assert sound.sent == ["id-2"]


def test_a_flight_about_which_nobody_decides_does_not_leave(monkeypatch):
    monkeypatch.setattr(flights, "SEND_DEADLINE_MS", 1)

    assert Clearance().leave(lambda: pytest.fail("written")) is False


def test_a_decision_stands_however_often_it_is_asked_for():
    clearance = Clearance()
    written: list[int] = []
    clearance.decide(is_granted=True)

    assert [clearance.leave(partial(written.append, number)) for number in (1, 2)] == [True, True]
    assert written == [1, 2]


def waiting(clearance, write, answers):
    """Start a thread that has a request written, and wait until it is ready."""

    def leave():
        try:
            answers.append(clearance.leave(write))
        except ConnectionError as error:
            answers.append(error)

    thread = threading.Thread(target=leave, daemon=True)
    thread.start()
    while not clearance._ready:
        time.sleep(0.001)
    return thread


def test_what_fails_when_a_request_is_written_is_raised_in_its_own_thread():
    clearance, error = Clearance(), BrokenPipeError("gone")
    answers: list[object] = []

    def write():
        raise error

    thread = waiting(clearance, write, answers)
    clearance.decide(is_granted=True)
    thread.join(WAIT_S)

    assert answers == [error]
    # a second request of the same call is no concern of the first
    assert clearance.leave(lambda: None) is True


def test_who_gives_up_while_a_request_is_being_written_waits_for_the_end_of_it(monkeypatch):
    monkeypatch.setattr(flights, "SEND_DEADLINE_MS", 1)
    clearance = Clearance()
    answers: list[bool] = []
    written: list[str] = []
    begun, go_on = threading.Event(), threading.Event()
    decider = threading.Thread(target=partial(clearance.decide, is_granted=True), daemon=True)

    class Ready(list[Any]):
        def append(self, write):
            super().append(write)
            decider.start()
            begun.wait(WAIT_S)

    def write():
        begun.set()
        go_on.wait(WAIT_S)
        written.append("once")

    clearance._ready = Ready()
    owner = threading.Thread(target=lambda: answers.append(clearance.leave(write)), daemon=True)
    owner.start()
    assert begun.wait(WAIT_S)
    owner.join(0.05)
    assert (answers, owner.is_alive()) == ([], True)  # its time is over, and it is being written

    go_on.set()
    owner.join(WAIT_S)
    assert (answers, written) == ([True], ["once"])


def test_who_has_given_up_is_not_written_by_a_late_decision(monkeypatch):
    monkeypatch.setattr(flights, "SEND_DEADLINE_MS", 1)
    clearance = Clearance()
    written: list[str] = []

    assert clearance.leave(partial(written.append, "late")) is False
    clearance.decide(is_granted=True)

    assert written == []


def test_a_call_is_made_by_whoever_asks_when_all_threads_are_busy():
    senders, hold = Senders(size=1), threading.Event()
    first = senders.start(hold.wait)
    second = senders.start(lambda: threading.current_thread().name)

    assert second.result() == threading.current_thread().name
    hold.set()
    assert first.result() is True


def test_a_thread_makes_one_call_after_the_other():
    senders = Senders(size=1)
    names = set()
    for _ in range(3):
        names.add(senders.start(lambda: threading.current_thread().name).result())

    assert "order-sender-1" in names
    assert names <= {"order-sender-1", threading.current_thread().name}


def test_whose_doors_are_opened_has_its_connections_opened(monkeypatch):
    asked = []

    class Warm(Gateway):
        def keep_warm(self):
            asked.append(self.venue)

    gateways: dict[int, Any] = {1: Warm(venue="alpha"), 2: Gateway(venue="beta")}  # it has none
    monkeypatch.setattr(flights, "open_gateway", lambda account: gateways[account.pk])

    accounts: list[Any] = [SimpleNamespace(pk=1), SimpleNamespace(pk=2)]
    doors: Any = flights.open_doors(accounts)

    assert doors == gateways
    assert asked == ["alpha"]
