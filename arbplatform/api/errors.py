"""What can go wrong between the wire and a view."""

from arbplatform.core.errors import (
    Conflict,
    Denied,
    InvalidInput,
    LimitExceeded,
    NotAllowed,
    NotFound,
    RateLimited,
    Unauthenticated,
)


class MalformedBody(InvalidInput):
    """The body is not JSON, or not JSON that can be stored."""

    code = 1012
    summary = "The body is not valid JSON: {cause}. Send one JSON object, encoded as UTF-8."


class UnsupportedContentType(NotAllowed):
    """The body is of a type that this address does not read."""

    code = 1013
    summary = "The content type {content_type} is not read here. Send application/json."


class LoginFailed(Unauthenticated):
    """Name and password do not belong together; which of the two is wrong stays unsaid."""

    code = 1014
    summary = "User name or password is wrong. After {limit} failures in a row login is locked."


class LoginLocked(RateLimited):
    """Too many failures: not even the right password is looked at for a while."""

    code = 1015
    summary = (
        "Login is locked after too many failures, also with the right password. "
        "Try again in {minutes} minutes, or ask an administrator to lift the lock."
    )


class CsrfFailed(Denied):
    """A session request without the token that proves that it came from our own pages."""

    code = 1016
    summary = (
        "The CSRF token is missing or wrong. Reload the page and try again; "
        "programs should use a token from /api/auth/login."
    )


class InvalidToken(Unauthenticated):
    """The token is unknown, expired or revoked."""

    code = 1017
    summary = "The token is unknown, expired or revoked. Get a new one from /api/auth/login."


class UnknownAddress(NotFound):
    """No view answers at this address."""

    code = 1018
    summary = "There is nothing at {path}. See /api/docs for the addresses there are."


class BodyTooLarge(LimitExceeded):
    """The request is larger than the platform reads."""

    code = 1019
    summary = "The request is larger than this address reads. Send less at once."


class StillReferenced(Conflict):
    """Other rows depend on the one that was to be deleted."""

    code = 1020
    summary = "This is still in use by {users} and cannot be deleted."


class KeyReused(Conflict):
    """One name for two requests: which of them is meant?"""

    code = 1022
    summary = (
        "This Idempotency-Key already names another request to this address. "
        "Nothing was done; use a new key for a new request."
    )


class StillCarriedOut(Conflict):
    """The first of several requests with one name has not been answered yet."""

    code = 1023
    summary = (
        "A request with this Idempotency-Key is being carried out. Nothing was done twice; "
        "send it again in a few seconds to get its answer."
    )


class AnswerUnknown(Conflict):
    """A request was begun, and its answer was lost or too long to be kept."""

    code = 1024
    summary = (
        "A request with this Idempotency-Key was begun before, and its answer is not known. "
        "Look at what became of it; only then send it again, with a new key."
    )
