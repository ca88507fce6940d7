"""A real HTTP/1.1 server on the loopback address whose answers a test decides.

``ScriptedServer`` keeps connections open as venues do, notes every request, and can break the
next answers in every way that fault 5 knows (``Misbehaviour``).
"""

import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

HTML = "<html><head><title>Maintenance</title></head><body>We will be back soon</body></html>"
SLOW_S = 30.0


class Misbehaviour(StrEnum):
    """What can be wrong with an answer."""

    HTML_200 = "html_200"
    EMPTY_200 = "empty_200"
    BROKEN_JSON = "broken_json"
    WRONG_JSON = "wrong_json"
    JSON_NULL = "json_null"
    TRUNCATED = "truncated"
    HTML_503 = "html_503"
    EMPTY_502 = "empty_502"
    HTML_403 = "html_403"
    TIMEOUT = "timeout"
    RESET = "reset"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came over the wire."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: str
    target: str
    connection: int

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body, keep_blank_values=True))

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Raw(str):
    """JSON that is written already."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: ``data`` is sent as JSON, or as it is if it is ``Raw`` text."""

    data: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Respond = Callable[[Request], Reply]


class ScriptedServer:
    """Answers with ``respond``, after the misbehaviours that were asked for.

    Attributes:
        url: ``http://127.0.0.1:port``.
        requests: everything that came, in order.
    """

    def __init__(self, respond: Respond) -> None:
        self.respond = respond
        self.requests: list[Request] = []
        self.delay_s = 0.0
        self._misbehaviours: deque[tuple[Misbehaviour, str]] = deque()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.scripted = self
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    @contextmanager
    def running(self) -> Iterator["ScriptedServer"]:
        thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        thread.start()
        try:
            yield self
        finally:
            self._stopping.set()
            self._http.shutdown()
            self._http.server_close()
            thread.join(30)

    def misbehave(self, *kinds: Misbehaviour, at: str = "") -> None:
        """Break the next answers to requests whose path contains ``at``, one each."""
        with self._lock:
            self._misbehaviours.extend((kind, at) for kind in kinds)

    @property
    def has_misbehaved(self) -> bool:
        """Whether every misbehaviour that was asked for has met its request."""
        return not self._misbehaviours

    def hang_up(self) -> None:
        """Close every connection that is open, as venues do with those that are silent."""
        for connection in list(self._http.open):
            with suppress(OSError):  # it has gone by itself
                connection.shutdown(socket.SHUT_RDWR)

    @property
    def open_count(self) -> int:
        """Connections that are open."""
        return len(self._http.open)

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    def next_misbehaviour(self, path: str) -> Misbehaviour | None:
        with self._lock:
            for index, (kind, at) in enumerate(self._misbehaviours):
                if at in path:
                    del self._misbehaviours[index]
                    return kind
        return None

    def wait(self, seconds: float) -> None:
        self._stopping.wait(seconds)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    scripted: ScriptedServer
    connections = 0

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.open: set[socket.socket] = set()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.server.connections += 1
        self.number = self.server.connections
        self.server.open.add(self.connection)

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode()
        parts = urlsplit(self.path)
        request = Request(
            method=self.command,
            path=parts.path,
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
            target=self.path,
            connection=self.number,
        )
        scripted = self.server.scripted
        scripted.requests.append(request)
        if scripted.delay_s:
            time.sleep(scripted.delay_s)
        kind = scripted.next_misbehaviour(parts.path)
        if kind is not None:
            self._misbehave(kind)
            return
        reply = scripted.respond(request)
        is_raw = isinstance(reply.data, Raw)
        payload = reply.data if is_raw else json.dumps(reply.data, separators=(",", ":"))
        self._send(reply.status, payload, "application/json", reply.headers)

    def _misbehave(self, kind: Misbehaviour) -> None:
        html, plain = "text/html; charset=utf-8", "application/json"
        simple: dict[Misbehaviour, tuple[int, str, str]] = {
            Misbehaviour.HTML_200: (200, HTML, html),
            Misbehaviour.EMPTY_200: (200, "", plain),
            Misbehaviour.BROKEN_JSON: (200, '{"data": [{"id": 1', plain),
            Misbehaviour.WRONG_JSON: (200, '{"status": "maintenance"}', plain),
            Misbehaviour.JSON_NULL: (200, "null", plain),
            Misbehaviour.HTML_503: (503, HTML, html),
            Misbehaviour.EMPTY_502: (502, "", html),
            Misbehaviour.HTML_403: (403, HTML, html),
        }
        if kind in simple:
            self._send(*simple[kind], {})
            return
        self.close_connection = True
        if kind is Misbehaviour.TIMEOUT:
            self.server.scripted.wait(SLOW_S)
        elif kind is Misbehaviour.TRUNCATED:
            self.wfile.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                b'Content-Length: 1000\r\n\r\n{"data": [{"orderId": 12'
            )
            self.wfile.flush()
        elif kind is Misbehaviour.RESET:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def _send(self, status: int, text: str, kind: str, headers: Mapping[str, str]) -> None:
        payload = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(payload)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)

    def handle(self) -> None:
        with suppress(ConnectionError, ValueError, OSError):  # tests break connections on purpose
            super().handle()

    def finish(self) -> None:
        self.server.open.discard(self.connection)
        with suppress(ConnectionError, ValueError, OSError):
            super().finish()

    def log_message(self, *_arguments: Any) -> None:
        return
