"""Turns every exception into an error envelope; the only module that knows HTTP statuses."""

import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from django.core import exceptions as django_errors
from django.db import DatabaseError, DataError, InterfaceError, OperationalError
from django.db.models import ProtectedError, RestrictedError
from django.http import Http404, UnreadablePostError
from django.utils.translation import gettext
from rest_framework import exceptions as drf
from rest_framework.response import Response

from arbplatform.api import errors
from arbplatform.api.envelope import EnvelopeRenderer, error_envelope
from arbplatform.core.errors import (
    ArbError,
    Bug,
    ChangedMeanwhile,
    Denied,
    ErrorKind,
    InvalidInput,
    NotAllowed,
    NotFound,
    RateLimited,
    Unauthenticated,
    Unavailable,
)
from arbplatform.wording import render

logger = logging.getLogger(__name__)

STATUS_OF_KIND: Mapping[ErrorKind, int] = {
    ErrorKind.INVALID: 400,
    ErrorKind.UNAUTHENTICATED: 401,
    ErrorKind.DENIED: 403,
    ErrorKind.NOT_FOUND: 404,
    ErrorKind.NOT_ALLOWED: 405,
    ErrorKind.CONFLICT: 409,
    ErrorKind.LIMIT_EXCEEDED: 422,
    ErrorKind.VENUE_REFUSED: 422,
    ErrorKind.RATE_LIMITED: 429,
    ErrorKind.BUG: 500,
    ErrorKind.OUTCOME_UNKNOWN: 502,
    ErrorKind.UNAVAILABLE: 503,
}

_STATUS_OF_CLASS: Mapping[type[ArbError], int] = {
    errors.UnsupportedContentType: 415,
    errors.BodyTooLarge: 413,
    ChangedMeanwhile: 412,
}

FIELD_MESSAGES_MAX = 100
"""Messages that one refusal carries: a list of a million wrong items gets a short answer."""

NO_FIELD = "non_field_errors"

Fields = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client is told about an error."""

    error: ArbError
    status: int
    fields: Fields = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def body(self) -> dict[str, object]:
        """The envelope, in the active language."""
        data = {"fields": self.fields} if self.fields else None
        return error_envelope(self.error.code, render(self.error.message), data)


def handle(exc: Exception, context: Mapping[str, Any]) -> Response:
    """Return the answer to ``exc``: DRF's ``EXCEPTION_HANDLER``.

    Errors are written in the envelope whatever format the view speaks.
    """
    request = context.get("request")
    if isinstance(exc, drf.UnsupportedMediaType):
        sent = getattr(request, "content_type", "") or gettext("(none)")
        exc = errors.UnsupportedContentType(content_type=sent)
    answer = explain(exc, path=getattr(request, "path", ""))
    if request is not None:
        request.accepted_renderer = EnvelopeRenderer()
        request.accepted_media_type = EnvelopeRenderer.media_type
    return Response(answer.body, status=answer.status, headers=answer.headers)


def explain(exc: Exception, *, path: str = "") -> Answer:
    """Return what to tell a client about ``exc``; what is unforeseen is logged under an id.

    Args:
        exc: anything that came out of a view.
        path: the address that was asked for, for messages and the log.
    """
    if isinstance(exc, ArbError):
        return _explain_own(exc, path)
    for kind, translate in _FOREIGN:
        if isinstance(exc, kind):
            return translate(exc, path)
    return report_bug(exc, path)


def report_bug(exc: BaseException | None, path: str) -> Answer:
    """Log an unforeseen exception under a random id, and return an answer that hides it."""
    error_id = secrets.token_hex(6)
    logger.error("Unforeseen error %s at %s", error_id, path, exc_info=exc or True)
    code = exc.code if isinstance(exc, Bug) else Bug.code
    return Answer(_hidden(code, error_id), 500)


def _hidden(code: int, error_id: str) -> Bug:
    error = Bug(error_id=error_id)
    error.code = code  # type: ignore[misc]  # a subclass's number with the hidden text
    return error


def status_of(error: type[ArbError]) -> int:
    """Return the HTTP status that goes with an error class."""
    for special, status in _STATUS_OF_CLASS.items():
        if issubclass(error, special):
            return status
    return STATUS_OF_KIND[error.kind]


def _explain_own(exc: ArbError, path: str) -> Answer:
    if exc.kind is ErrorKind.BUG:
        return report_bug(exc, path)
    fields: Fields = {}
    if isinstance(exc, InvalidInput):
        fields = {name: [render(text) for text in texts] for name, texts in exc.fields.items()}
    status = status_of(type(exc))
    headers = {"WWW-Authenticate": "Token"} if status == HTTPStatus.UNAUTHORIZED else {}
    return Answer(exc, status, fields, headers)


def _validation(exc: drf.ValidationError, path: str) -> Answer:
    return Answer(InvalidInput(), 400, flatten(exc.detail))


def _model_validation(exc: django_errors.ValidationError, path: str) -> Answer:
    detail = exc.message_dict if hasattr(exc, "error_dict") else exc.messages
    return Answer(InvalidInput(), 400, flatten(detail))


def flatten(detail: object) -> Fields:
    """Return nested error details as dotted field names with their messages.

    A position in a list becomes a part of the name: ``accounts.0``.
    """
    found: Fields = {}
    pending: list[tuple[str, object]] = [("", detail)]
    count = 0
    while pending and count < FIELD_MESSAGES_MAX:
        name, value = pending.pop(0)
        if isinstance(value, Mapping):
            pending.extend((_join(name, str(key)), child) for key, child in value.items())
        elif isinstance(value, list | tuple) and any(
            isinstance(child, Mapping | list | tuple) for child in value
        ):
            pending.extend((_join(name, str(i)), child) for i, child in enumerate(value) if child)
        else:
            texts = value if isinstance(value, list | tuple) else [value]
            found.setdefault(name or NO_FIELD, []).extend(map(str, texts))
            count += len(texts)
    return found


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _parse_error(exc: drf.ParseError, path: str) -> Answer:
    return Answer(errors.MalformedBody(cause=str(exc.detail)), 400)


def _unauthenticated(exc: drf.APIException, path: str) -> Answer:
    error = (
        errors.InvalidToken() if isinstance(exc, drf.AuthenticationFailed) else Unauthenticated()
    )
    return Answer(error, 401, headers={"WWW-Authenticate": "Token"})


def _denied(exc: Exception, path: str) -> Answer:
    is_csrf = isinstance(exc, drf.PermissionDenied) and str(exc.detail).startswith("CSRF")
    return Answer(errors.CsrfFailed() if is_csrf else Denied(), 403)


def _not_found(exc: Exception, path: str) -> Answer:
    return Answer(NotFound(), 404)


def _throttled(exc: drf.Throttled, path: str) -> Answer:
    wait_s = getattr(exc, "wait", None)
    headers = {} if wait_s is None else {"Retry-After": str(int(wait_s))}
    return Answer(RateLimited(), 429, headers=headers)


def _method(exc: drf.MethodNotAllowed, path: str) -> Answer:
    return Answer(NotAllowed(), 405)


def _referenced(exc: ProtectedError | RestrictedError, path: str) -> Answer:
    rows = exc.protected_objects if isinstance(exc, ProtectedError) else exc.restricted_objects
    users = ", ".join(sorted({str(row._meta.verbose_name_plural) for row in rows}))
    return Answer(errors.StillReferenced(users=users), 409)


def _too_large(exc: Exception, path: str) -> Answer:
    return _explain_own(errors.BodyTooLarge(), path)


def _suspicious(exc: Exception, path: str) -> Answer:
    return Answer(InvalidInput("The request is not well formed."), 400)


def _unreadable(exc: Exception, path: str) -> Answer:
    return Answer(errors.MalformedBody(cause=gettext("the connection was cut")), 400)


def _database_down(exc: DatabaseError, path: str) -> Answer:
    logger.error("The database did not answer at %s", path, exc_info=exc)
    return Answer(Unavailable(), 503)


def _unstorable(exc: DataError, path: str) -> Answer:
    logger.warning("The database does not take a value at %s: %s", path, exc)
    return Answer(InvalidInput("A value is outside of what can be stored."), 400)


def _other_api_error(exc: drf.APIException, path: str) -> Answer:
    if exc.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return report_bug(exc, path)
    return Answer(InvalidInput(), exc.status_code, flatten(exc.detail))


# The first match counts: subclasses stand before their bases.
_FOREIGN: tuple[tuple[Any, Callable[[Any, str], Answer]], ...] = (
    (drf.ValidationError, _validation),
    (drf.ParseError, _parse_error),
    ((drf.NotAuthenticated, drf.AuthenticationFailed), _unauthenticated),
    ((drf.PermissionDenied, django_errors.PermissionDenied), _denied),
    ((drf.NotFound, Http404, django_errors.ObjectDoesNotExist), _not_found),
    (drf.Throttled, _throttled),
    (drf.MethodNotAllowed, _method),
    (drf.APIException, _other_api_error),
    (django_errors.ValidationError, _model_validation),
    ((ProtectedError, RestrictedError), _referenced),
    ((django_errors.RequestDataTooBig, django_errors.TooManyFieldsSent), _too_large),
    (django_errors.SuspiciousOperation, _suspicious),
    (UnreadablePostError, _unreadable),
    (DataError, _unstorable),
    ((OperationalError, InterfaceError), _database_down),
)
