"""The one shape of every answer: ``{"code": 0, "msg": "success", "data": …}``."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

SUCCESS_CODE: Final = 0
SUCCESS_MESSAGE: Final = "success"


def error_envelope(code: int, msg: str, data: object = None) -> dict[str, object]:
    """Return the body of an answer that reports an error.

    Args:
        code: the error's public code, never 0.
        msg: a sentence for the reader, already translated.
        data: details, for instance ``{"fields": {...}}``.
    """
    return {"code": code, "msg": msg, "data": data}


class EnvelopeRenderer(JSONRenderer):
    """Puts what a view returns into the envelope; errors arrive here as envelopes already.

    A 204 has no body by definition and would break the rule that every answer is an envelope, so
    it becomes a 200 with ``data`` null. Every other status is kept as it is.
    """

    charset = "utf-8"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the envelope as JSON text."""
        response: Response | None = (renderer_context or {}).get("response")
        if response is None or not response.exception:
            data = {"code": SUCCESS_CODE, "msg": SUCCESS_MESSAGE, "data": data}
        if response is not None and response.status_code == HTTPStatus.NO_CONTENT:
            response.status_code = HTTPStatus.OK
        return super().render(data, accepted_media_type, renderer_context)


class LenientNegotiation(DefaultContentNegotiation):
    """Answers JSON also to a client that says it would rather have something else.

    A browser that opens an API address asks for HTML; a 406 would help nobody.
    """

    def select_renderer(
        self,
        request: Request,
        renderers: Any,
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        """Return the best renderer, or the first one if none is acceptable."""
        try:
            renderer, media_type = super().select_renderer(request, renderers, format_suffix)
        except NotAcceptable:
            renderer, media_type = renderers[0], renderers[0].media_type
        return renderer, media_type
