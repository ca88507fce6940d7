"""Values as PostgreSQL reads them in the text of a statement.

The driver's own adapters take longer for the hundred and fifty values of one decision than the
server takes to store them. Only values of the types below are written here, and only to a server
whose strings know no escape but the doubled quote.

Numbers stand in quotes like all else: so the server reads each as what it is meant for. A plain 7
is an integer first, and then converted by an expression that is made, planned and evaluated for it.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any


def to_literal(value: object) -> str:
    """Return ``value`` as a literal of SQL.

    Args:
        value: text, a number, a truth value, a moment with its time zone, ``None``, or a list of
            such values: then the literal is one of an array.

    Raises:
        TypeError: it is something else.
        ValueError: no column can hold it: a text with the character 0, a number that is none, a
            moment without its time zone.
    """
    return _WRITERS[type(value)](value)


def to_literals(values: Iterable[object]) -> list[str]:
    """Return values as literals of SQL, as ``to_literal`` does."""
    return [
        "NULL"
        if value is None
        # most of what a decision writes is as short as a call takes: it is written here
        else f"'{value}'"
        if type(value) is int or (type(value) is str and "'" not in value and "\0" not in value)
        else _WRITERS[type(value)](value)
        for value in values
    ]


def _text(value: str) -> str:
    if "\0" in value:
        raise ValueError("A text with the character 0 cannot be stored.")
    return "'" + value.replace("'", "''") + "'"


def _number(value: Decimal) -> str:
    if not value.is_finite():
        raise ValueError(f"{value} cannot be stored.")
    return f"'{value:f}'"


def _moment(value: datetime) -> str:
    if value.tzinfo is None:
        raise ValueError(f"{value} has no time zone.")
    return f"'{value.isoformat()}'"


def _list(values: list[object]) -> str:
    kinds = set(map(type, values))
    write = _ELEMENTS.get(kinds.pop(), _element) if len(kinds) == 1 else _element
    return "'{" + ",".join(map(write, values)).replace("'", "''") + "}'"


def _element(value: object) -> str:
    """Return a value as it stands in an array."""
    write = _ELEMENTS.get(type(value))
    if write is not None:
        return write(value)
    if isinstance(value, str):
        return _quoted(str(value.value) if isinstance(value, Enum) else str(value))
    raise TypeError(f"{type(value).__name__} has no literal in an array of SQL")


def _quoted(value: str) -> str:
    if "\0" in value:
        raise ValueError("A text with the character 0 cannot be stored.")
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


_ELEMENTS: dict[type, Callable[[Any], str]] = {
    type(None): lambda _value: "NULL",
    bool: lambda value: "t" if value else "f",
    int: str,
    str: _quoted,
    Decimal: lambda value: _number(value).strip("'"),
    datetime: lambda value: _moment(value).replace("'", '"'),
}


class _Writers(dict[type, Callable[[Any], str]]):
    """What writes the values of a type; choices, each kind a type of its own, are texts."""

    def __missing__(self, kind: type) -> Callable[[Any], str]:
        if issubclass(kind, str) and issubclass(kind, Enum):
            return lambda choice: _text(str(choice.value))
        raise TypeError(f"{kind.__name__} has no literal in SQL")


_WRITERS = _Writers(
    {
        type(None): lambda _value: "NULL",
        bool: lambda value: "TRUE" if value else "FALSE",
        int: lambda value: f"'{value}'",
        str: _text,
        Decimal: _number,
        datetime: _moment,
        list: _list,
    }
)
