"""Requests of bounded length, before anybody has looked who sends them.

Under ASGI Django writes a body of any length to the disk first and measures it afterwards. A
stranger could fill the disk, and a full disk ends trading.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from io import BytesIO
from typing import Any, Final

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.utils import translation

from arbplatform.api.errors import BodyTooLarge
from arbplatform.api.exception_handler import explain
from arbplatform.api.handlers import to_response

DIGITS_MAX: Final = 20
"""Of a length; so many are too many bytes in any case."""

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Application = Callable[..., Awaitable[None]]
HUNG_UP: Final = {"type": "http.disconnect"}


class BodyLimit:
    """An ASGI application that answers requests that are too long itself.

    Args:
        application: answers the others; it reads the body before it begins to answer.
        bytes_max: of a body [bytes].
    """

    def __init__(self, application: Application, *, bytes_max: int | None = None) -> None:
        self._application = application
        self._bytes_max = settings.DATA_UPLOAD_MAX_MEMORY_SIZE if bytes_max is None else bytes_max

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if _announced(scope) > self._bytes_max:
            await _refuse(scope, send)
            return
        count = 0

        async def receive_some() -> Event:
            nonlocal count
            event = await receive()
            count += len(event.get("body", b""))
            return event if count <= self._bytes_max else {**HUNG_UP}

        await self._application(scope, receive_some, send)
        if count > self._bytes_max:
            await _refuse(scope, send)


def _announced(scope: Event) -> int:
    """Return how long the client says that the body is [bytes]; 0 when it does not say."""
    for name, value in scope.get("headers", ()):
        if name == b"content-length" and value.isdigit():
            return int(value[:DIGITS_MAX])
    return 0


async def _refuse(scope: Event, send: Send) -> None:
    """Say that it is too long, and hang up: the rest is not read."""
    request = ASGIRequest(scope, BytesIO())
    with translation.override(translation.get_language_from_request(request)):
        answer = to_response(explain(BodyTooLarge(), path=request.path))
    headers = {**answer.headers, "Connection": "close", "Content-Length": str(len(answer.content))}
    await send(
        {
            "type": "http.response.start",
            "status": answer.status_code,
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        }
    )
    await send({"type": "http.response.body", "body": answer.content})
