"""A body that is too long is refused before it is written anywhere."""

import asyncio
import json

import pytest
from django.test import override_settings

from arbplatform.api.body_limit import BodyLimit
from arbplatform.api.errors import BodyTooLarge
from arbplatform.asgi import http

MAX = 1_000


class Line:
    """A client that sends a body in pieces, and what it is answered."""

    def __init__(self, pieces, *, path="/api/auth/login", headers=()):
        self.scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "query_string": b"",
            "headers": [(b"host", b"testserver"), (b"content-type", b"application/json"), *headers],
        }
        self.pieces = list(pieces)
        self.taken = 0
        self.sent = []

    async def receive(self):
        if not self.pieces:
            await asyncio.Event().wait()  # nothing more comes, and nobody hangs up
        self.taken += 1
        body = self.pieces.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(self.pieces)}

    async def send(self, event):
        self.sent.append(event)

    def ask(self, application):
        asyncio.run(application(self.scope, self.receive, self.send))
        start, *rest = self.sent
        self.headers = dict(start["headers"])
        self.body = b"".join(event["body"] for event in rest)
        return start["status"]


async def count(scope, receive, send):
    """Answer how long the body was."""
    length, is_more = 0, True
    while is_more:
        event = await receive()
        if event["type"] == "http.disconnect":
            return
        length += len(event["body"])
        is_more = event["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(length).encode()})


LIMITED = BodyLimit(count, bytes_max=MAX)


@pytest.mark.parametrize("pieces", [[b""], [b"x" * MAX], [b"x" * 400, b"x" * 600]])
def test_what_is_short_enough_passes(pieces):
    line = Line(pieces, headers=[(b"content-length", b"1000")])

    assert (line.ask(LIMITED), int(line.body)) == (200, sum(map(len, pieces)))


def test_what_grows_too_long_is_read_no_further():
    line = Line([b"x" * 600] * 1_000)

    assert (line.ask(LIMITED), line.taken) == (413, 2)


@pytest.mark.parametrize("length", [b"1001", b"9" * 5_000])
def test_what_says_that_it_is_too_long_is_not_read_at_all(length):
    line = Line([b"x"], headers=[(b"content-length", length)])

    assert (line.ask(LIMITED), line.taken) == (413, 0)


@pytest.mark.parametrize(
    ("language", "start"), [(b"en", "The request is larger"), (b"zh-hans", "请求")]
)
def test_the_refusal_comes_in_the_envelope_and_ends_the_connection(language, start):
    line = Line([b"x" * 1_001], headers=[(b"accept-language", language)])

    line.ask(LIMITED)

    answer = json.loads(line.body)
    assert (answer["code"], answer["data"]) == (BodyTooLarge.code, None)
    assert answer["msg"].startswith(start)
    assert line.headers[b"content-type"] == b"application/json"
    assert line.headers[b"content-length"] == str(len(line.body)).encode()
    assert line.headers[b"connection"] == b"close"


@override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=MAX)
def test_django_itself_would_read_it_all():
    pieces = [b"x" * 600] * 100
    unlimited, limited = Line(pieces, path="/api/nothing"), Line(pieces, path="/api/nothing")

    assert (unlimited.ask(http), unlimited.taken) == (404, 100)
    assert (limited.ask(BodyLimit(http)), limited.taken) == (413, 2)
