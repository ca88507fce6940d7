"""What serves WebSockets: origin, session, address, and the endpoint behind them."""

from typing import Any

from channels.auth import AuthMiddleware
from channels.routing import URLRouter
from channels.security.websocket import WebsocketDenier
from channels.sessions import CookieMiddleware, SessionMiddleware
from django.urls import path, re_path

from arbplatform.push.endpoint import Endpoint, FindUnknown, FindUntold
from arbplatform.push.hub import Hub, RegisterInterest
from arbplatform.push.origin import OwnOrigin


def push_application(
    *,
    register_interest: RegisterInterest,
    find_unknown: FindUnknown,
    find_untold: FindUntold = lambda _topics: (),
    hub: Hub | None = None,
) -> Any:
    """Return the ASGI application for connections of the type ``websocket``.

    Args:
        register_interest: told every few seconds which topics of markets clients watch.
        find_unknown: tells which markets do not exist.
        find_untold: tells which topics no stream of their venue tells.
        hub: all clients of the process; a new one by default.
    """
    endpoint: Any = Endpoint(
        hub or Hub(register_interest=register_interest),
        find_unknown=find_unknown,
        find_untold=find_untold,
    )
    routes = URLRouter(
        [
            path("ws", endpoint),
            path("ws/", endpoint),
            re_path("", WebsocketDenier.as_asgi()),
        ]
    )
    return OwnOrigin(CookieMiddleware(SessionMiddleware(AuthMiddleware(routes))))
