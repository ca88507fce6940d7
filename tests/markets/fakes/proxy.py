"""A proxy that forwards to a venue until it is told to break an answer."""

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from tests.markets.fakes.server import Raw, Reply, Request, ScriptedServer


@contextmanager
def breakable(url: str) -> Iterator[ScriptedServer]:
    """Serve what ``url`` answers; ``misbehave`` on the server breaks the next answers.

    A request whose answer is broken is not forwarded.
    """
    target = urlsplit(url)

    def forward(request: Request) -> Reply:
        connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=10)
        try:
            headers = {k: v for k, v in request.headers.items() if k not in {"host", "connection"}}
            headers["accept-encoding"] = "identity"
            connection.request(
                request.method, request.target, request.body.encode() or None, headers
            )
            answer = connection.getresponse()
            return Reply(Raw(answer.read().decode()), answer.status)
        finally:
            connection.close()

    with ScriptedServer(forward).running() as server:
        yield server
