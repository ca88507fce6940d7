"""Which web pages may open a socket: our own, and those that the settings trust.

A browser sends the cookies of a person along with whatever page asks for the connection, and always
says which page that is. A program says nothing of that kind and is let through, without cookies.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import urlsplit

from channels.security.websocket import OriginValidator, WebsocketDenier
from django.conf import settings
from django.http.request import split_domain_port, validate_host

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

LOCAL_HOSTS: Final = (".localhost", "127.0.0.1", "[::1]")


class OwnOrigin(OriginValidator):  # type: ignore[misc]  # channels ships no type information
    """Refuses pages of other origins with status 403, before anything is accepted.

    Args:
        application: what comes next.
    """

    def __init__(self, application: Any) -> None:
        trusted = [*settings.CSRF_TRUSTED_ORIGINS, *settings.CORS_ALLOWED_ORIGINS]
        super().__init__(application, trusted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Let the connection through, or refuse it."""
        host, origin = header(scope, b"host"), header(scope, b"origin")
        if not _is_our_host(host) or not self._may_open(origin, host):
            return await WebsocketDenier()(scope, receive, send)
        if not origin:
            scope = {**scope, "headers": [row for row in scope["headers"] if row[0] != b"cookie"]}
        return await self.application(scope, receive, send)

    def _may_open(self, origin: str, host: str) -> bool:
        if not origin:
            return True
        try:
            parsed = urlsplit(origin)
            return parsed.netloc.lower() == host.lower() or bool(self.valid_origin(parsed))
        except ValueError:
            return False


def header(scope: Scope, name: bytes) -> str:
    """Return a header of a connection; empty if it has none.

    Args:
        scope: the connection.
        name: in small letters.
    """
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def _is_our_host(host: str) -> bool:
    domain, _port = split_domain_port(host)
    allowed = settings.ALLOWED_HOSTS or (LOCAL_HOSTS if settings.DEBUG else ())
    return bool(domain) and validate_host(domain, allowed)
