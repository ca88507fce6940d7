"""What ccxt has made ready is sent as the library itself would have sent it."""

import gzip
import socket
import threading

import pytest
import requests  # noqa: TID251  what the gateway's clients are made of

from markets.gateway import plain_session
from markets.gateway.plain_session import AnswerTooLarge, PlainSession

HEADERS = {"User-Agent": "python", "accept-encoding": "gzip", "X-MBX-APIKEY": "key"}
FORM = {**HEADERS, "Content-Type": "application/x-www-form-urlencoded"}
REQUESTS = [
    ("GET", "/api/v3/depth?symbol=BTCUSDT&limit=20", None, HEADERS),
    ("GET", "/api/v3/order?symbol=BTCUSDT&signature=0a%2Bb%3D", None, HEADERS),
    ("POST", "/api/v3/order", b"symbol=BTCUSDT&price=60000.5&signature=aa", FORM),
    ("POST", "/api/v5/trade/order", b'{"instId":"BTC-USDT"}', {"Content-Type": "application/json"}),
    ("POST", "/api/v3/userDataStream", None, HEADERS),
    ("POST", "/api/v3/userDataStream", "", HEADERS),
    ("DELETE", "/api/v3/order?symbol=BTCUSDT", None, HEADERS),
    ("PUT", "/api/v3/userDataStream", b"listenKey=a", None),
    ("POST", "/order", b"a=1", {"accept": "a/b", "x-nonce": "1", "X-Nonce": "2", "Accept": "c/d"}),
    ("GET", "/order", None, {"User-Agent": None, "X-Key": "a"}),
    # what the library would change is left to it
    ("GET", "/spaced path?name=a b|c", None, HEADERS),
    ("GET", "/kept%7Etilde?name=%41", None, HEADERS),
    ("POST", "/text", "a=1", HEADERS),
]
OK = b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"ok":true}'


class Venue:
    """Notes the bytes of each request and answers with the same."""

    def __init__(self, answer=OK):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.received = []
        self._answer = answer
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        try:
            while True:
                connection, _address = self._socket.accept()
                with connection:
                    self.received.append(self._read(connection))
                    connection.sendall(self._answer)
        except OSError:
            return  # closed

    def _read(self, connection):
        text = b""
        while b"\r\n\r\n" not in text:
            text += connection.recv(65_536)
        head, _, body = text.partition(b"\r\n\r\n")
        lengths = [
            line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
        ]
        while lengths and len(body) < int(lengths[0].split(b":")[1]):
            body += connection.recv(65_536)
        # the order of headers means nothing
        line, *headers = head.split(b"\r\n")
        return line, sorted(header.lower() for header in headers), body

    def close(self):
        self._socket.close()


@pytest.fixture
def open_venue():
    venues = []

    def make(*answer):
        venues.append(Venue(*answer))
        return venues[-1]

    yield make
    for venue in venues:
        venue.close()


def untrusting(session):
    session.trust_env = False
    return session


def call(session, method, url, data, headers, **options):
    with untrusting(session):
        return session.request(method, url, data=data, headers=headers, timeout=5, **options)


@pytest.mark.parametrize(("method", "path", "data", "headers"), REQUESTS)
def test_the_same_bytes_leave(open_venue, method, path, data, headers):
    venue = open_venue()

    ours = call(PlainSession(), method, venue.url + path, data, headers, proxies=None, files=None)
    theirs = call(requests.Session(), method, venue.url + path, data, headers)

    assert venue.received[0] == venue.received[1]
    assert ours.text == theirs.text == '{"ok":true}'
    assert (ours.status_code, ours.reason) == (200, "OK")


def test_what_is_ready_is_not_prepared_again(open_venue, monkeypatch):
    monkeypatch.setattr(PlainSession, "prepare_request", lambda *_args: pytest.fail("prepared"))

    assert call(PlainSession(), "POST", f"{open_venue().url}/order", b"a=1", FORM).ok


def test_a_redirect_is_an_error_and_is_not_followed(open_venue):
    elsewhere = open_venue()
    moved = f"HTTP/1.1 307 Moved\r\nLocation: {elsewhere.url}/\r\nContent-Length: 0\r\n\r\n"

    with pytest.raises(requests.TooManyRedirects):
        call(PlainSession(), "POST", f"{open_venue(moved.encode()).url}/order", b"a=1", FORM)

    assert elsewhere.received == []


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"", requests.ConnectionError),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{",
            requests.exceptions.ChunkedEncodingError,
        ),
    ],
)
def test_an_answer_that_breaks_off_is_the_librarys_error(open_venue, answer, expected):
    with pytest.raises(expected):
        call(PlainSession(), "GET", f"{open_venue(answer).url}/order", None, HEADERS)


def test_a_venue_that_is_not_there_is_the_librarys_error(open_venue):
    venue = open_venue()
    venue.close()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]

    with pytest.raises(requests.ConnectionError):
        call(PlainSession(), "GET", f"http://127.0.0.1:{port}/", None, HEADERS)


def test_through_a_proxy_the_library_goes_itself(open_venue):
    proxy = open_venue()

    call(
        PlainSession(), "GET", "http://venue.invalid/x", None, HEADERS, proxies={"http": proxy.url}
    )

    assert proxy.received[0][0] == b"GET http://venue.invalid/x HTTP/1.1"


def packed(size):
    body = gzip.compress(b"0" * size)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@pytest.mark.parametrize("path", ["/order", "/left to the library"])
def test_an_answer_is_unpacked_up_to_a_bound(open_venue, monkeypatch, path):
    monkeypatch.setattr(plain_session, "ANSWER_BYTES_MAX", 100_000)

    url = open_venue(packed(100_000)).url + path
    assert call(PlainSession(), "GET", url, None, HEADERS).content == b"0" * 100_000
    url = open_venue(packed(100_001)).url + path
    with pytest.raises(AnswerTooLarge):
        call(PlainSession(), "GET", url, None, HEADERS)
