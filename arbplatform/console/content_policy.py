"""The Content-Security-Policy of our pages: nothing is loaded from elsewhere.

Alpine, which the theme is built on, evaluates its attributes and so needs ``unsafe-eval``; the
theme writes its colours into a style element. Inline scripts are refused.
"""

from collections.abc import Callable
from typing import Final

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse

_BASE: Final = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self' data:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)


class ContentPolicyMiddleware:
    """Adds the policy to every answer that does not bring its own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request and add the header."""
        response = self._get_response(request)
        response.headers.setdefault("Content-Security-Policy", make_policy(request))
        return response


def make_policy(request: HttpRequest) -> str:
    """Return the policy of an answer: besides our own pages, our own socket may be opened.

    To older browsers ``'self'`` is no WebSocket of the same host.
    """
    try:
        host = request.get_host()
    except DisallowedHost:
        return f"{_BASE}; connect-src 'self'"
    return f"{_BASE}; connect-src 'self' ws://{host} wss://{host}"
