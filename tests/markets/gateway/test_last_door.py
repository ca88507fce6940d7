"""A request asks at its open connection whether it may leave."""

import socket
import threading
from types import SimpleNamespace

import pytest
import requests  # noqa: TID251  what the gateway's clients are made of

from markets.gateway.error_map import TooLate
from markets.gateway.last_door import LastDoor

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Client:
    """Is asked before a request is written."""

    def __init__(self, ask):
        self._ask = ask

    def write_out(self, write):
        self._ask()
        write()


class Venue:
    """Takes one connection after the other and notes what arrives on it."""

    def __init__(self):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/order"
        self.connected = threading.Event()
        self.received = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        try:
            while True:
                connection, _address = self._socket.accept()
                self.connected.set()
                with connection:
                    while data := connection.recv(65_536):
                        self.received.append(data)
                        connection.sendall(ANSWER)
        except OSError:
            return  # closed

    def close(self):
        self._socket.close()


@pytest.fixture
def venue():
    venue = Venue()
    yield venue
    venue.close()


def session_of(client):
    session = requests.Session()
    session.trust_env = False
    session.mount("http://", LastDoor(client))
    return session


def test_it_is_asked_once_when_the_connection_is_open_and_nothing_has_left(venue):
    seen = []

    def ask():
        seen.append((venue.connected.wait(30), list(venue.received)))

    client = Client(ask)
    with session_of(client) as session:
        assert session.post(venue.url, data="a=1").text == "ok"

    assert seen == [(True, [])]
    assert b"".join(venue.received).startswith(b"POST /order")


def test_what_must_not_leave_does_not(venue):
    def refuse():
        raise TooLate

    client = Client(refuse)
    with session_of(client) as session, pytest.raises(TooLate):
        session.post(venue.url, data="a=1")

    assert venue.received == []


def test_head_and_body_leave_in_one_piece(venue):
    with session_of(Client(lambda: None)) as session:
        session.post(venue.url, data="a=1")

    assert len(venue.received) == 1
    assert venue.received[0].endswith(b"\r\n\r\na=1")


def test_after_a_request_that_must_not_leave_the_next_one_leaves_whole(venue):
    answers = [TooLate()]

    def ask():
        if answers:
            raise answers.pop()

    client = Client(ask)
    with session_of(client) as session:
        with pytest.raises(TooLate):
            session.post(venue.url, data="a=1")
        assert session.post(venue.url, data="b=2").text == "ok"

    assert [text.partition(b"\r\n\r\n")[2] for text in venue.received] == [b"b=2"]


def test_a_session_that_was_closed_opens_its_connections_anew(venue):
    asked = []
    client = Client(lambda: asked.append(len(venue.received)))
    session = session_of(client)
    for _ in range(2):
        session.get(venue.url)
        session.close()

    assert asked == [0, 1]


def test_addresses_in_plenty_are_all_reached():
    venues = [Venue() for _ in range(12)]  # more than connections are kept to
    asked = []
    client = Client(lambda: asked.append(1))
    with session_of(client) as session:
        for _ in range(2):
            for each in venues:
                assert session.get(each.url).text == "ok"
    for each in venues:
        each.close()

    assert len(asked) == 24


def test_addresses_without_a_path_share_no_connection():
    door = LastDoor(Client(lambda: None))
    first, second = (
        door.get_connection_with_tls_context(
            SimpleNamespace(url=f"http://127.0.0.1:808{digit}"), verify=True
        )
        for digit in (1, 2)
    )

    assert (first.port, second.port) == (8081, 8082)


def test_each_request_of_a_connection_that_is_kept_asks(venue):
    asked = []
    client = Client(lambda: asked.append(len(venue.received)))
    with session_of(client) as session:
        for _ in range(3):
            session.get(venue.url)

    assert asked == [0, 1, 2]


def test_a_request_through_a_proxy_is_asked_before_its_connection(venue):
    asked = []
    client = Client(lambda: asked.append(venue.connected.is_set()))
    with session_of(client) as session:
        session.proxies = {"http": venue.url}
        session.get("http://elsewhere.invalid/order")

    assert asked == [False]


def test_after_its_client_is_gone_nothing_is_asked(venue):
    with session_of(Client(lambda: pytest.fail("asked"))) as session:
        assert session.get(venue.url).text == "ok"
