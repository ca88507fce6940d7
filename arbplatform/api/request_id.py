"""Gives every request an id that its log lines and its answer carry."""

import re
import secrets
from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse

from arbplatform.logs import request_id

HEADER: Final = "X-Request-ID"
_ACCEPTED: Final = re.compile(r"[\w.-]{1,64}", re.ASCII)


class RequestIdMiddleware:
    """Takes over the id that a proxy sent, or makes one up."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request under its id."""
        sent = request.headers.get(HEADER, "")
        chosen = sent if _ACCEPTED.fullmatch(sent) else secrets.token_hex(8)
        token = request_id.set(chosen)
        try:
            response = self._get_response(request)
        finally:
            request_id.reset(token)
        response[HEADER] = chosen
        return response
