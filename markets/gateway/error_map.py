"""Translates whatever a call to a venue raised into one of our errors, by its effect.

For a read, everything that is not a definite answer is ``VenueUnavailable``. For a write,
everything that is not a definite refusal is ``OutcomeUnknown``: the venue's own code decides
first, the ccxt class second, because one class stands for both kinds on different venues.
"""

import json
import re
import traceback
from collections.abc import Collection, Mapping
from enum import StrEnum
from pathlib import PurePath

import ccxt

from arbplatform.core import masking
from arbplatform.core.errors import Message
from arbplatform.core.masking import MASK
from arbplatform.core.texts import phrase
from markets.errors import (
    AnswerUnreadable,
    DuplicateClientId,
    InsufficientFunds,
    NotFillable,
    NotSupportedByVenue,
    OrderAbsent,
    OrderTooLate,
    OutcomeUnknown,
    VenueAuthFailed,
    VenueClosed,
    VenueError,
    VenueRateLimited,
    VenueRejected,
    VenueUnavailable,
    WouldTake,
)
from markets.gateway.quirks import COMMON, Quirks

CAUSE_LENGTH_MAX = 240
TEXT_LENGTH_MAX = 4_000
"""Characters of an exception's text that are looked at: a venue may answer with a whole page."""

PLACE_FRAMES_MAX = 3
"""Innermost frames that name the place of a bug."""

SECRET_LENGTH_MIN = 4
"""Shorter ones would blacken half the alphabet and protect nothing."""


class Effect(StrEnum):
    """What a call may have changed at the venue."""

    READ = "read"
    LOOKUP = "lookup"
    """A read that tells what became of an order."""
    WRITE = "write"
    CANCEL = "cancel"
    """A write after which "there is no such order" is an answer."""


READS = frozenset({Effect.READ, Effect.LOOKUP})
"""Calls that change nothing."""


class TooLate(ccxt.BaseError):  # type: ignore[misc]  # ccxt has no types
    """An order that waited too long for its turn, or must not leave any more; it was not sent."""

    def __init__(self) -> None:
        super().__init__("the order came too late to be sent")


class Malformed(Exception):
    """An answer that came without an exception but is not what was asked for.

    Args:
        cause: what is wrong with it.
    """

    def __init__(self, cause: Message) -> None:
        self.cause = cause
        super().__init__(str(cause))


def translate(
    error: BaseException,
    effect: Effect,
    venue: str,
    *,
    was_sent: bool = True,
    quirks: Quirks = COMMON,
    known_codes: Mapping[str, type[BaseException]] | None = None,
    secrets: Collection[str] = (),
) -> VenueError:
    """Return our error for one that a call to a venue raised.

    Args:
        error: what was raised; any class.
        effect: what the call may have changed.
        venue: code of the venue.
        was_sent: whether any request of the call may have reached the venue.
        quirks: what is special about the venue's class.
        known_codes: the class's own table from venue codes to ccxt classes.
        secrets: texts that must not appear in the message.
    """
    text = redact(str(error), secrets)
    code = _code_of(error, text)
    is_ours = not isinstance(error, ccxt.BaseError | Malformed)
    # Once it trusts a key, ccxt reads a refusal of it as "too many requests" (fault 40).
    is_masked = isinstance(error, ccxt.DDoSProtection)
    kind = (known_codes or {}).get(code, type(error)) if is_masked else type(error)
    if effect in READS and (was_sent or not is_ours):
        target = _of_read(error, kind, code, quirks)
    elif not was_sent:
        target = _of_unsent(error)
    else:
        target = _of_write(
            error,
            kind,
            code,
            text,
            effect=effect,
            quirks=quirks,
            is_listed=_is_listed(error, code, known_codes),
        )
    if is_ours:
        if target is OutcomeUnknown:
            return unreadable(error, venue)
        return target(venue=venue, cause=_cause_of_bug(error, was_sent=was_sent))
    return target(venue=venue, cause=_cause_of(error, text, code, secrets))


def unreadable(error: BaseException, venue: str) -> AnswerUnreadable:
    """Return our error for a bug that struck after a write may have left.

    It names the place, so that it can be reported, and nothing of what was being read.
    """
    frames = traceback.extract_tb(error.__traceback__)[-PLACE_FRAMES_MAX:]
    place = " < ".join(
        f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames)
    )
    return AnswerUnreadable(venue=venue, error=type(error).__name__, place=place)


def is_clock_refusal(error: BaseException, quirks: Quirks) -> bool:
    """Return whether a request was refused for nothing but its time stamp or nonce."""
    return code_of(error) in quirks.clock_codes


def code_of(error: BaseException) -> str:
    """Return the venue's own code that an error carries, or nothing."""
    return _code_of(error, str(error)[:TEXT_LENGTH_MAX])


def redact(text: str, secrets: Collection[str] = ()) -> str:
    """Return ``text``, cut, without the given secrets, query strings and what looks secret."""
    for secret in secrets:
        if len(secret) >= SECRET_LENGTH_MIN:
            text = text.replace(secret, MASK)
    return masking.redact(_QUERY.sub(r"\1", text[:TEXT_LENGTH_MAX]))


_QUERY = re.compile(r"((?:https?|wss?)://[^\s?\"']+)\?[^\s\"']*", re.IGNORECASE)
_CODE_KEYS = "sCode|retCode|ret_code|err_code|errCode|error_code|errorCode|err-code|label|code"
_CODES = tuple(
    re.compile(rf'"{key}"\s*:\s*"?(-?[\w.]+)"?', re.ASCII) for key in _CODE_KEYS.split("|")
)
_ERROR_LIST = re.compile(r'"errors?"\s*:\s*\[\s*"([^"]{1,100})"')
_WORD_KEYS = "sMsg|retMsg|ret_msg|err-msg|error_message|error_description|message|msg|detail"
_WORDS = tuple(re.compile(rf'"{key}"\s*:\s*("(?:[^"\\]|\\.)+")') for key in _WORD_KEYS.split("|"))
_TAG = re.compile(r"<[^>]*>?")
_DUPLICATE = re.compile(r"duplicat\w*|already (?:exist|used)\w*|used before", re.IGNORECASE)

_Target = type[VenueError]

_READ_TARGETS: tuple[tuple[type[BaseException], _Target], ...] = (
    (ccxt.AuthenticationError, VenueAuthFailed),
    (ccxt.RateLimitExceeded, VenueRateLimited),
    (ccxt.DDoSProtection, VenueRateLimited),
    (ccxt.OrderNotFound, OrderAbsent),
    (ccxt.OrderNotCached, OrderAbsent),
    (ccxt.InsufficientFunds, InsufficientFunds),
    (ccxt.NotSupported, NotSupportedByVenue),
    (ccxt.DuplicateOrderId, DuplicateClientId),
    (ccxt.InvalidProxySettings, VenueUnavailable),
    (ccxt.ExchangeClosedByUser, VenueUnavailable),
    (ccxt.ArgumentsRequired, VenueRejected),
    (ccxt.BadRequest, VenueRejected),
    (ccxt.OperationRejected, VenueRejected),
    (ccxt.InvalidOrder, VenueRejected),
)

_UNSENT_TARGETS: tuple[tuple[type[BaseException], _Target], ...] = (
    (TooLate, OrderTooLate),
    (ccxt.AuthenticationError, VenueAuthFailed),
    (ccxt.RateLimitExceeded, VenueRateLimited),
    (ccxt.DDoSProtection, VenueRateLimited),
    (ccxt.InsufficientFunds, InsufficientFunds),
    (ccxt.NotSupported, NotSupportedByVenue),
    (ccxt.InvalidProxySettings, VenueUnavailable),
    (ccxt.ExchangeClosedByUser, VenueUnavailable),
    (ccxt.OperationFailed, VenueUnavailable),
    (Malformed, VenueUnavailable),
)
"""Nothing left this machine, so even a bug of ours is a definite "it does not exist there"."""

_WRITE_TARGETS: tuple[tuple[type[BaseException], _Target, bool], ...] = (
    # class, our error, whether it counts only together with a code on the venue's own list
    (ccxt.InsufficientFunds, InsufficientFunds, False),
    # without a code these are ccxt's own; after sending, it may have stumbled over the answer
    (ccxt.NotSupported, NotSupportedByVenue, True),
    (ccxt.BadSymbol, VenueRejected, True),
    (ccxt.ArgumentsRequired, VenueRejected, True),
    (ccxt.DuplicateOrderId, DuplicateClientId, False),
    (ccxt.AuthenticationError, VenueAuthFailed, True),
    (ccxt.BadRequest, VenueRejected, True),
    (ccxt.OperationRejected, VenueRejected, True),
    (ccxt.InvalidAddress, VenueRejected, True),
    (ccxt.OrderImmediatelyFillable, WouldTake, True),
    (ccxt.OrderNotFillable, NotFillable, True),
    (ccxt.InvalidOrder, VenueRejected, True),
)


def _of_read(error: BaseException, kind: type[BaseException], code: str, quirks: Quirks) -> _Target:
    if code in quirks.rate_codes:
        return VenueRateLimited
    if code in quirks.auth_codes:
        return VenueAuthFailed
    if code in quirks.absent_codes:
        return OrderAbsent
    for family, target in _READ_TARGETS:
        if issubclass(kind, family):
            return target
    # A bare ExchangeError with a code is the venue's own "no"; without one it is half an answer.
    return VenueRejected if isinstance(error, ccxt.ExchangeError) and code else VenueUnavailable


def _of_unsent(error: BaseException) -> _Target:
    for kind, target in _UNSENT_TARGETS:
        if isinstance(error, kind):
            return target
    return VenueRejected


def _of_write(
    error: BaseException,
    kind: type[BaseException],
    code: str,
    text: str,
    *,
    effect: Effect,
    quirks: Quirks,
    is_listed: bool,
) -> _Target:
    by_code = _of_code(code, quirks)
    if by_code is not None:
        return by_code
    is_gone = code in quirks.absent_codes or issubclass(
        kind, ccxt.OrderNotFound | ccxt.OrderNotCached
    )
    if is_gone:
        return OrderAbsent if effect is Effect.CANCEL else OutcomeUnknown
    if isinstance(error, ccxt.ExchangeError) and effect is Effect.WRITE and _is_duplicate(text):
        return DuplicateClientId
    for family, target, needs_code in _WRITE_TARGETS:
        if issubclass(kind, family):
            return target if is_listed or not needs_code else OutcomeUnknown
    return OutcomeUnknown


def _is_listed(
    error: BaseException, code: str, known_codes: Mapping[str, type[BaseException]] | None
) -> bool:
    """Return whether the venue's code is one that its class knows; any, without a list."""
    if not code or known_codes is None:
        return bool(code)
    return code in known_codes or bool(getattr(error, "venue_code", ""))


def _of_code(code: str, quirks: Quirks) -> _Target | None:
    """Return what the venue's code alone decides, if it does."""
    if not code:
        return None
    tables: tuple[tuple[frozenset[str], _Target], ...] = (
        (quirks.unclear_codes, OutcomeUnknown),
        (quirks.duplicate_codes, DuplicateClientId),
        (quirks.rate_codes, VenueRateLimited),
        (quirks.clock_codes, VenueUnavailable),
        (quirks.closed_codes, VenueClosed),
        (quirks.unfillable_codes, NotFillable),
        (quirks.taking_codes, WouldTake),
        (quirks.auth_codes, VenueAuthFailed),
    )
    return next((target for codes, target in tables if code in codes), None)


def _is_duplicate(text: str) -> bool:
    words = _words_in(text) or text
    return bool(_DUPLICATE.search(words)) and bool(
        re.search(r"order|client|id", words, re.IGNORECASE)
    )


def _code_of(error: BaseException, text: str) -> str:
    """Return the venue's own code: what ccxt matched, else what the answer's body names."""
    matched = getattr(error, "venue_code", "")
    if matched:
        return str(matched)
    listed = _ERROR_LIST.search(text)
    if listed:
        return listed[1]
    found = (pattern.search(text) for pattern in _CODES)
    return next((match[1] for match in found if match and match[1] != "0"), "")


def _words_in(text: str) -> str:
    """Return the venue's own sentence in the body of its answer, if there is one."""
    for pattern in _WORDS:
        match = pattern.search(text)
        if match:
            try:
                return str(json.loads(match[1])).strip()
            except ValueError:
                continue
    return ""


_OWN_CAUSES: tuple[tuple[type[BaseException], Message], ...] = (
    (ccxt.RequestTimeout, Message("no answer within the time limit")),
    (ccxt.OnMaintenance, Message("it is under maintenance")),
    (ccxt.ExchangeNotAvailable, Message("it is not available")),
    (ccxt.DDoSProtection, Message("too many requests")),
    (ccxt.RateLimitExceeded, Message("too many requests")),
    (ccxt.NetworkError, Message("the connection failed or broke")),
)


def _cause_of(error: BaseException, text: str, code: str, secrets: Collection[str]) -> object:
    """Return what happened: the venue's words, ours for its silence, or the cleaned text."""
    stated = getattr(error, "cause", None)
    if isinstance(stated, Message):
        return stated
    words = redact(_words_in(text), secrets)  # again: they may have been spelled otherwise
    if words:
        return _short(f"{words} [{code}]" if code and code != words else words)
    if not code:
        for kind, message in _OWN_CAUSES:
            if type(error) is kind:
                return message
    is_sentence = bool(code) and not code.lstrip("-").isdigit()
    return _short(code if is_sentence else text) or type(error).__name__


def _cause_of_bug(error: BaseException, *, was_sent: bool) -> Message:
    """Return what an exception that is not ccxt's means; its text may hold anything."""
    name = {"error": type(error).__name__}
    if was_sent:
        return Message("the answer could not be read ({error})", name)
    return Message(
        "no request could be made ({error}); check the form of key, secret and options", name
    )


def _short(text: str) -> str:
    plain = phrase(_TAG.sub(" ", text))
    return plain if len(plain) <= CAUSE_LENGTH_MAX else plain[: CAUSE_LENGTH_MAX - 1] + "…"
