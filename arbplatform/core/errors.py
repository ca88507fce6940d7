"""The root of every error that the platform raises on purpose.

An error class carries a public, never reused ``code`` and a ``kind``; the message is an English
template with named placeholders, so that the edge can translate it before it is filled in.
Nothing here knows HTTP: ``arbplatform.api.exception_handler`` maps kinds to statuses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar


class ErrorKind(StrEnum):
    """How a caller should react to an error."""

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    DENIED = "denied"
    NOT_FOUND = "not_found"
    NOT_ALLOWED = "not_allowed"
    CONFLICT = "conflict"
    LIMIT_EXCEEDED = "limit_exceeded"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    VENUE_REFUSED = "venue_refused"
    OUTCOME_UNKNOWN = "outcome_unknown"
    BUG = "bug"


@dataclass(frozen=True, slots=True)
class Message:
    """A sentence for a person: an English template and the values for its placeholders.

    Attributes:
        template: ``str.format`` template in English, also the translation key.
        context: values of the named placeholders; never secrets.
    """

    template: str
    context: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the sentence in English."""
        return self.template.format(**self.context) if self.context else self.template


class ArbError(Exception):
    """Base class of the platform's own errors.

    Args:
        template: sentence that says what happened and what to do; defaults to the class summary.
        context: values of the placeholders in ``template``.
    """

    code: ClassVar[int] = 1000
    kind: ClassVar[ErrorKind] = ErrorKind.INVALID
    summary: ClassVar[str] = "The request could not be carried out."

    def __init__(self, template: str = "", /, **context: object) -> None:
        self.message = Message(template or self.summary, context)
        super().__init__(str(self.message))


class InvalidInput(ArbError):
    """Input that no state of the world would make acceptable.

    ``fields`` maps a dotted field name (``params.symbols``) to what is wrong with it.
    """

    code = 1001
    summary = "The input is not valid. Correct the named fields and send it again."

    def __init__(
        self,
        template: str = "",
        /,
        *,
        fields: Mapping[str, Sequence[Message]] | None = None,
        **context: object,
    ) -> None:
        super().__init__(template, **context)
        self.fields: Mapping[str, Sequence[Message]] = fields or {}


class NotFound(ArbError):
    """The named thing does not exist, or not any more."""

    code = 1002
    kind = ErrorKind.NOT_FOUND
    summary = "Nothing was found under that name or id. List what there is and choose from it."


class Conflict(ArbError):
    """The world is in a state that forbids the request."""

    code = 1003
    kind = ErrorKind.CONFLICT
    summary = "The request does not fit the present state. Reload and decide again."


class IllegalTransition(Conflict):
    """A state machine has no such edge."""

    code = 1004
    summary = "This is not possible in the present state."


class ChangedMeanwhile(Conflict):
    """Somebody else has changed what was to be changed: which of the two is meant to last?"""

    code = 1025
    summary = (
        "This was changed since you read it. Nothing was saved; read it again and decide anew."
    )


class Denied(ArbError):
    """The caller is known but may not do this."""

    code = 1005
    kind = ErrorKind.DENIED
    summary = "You may not do this. Ask an administrator for the permission."


class LimitExceeded(ArbError):
    """A configured bound would be passed."""

    code = 1006
    kind = ErrorKind.LIMIT_EXCEEDED
    summary = "A limit would be exceeded. Ask for less, or raise the limit."


class Unavailable(ArbError):
    """A part of the platform cannot be reached now; nothing was changed."""

    code = 1007
    kind = ErrorKind.UNAVAILABLE
    summary = "A needed service is not available. Nothing was changed; try again later."


class RateLimited(ArbError):
    """The caller asks too often."""

    code = 1008
    kind = ErrorKind.RATE_LIMITED
    summary = "Too many requests. Wait a moment and try again."


class Unauthenticated(ArbError):
    """The caller did not say who they are, or could not prove it."""

    code = 1009
    kind = ErrorKind.UNAUTHENTICATED
    summary = "Log in first: the request carries no valid session or token."


class NotAllowed(ArbError):
    """The address exists but does not take this kind of request."""

    code = 1010
    kind = ErrorKind.NOT_ALLOWED
    summary = "This address does not take this method or content type."


class Bug(ArbError):
    """Something that cannot happen happened; the details are in the log under an id."""

    code = 9000
    kind = ErrorKind.BUG
    summary = (
        "An internal error occurred and was logged. Quote the id {error_id} when you report it."
    )
