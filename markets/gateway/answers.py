"""What every answer of ccxt is asked before it is believed.

ccxt makes an empty book, an empty balance or an order without an id of almost any answer, a page
of HTML included: whoever believes that empties an account in the books (faults 5 and 95).
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from arbplatform.core.decimals import to_decimal
from arbplatform.core.errors import InvalidInput, Message
from markets.gateway.error_map import Malformed

_LIST_KEYS = frozenset(
    {
        "accounts", "balance", "balances", "closed", "data", "details", "items", "list", "open",
        "orders", "payload", "records", "result", "results", "rows", "trades", "wallets",
    }
)  # fmt: skip
"""Where venues put rows: an empty answer with one of these is an answer."""

EXPONENT_MAX = 60
"""Powers of ten that a number may be away from one: further off nothing is traded, and a number
that is written out must not fill the memory."""

TIME_MS_MAX = 10**14
"""No venue means a time so late [ms since epoch]."""


def require_list(value: object, raw: object, what: str) -> list[Any]:
    """Return ``value`` as a list; an empty one only if the raw answer holds an empty list too.

    Raises:
        Malformed: the emptiness is not the venue's.
    """
    if not isinstance(value, list):
        raise Malformed(Message("the answer is no list of {what}", {"what": what}))
    if not value and not states_emptiness(raw):
        raise Malformed(Message("the answer holds no list of {what}", {"what": what}))
    return value


def require_mapping(value: object, what: str) -> Mapping[str, Any]:
    """Return ``value`` as a mapping.

    Raises:
        Malformed: it is something else.
    """
    if not isinstance(value, Mapping):
        raise Malformed(Message("the answer holds no {what}", {"what": what}))
    return value


def need_number(value: object, what: str) -> Decimal:
    """Return ``value`` as a decimal.

    Raises:
        Malformed: it is missing or no number.
    """
    number = number_or_none(value)
    if number is None:
        raise Malformed(Message("the answer holds no {what}", {"what": what}))
    return number


def number_or_none(value: object) -> Decimal | None:
    """Return ``value`` as a decimal; ``None`` where the venue says nothing.

    Raises:
        Malformed: it is something else than a number.
    """
    if value is None or value == "":
        return None
    try:
        number = to_decimal(value)
    except InvalidInput:
        raise _no_number() from None
    if abs(number.adjusted()) > EXPONENT_MAX:
        raise _no_number()
    return number


def need_positive(value: object, what: str) -> Decimal:
    """Return ``value`` as a decimal above zero.

    Raises:
        Malformed: it is missing, no number, or not above zero.
    """
    number = need_number(value, what)
    if number <= 0:
        raise Malformed(Message("the answer holds a {what} that is not above zero", {"what": what}))
    return number


def size_or_none(value: object, what: str) -> Decimal | None:
    """Return ``value`` as a decimal that is not below zero; ``None`` where the venue says nothing.

    Raises:
        Malformed: it is no number, or below zero.
    """
    number = number_or_none(value)
    if number is not None and number < 0:
        raise Malformed(Message("the answer holds a {what} below zero", {"what": what}))
    return number


def time_or_none(value: object) -> int | None:
    """Return ``value`` as a time [ms since epoch]; ``None`` where the venue says nothing.

    Raises:
        Malformed: it is no number, or no time that there is.
    """
    moment_ms = whole_or_none(value)
    if moment_ms is not None and not 0 <= moment_ms < TIME_MS_MAX:
        raise _no_number()
    return moment_ms


def whole_or_none(value: object) -> int | None:
    """Return ``value`` as a whole number, rounded down; ``None`` where there is none."""
    number = number_or_none(value)
    return None if number is None else int(number)


def need_text(value: object, what: str) -> str:
    """Return ``value`` as text.

    Raises:
        Malformed: it is missing or empty.
    """
    if isinstance(value, str | int) and str(value).strip():
        return str(value)
    raise Malformed(Message("the answer holds no {what}", {"what": what}))


def need_echo(row: Mapping[str, Any], key: str, expected: str) -> None:
    """Refuse a value that contradicts; a venue may be silent."""
    value = row.get(key)
    if value not in {None, ""} and str(value) != expected:
        raise Malformed(
            Message(
                "the answer says {key} {value} instead of {expected}",
                {"key": key, "value": str(value)[:64], "expected": expected},
            )
        )


def states_emptiness(raw: object) -> bool:
    """Return whether the venue's own answer has the place where the rows would be."""
    if isinstance(raw, list):
        return True
    return isinstance(raw, Mapping) and any(
        isinstance(value, list | Mapping) for key, value in raw.items() if key in _LIST_KEYS
    )


def _no_number() -> Malformed:
    return Malformed(Message("the answer holds a number that is none"))
