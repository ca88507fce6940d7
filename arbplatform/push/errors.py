"""What can go wrong on a socket. Each ends up in an answer; some close the connection."""

from typing import ClassVar

from arbplatform.core.errors import (
    Denied,
    InvalidInput,
    LimitExceeded,
    NotFound,
    RateLimited,
    Unauthenticated,
)


class UnknownTopic(NotFound):
    """No topic has that name."""

    code = 1030
    summary = (
        "There is no topic {topic}. Topics are ticker:VENUE:SYMBOL, book:VENUE:SYMBOL, "
        "trades:VENUE:SYMBOL, kline:VENUE:SYMBOL:TIMEFRAME such as 1m, opportunities, "
        "executions, strategies and logs."
    )


class UnknownMarket(NotFound):
    """A topic names a market that is not traded here."""

    code = 1031
    summary = "No market {symbol} of the venue {venue} is known here. See /api/markets."


class TooManyTopics(LimitExceeded):
    """One connection wants too much."""

    code = 1032
    summary = (
        "One connection may have {limit} topics, {markets} of them markets. "
        "Unsubscribe from some first."
    )


class MalformedMessage(InvalidInput):
    """A message that nobody can read."""

    code = 1033
    summary = (
        'The message cannot be read: {cause}. Send one JSON object such as {{"op": "subscribe", '
        '"topics": ["executions"]}}.'
    )


class StaffTopic(Denied):
    """Only members of staff may have this topic."""

    code = 1034
    summary = "Only members of staff may subscribe to {topic}."


class UntoldTopic(InvalidInput):
    """The venue does not tell on a stream what a topic is about."""

    code = 1041
    summary = (
        "The venue {venue} does not stream {topic}. Read it from the API, or choose another "
        "timeframe or venue."
    )


class ClosingError:
    """Mixed into an error after which the connection is closed.

    Attributes:
        close_code: what the connection is closed with.
    """

    close_code: ClassVar[int]


class LoginMissing(ClosingError, Unauthenticated):
    """A connection without a session did not bring a token in time."""

    code = 1035
    close_code = 4401
    summary = (
        'Nobody is logged in. Send {{"op": "login", "token": "…"}} within {seconds} s, with a '
        "token from /api/auth/login, or connect from a page of the console."
    )


class SocketTokenInvalid(ClosingError, Unauthenticated):
    """The token is unknown, expired or revoked."""

    code = 1036
    close_code = 4401
    summary = "The token is unknown, expired or revoked. Get a new one from /api/auth/login."


class LoginEnded(ClosingError, Unauthenticated):
    """What the connection was opened with is not valid any more."""

    code = 1037
    close_code = 4401
    summary = "The session or token was ended. Log in again and connect anew."


class TooManyConnections(ClosingError, LimitExceeded):
    """The process, or the person, has as many connections as it may."""

    code = 1038
    close_code = 4429
    summary = "There are {limit} connections already. Close one, or try again later."


class TooManyMessages(ClosingError, RateLimited):
    """A client talks too much."""

    code = 1039
    close_code = 4429
    summary = "More than {limit} messages came in a second. Connect again and send fewer."


class TooSlow(ClosingError, LimitExceeded):
    """A client does not read what it is sent."""

    code = 1040
    close_code = 4408
    summary = (
        "Nothing was read for {seconds} s. Read faster or subscribe to fewer topics, "
        "then connect again."
    )
