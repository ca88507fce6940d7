"""``Idempotency-Key``: a write that is sent again is answered again, not carried out again.

A client that got no answer does not know whether it was heard. Names it its request, it may send it
as often as it likes: the first one is carried out, the others get its answer.
"""

import logging
import re
from collections.abc import Callable
from typing import Any, Final

from django.contrib.auth.models import AbstractBaseUser
from django.db import DatabaseError, InterfaceError
from django.http import HttpResponse
from django.http.request import RawPostDataException
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from arbplatform.api.answers import Sent, claim, keep
from arbplatform.api.models import KeptAnswer
from arbplatform.api.parameters import put_before
from arbplatform.core.errors import InvalidInput, Message

logger = logging.getLogger(__name__)

HEADER: Final = "Idempotency-Key"
REPLAYED_HEADER: Final = "Idempotent-Replayed"
OWN_KEYS: Final = "has_own_keys"
"""Attribute of a view whose service names requests itself."""
_WRITES: Final = ("post", "put", "patch", "delete")
_KEY: Final = re.compile(r"[\x21-\x7e]{1,64}")


class _AnsweredBefore(Exception):
    """Ends a request that was carried out before."""

    def __init__(self, kept: KeptAnswer) -> None:
        self.kept = kept
        super().__init__()


class AnswersOnce(APIView):
    """Stands in front of a view and carries out a named write once."""

    takes_keys = True
    _claimed: KeptAnswer | None = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Let in who may come in; then claim the request, if it has a name."""
        super().initial(request, *args, **kwargs)
        sent = _read(request)
        if sent is None:
            return
        kept, is_new = claim(sent)
        if not is_new:
            raise _AnsweredBefore(kept)
        self._claimed = kept

    def handle_exception(self, exc: Exception) -> Response:
        """Answer again what was answered before."""
        if isinstance(exc, _AnsweredBefore):
            return _replay(exc.kept)  # type: ignore[return-value]  # DRF passes it on as it is
        return super().handle_exception(exc)

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        """Keep the answer.

        It is rendered here and not when it is sent: to a client that has hung up, which is just
        the one that will ask again, nothing is sent.
        """
        response = super().finalize_response(request, response, *args, **kwargs)
        if self._claimed is not None:
            response.render()
            _keep(self._claimed, response)
        return response


def once(view: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``view``, with named writes carried out once.

    Args:
        view: what ``as_view()`` returned; other functions, views that only read, and those whose
            services take keys themselves are returned as they are.
    """
    cls = getattr(view, "cls", None)
    if cls is None or getattr(cls, OWN_KEYS, False) or not any(hasattr(cls, w) for w in _WRITES):
        return view
    return put_before(AnswersOnce, view)


def _read(request: Request) -> Sent | None:
    """Return the request if it is a write with a name.

    Raises:
        InvalidInput: the name cannot be one.
    """
    key = request.headers.get(HEADER)
    user = request.user
    method = request.method or ""
    if key is None or method in SAFE_METHODS or not isinstance(user, AbstractBaseUser):
        return None
    if not _KEY.fullmatch(key):
        complaint = Message("Use 1 to 64 printable ASCII characters without spaces.")
        raise InvalidInput(fields={HEADER: [complaint]})
    content = _read_body(request)  # no write reads anything from its address
    return Sent(user=user, method=method, path=request.path.rstrip("/"), key=key, content=content)


def _read_body(request: Request) -> bytes:
    """Return the bytes of the body, not what they mean."""
    try:
        return request._request.body  # noqa: SLF001
    except RawPostDataException:
        # the CSRF check has read a form already; no view takes one
        return b""


def _replay(kept: KeptAnswer) -> HttpResponse:
    return HttpResponse(
        kept.body,
        status=kept.status,
        content_type="application/json; charset=utf-8",
        headers={REPLAYED_HEADER: "true"},
    )


def _keep(kept: KeptAnswer, response: Response) -> None:
    try:
        keep(kept, status=response.status_code, body=response.content.decode())
    except (DatabaseError, InterfaceError):
        # what was done is done, and its sender shall know; asked again, we say we do not know
        logger.exception("An answer could not be kept.")
