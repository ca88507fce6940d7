"""Channels whose messages go nowhere, and a service that takes them over HTTP."""

import json
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from arbplatform.core.errors import Message
from arbplatform.notices.channels import create_channel
from arbplatform.notices.delivering import deliver_due
from arbplatform.notices.errors import NoticeRefused
from arbplatform.notices.models import NoticeChannel
from arbplatform.notices.raising import keep_alarms
from arbplatform.notices.rules import Condition, Severity
from tests.accounts.conftest import commit  # noqa: F401  a fixture is found by its name

ADDRESS = "https://hooks.example.org/PLANTEDTOKEN0123456789"


class Postman:
    """Takes letters, or refuses those to some addresses.

    Attributes:
        letters: address and letter of every one that was taken.
        attempts: addresses of all attempts.
        broken: addresses whose service refuses.
    """

    def __init__(self):
        self.letters = []
        self.attempts = []
        self.broken = set()

    def __call__(self, *, address, letter):
        self.attempts.append(address)
        if address in self.broken:
            raise NoticeRefused(status=500, answer="-")
        self.letters.append((address, letter))

    def take(self):
        """Return the texts that came since the last time."""
        texts = [letter.text.splitlines()[1:] for _address, letter in self.letters]
        self.letters.clear()
        return texts


Answer = tuple[int | None, str, dict[str, str]]
"""Status, body and headers; without a status the connection is closed."""
OK: Answer = (200, "ok", {})


class Service:
    """A chat service on this machine.

    Attributes:
        url: of its webhook.
        answers: status and body of the next ones; after them it takes everything.
        requests: path and body of each request that came.
    """

    def __init__(self):
        self.answers: deque[Answer] = deque()
        self.requests: list[tuple[str, Any]] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                service.requests.append((self.path, json.loads(body)))
                status, text, headers = service.answers.popleft() if service.answers else OK
                if status is None:
                    self.close_connection = True
                    return
                data = text.encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook/PLANTEDTOKEN0123456789"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def answer(self, status, text="", **headers):
        self.answers.append((status, text, headers))

    def stop(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def postman():
    return Postman()


@pytest.fixture
def service(settings):
    settings.NOTICES_PRIVATE = True
    made = Service()
    yield made
    made.stop()


@pytest.fixture
def add(db, clock):
    """Add a channel without a sign of life, in English."""

    def add(name="first", address=ADDRESS, **values):
        given = {"language": "en", "heartbeat_at": None, **values}
        return create_channel(name=name, address=address, clock=clock, **given)

    return add


def condition(key="kill", severity=Severity.CRITICAL, text="Trading is halted.", **values):
    return Condition(key, severity, Message(text), **values)


@pytest.fixture
def look(db, clock):
    """Look after the platform: these conditions are all that is wrong, and this has happened."""

    def look(*conditions, incidents=()):
        keep_alarms(conditions=conditions, incidents=list(incidents), clock=clock)

    return look


@pytest.fixture
def deliver(clock, postman):
    """Send what is due, some seconds later."""

    def deliver(after_s=0):
        clock.advance_ms(after_s * 1000)
        deliver_due(bring=postman, clock=clock)
        return postman.take()

    return deliver


def reload(channel):
    return NoticeChannel.objects.get(pk=channel.pk)
