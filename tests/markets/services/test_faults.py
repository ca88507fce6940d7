"""Faults of simulated venues from the platform's side, over real HTTP."""

import http.server
import threading

import pytest

from arbplatform.core.errors import InvalidInput
from markets.errors import NotSimulated, UnknownFault, VenueUnavailable
from markets.models import Venue
from markets.services.faults import (
    add_fault,
    ask_simulators,
    can_be_simulated,
    clear_faults,
    read_faults,
    remove_fault,
)


def venue_at(origin, code="mine"):
    return Venue(code=code, name=code, ccxt_id="binance", rest_origin=origin)


@pytest.fixture
def venue(simulator):
    """A simulated venue that we call otherwise than the simulator does."""
    return venue_at(f"{simulator.url}/alpha")


@pytest.fixture
def stranger():
    """A program on this machine that is no simulator."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>hello</html>")

        do_POST = do_GET  # noqa: N815 - http.server's names
        do_DELETE = do_GET  # noqa: N815

        def log_message(self, *_):
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield venue_at(f"http://127.0.0.1:{server.server_port}/alpha")
    server.shutdown()
    server.server_close()


def test_a_fault_is_armed_shown_and_removed(simulator, venue):
    number = add_fault(venue=venue, fault={"kind": "refuse", "endpoint": "order.*", "times": 3})
    other = add_fault(venue=venue, fault={"kind": "maintenance", "for_ms": 60_000})

    second, first = read_faults(venue=venue).active
    remove_fault(venue=venue, number=number)

    assert (first.number, first.kind, first.details) == (
        number,
        "refuse",
        {"endpoint": "order.*", "times": 3},
    )
    assert (first.struck, first.left, first.left_ms) == (0, 3, None)
    assert (second.number, second.left) == (other, None)
    assert 0 < (second.left_ms or 0) <= 60_000
    assert [row["id"] for row in simulator.control.list_faults("alpha")] == [other]
    assert [fault.number for fault in read_faults(venue=venue).ended] == [number]
    assert clear_faults(venue=venue) == 1
    assert read_faults(venue=venue).active == []


def test_what_the_simulator_refuses_is_told_in_its_words(simulator, venue):
    with pytest.raises(
        InvalidInput, match=r"^The fault is not valid: symbol: the venue has no BTCEUR, only"
    ):
        add_fault(venue=venue, fault={"kind": "refuse", "symbol": "BTC/EUR"})

    assert simulator.control.list_faults("alpha") == []


def test_a_fault_that_is_not_armed_cannot_be_removed(venue):
    with pytest.raises(UnknownFault, match="No fault 7 is armed at mine"):
        remove_fault(venue=venue, number=7)


ASKS = [
    lambda venue: read_faults(venue=venue),
    lambda venue: add_fault(venue=venue, fault={"kind": "maintenance"}),
    lambda venue: remove_fault(venue=venue, number=1),
    lambda venue: clear_faults(venue=venue),
]


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize(
    "origin",
    [
        "",
        "https://api.binance.com",
        "http://192.0.2.1:8010/alpha",
        "https://127.0.0.1:8010/alpha",
        "http://127.0.0.1:8010",
        "http://127.0.0.1:8010/some/alpha",
    ],
)
def test_a_venue_elsewhere_is_never_asked(ask, origin):
    venue = venue_at(origin)

    with pytest.raises(NotSimulated, match="The venue mine is not simulated on this machine"):
        ask(venue)

    assert not can_be_simulated(venue)


@pytest.mark.parametrize("ask", ASKS)
def test_a_program_that_is_no_simulator_is_told_apart(stranger, ask):
    assert can_be_simulated(stranger)
    with pytest.raises(NotSimulated):
        ask(stranger)


@pytest.mark.parametrize("ask", ASKS)
def test_a_venue_that_the_simulator_does_not_have_is_not_simulated(simulator, ask):
    with pytest.raises(NotSimulated):
        ask(venue_at(f"{simulator.url}/delta"))


@pytest.mark.parametrize("ask", ASKS)
def test_a_simulator_that_is_down_is_unavailable(simulator, venue, ask):
    simulator.stop()

    with pytest.raises(VenueUnavailable, match="refused"):
        ask(venue)


def test_banners_count_what_is_armed_and_pass_over_the_rest(simulator, venue, stranger):
    down = venue_at("http://127.0.0.1:1/alpha", "down")
    calm = venue_at(f"{simulator.url}/beta", "calm")
    real = venue_at("", "real")
    for _ in range(2):
        add_fault(venue=venue, fault={"kind": "maintenance"})

    stranger.code = "stranger"

    assert ask_simulators([venue, calm, down, real, stranger]) == {
        "mine": (True, 2),
        "calm": (True, 0),
        "down": (None, 0),
        "real": (False, 0),
        "stranger": (False, 0),
    }


def test_a_venue_stays_simulated_while_its_simulator_does_not_answer(simulator, venue):
    calm = venue_at(f"{simulator.url}/beta", "calm")
    never_asked = venue_at(f"{simulator.url}/gamma", "new")
    add_fault(venue=venue, fault={"kind": "maintenance"})
    ask_simulators([venue, calm])
    simulator.stop()

    answers = ask_simulators([venue, calm, never_asked])

    assert answers == {"mine": (True, 0), "calm": (True, 0), "new": (None, 0)}
