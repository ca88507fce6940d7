"""Open connections are lent, the last used first, and those that are closed are not."""

import gc
import socket
from collections.abc import Iterator

import pytest
from urllib3.connection import HTTPConnection

from markets.gateway import connections as module
from markets.gateway.connections import Connections

HERE = ("https://here", True, None)
THERE = ("https://there", True, None)


class Peers:
    """Connections and their other ends."""

    def __init__(self) -> None:
        self.ends: dict[HTTPConnection, socket.socket] = {}

    def open(self) -> HTTPConnection:
        connection = HTTPConnection("here")
        connection.sock, self.ends[connection] = socket.socketpair()
        return connection

    def hang_up(self, connection: HTTPConnection) -> None:
        self.ends[connection].close()


@pytest.fixture
def peers() -> Iterator[Peers]:
    peers = Peers()
    yield peers
    for connection, end in peers.ends.items():
        connection.close()
        end.close()


def test_the_one_used_last_is_lent_first_and_to_one_at_a_time(peers: Peers) -> None:
    kept = Connections()
    first, second = peers.open(), peers.open()
    kept.put(HERE, first)
    kept.put(HERE, second)

    assert [kept.take(HERE), kept.take(HERE), kept.take(HERE)] == [second, first, None]


def test_what_leads_elsewhere_is_not_lent(peers: Peers) -> None:
    kept = Connections()
    kept.put(THERE, peers.open())

    assert kept.take(HERE) is None
    assert kept.take(THERE) is not None


def test_one_that_the_venue_has_closed_is_passed_over_for_one_that_is_open(peers: Peers) -> None:
    kept = Connections()
    older, newer = peers.open(), peers.open()
    kept.put(HERE, older)
    kept.put(HERE, newer)
    peers.hang_up(newer)

    assert kept.take(HERE) is older
    assert newer.sock is None


def test_one_that_was_closed_with_its_answer_is_not_kept(peers: Peers) -> None:
    kept = Connections()
    connection = peers.open()
    connection.close()

    kept.put(HERE, connection)

    assert kept.take(HERE) is None


def test_of_those_used_last_the_stalest_is_lent_if_there_are_so_many(peers: Peers) -> None:
    kept = Connections()
    surplus, stalest, newest = (peers.open() for _ in range(3))
    for each in (surplus, stalest, newest):
        kept.put(HERE, each)

    assert kept.take_stalest(HERE, 4) is None
    assert kept.take_stalest(HERE, 2) is stalest


def test_closed_ones_are_dropped_and_the_others_stay(peers: Peers) -> None:
    kept = Connections()
    closed, still_open = peers.open(), peers.open()
    kept.put(HERE, closed)
    kept.put(HERE, still_open)
    peers.hang_up(closed)

    kept.drop_closed()

    assert closed.sock is None
    assert len(kept.ages_ms(HERE)) == 1
    assert kept.take(HERE) is still_open


def test_one_that_is_lent_while_it_is_looked_at_is_left_alone(peers: Peers) -> None:
    kept = Connections()
    lent: list[object] = []

    class Contested(HTTPConnection):
        """Is taken by a request in the moment in which it is looked at; then its answer comes."""

        @property
        def is_connected(self) -> bool:
            if lent:
                return True
            lent.append(self)
            lent.append(kept.take(HERE))
            return False

    connection = Contested("here")
    connection.sock, peers.ends[connection] = socket.socketpair()
    kept.put(HERE, connection)

    kept.drop_closed()

    assert lent == [connection, connection]
    assert connection.sock is not None


def test_there_are_no_more_than_the_bound(peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_MAX", 2)
    kept = Connections()
    opened = [peers.open() for _ in range(3)]

    for each in opened:
        kept.put(HERE, each)

    assert [each.sock is None for each in opened] == [True, False, False]


def test_once_closed_nothing_is_kept_any_more(peers: Peers) -> None:
    kept = Connections()
    idle, lent = peers.open(), peers.open()
    kept.put(HERE, idle)

    kept.close()
    kept.put(HERE, lent)

    assert (idle.sock, lent.sock) == (None, None)


def test_those_that_nobody_can_ask_for_any_more_are_closed(peers: Peers) -> None:
    connection = peers.open()
    kept = Connections()
    kept.put(HERE, connection)

    del kept
    gc.collect()

    assert connection.sock is None
