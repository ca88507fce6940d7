"""Exact decimal arithmetic for money.

Money is ``Decimal`` and is rounded only when an order is formed, always in the direction that
cannot hurt, and never to nearest.
"""

import decimal
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TypeAlias

from arbplatform.core.errors import InvalidInput

Price: TypeAlias = Decimal
"""Quote units per base unit."""
Quantity: TypeAlias = Decimal
"""Base units."""
Amount: TypeAlias = Decimal
"""Units of one asset."""
Bps: TypeAlias = Decimal
"""Hundredths of a percent."""
Fraction: TypeAlias = Decimal
"""A pure ratio: 0.001 is 10 bps."""

ZERO = Decimal(0)
ONE = Decimal(1)
BPS_PER_UNIT = Decimal(10_000)

PRECISION_DIGITS = 60
"""Significant digits of every calculation: a product of two stored amounts stays exact."""

STORED_DECIMAL_PLACES = 18
STORED_DIGITS_MAX = 40
SMALLEST_STORED = Decimal(1).scaleb(-STORED_DECIMAL_PLACES)
"""What longer numbers are rounded to before they are kept [any unit]."""
STORED_LIMIT = Decimal(10) ** (STORED_DIGITS_MAX - STORED_DECIMAL_PLACES)
"""Numbers that are kept are below it [any unit]."""


def use_exact_context() -> None:
    """Give this thread, and every thread started later, a context of ``PRECISION_DIGITS``.

    Python's default of 28 digits rounds the product of a price and a quantity that the database
    can hold. Call once when a process starts.
    """
    decimal.DefaultContext.prec = PRECISION_DIGITS
    decimal.setcontext(decimal.Context(prec=PRECISION_DIGITS))


def to_decimal(value: object) -> Decimal:
    """Return ``value`` as an exact, finite decimal.

    Args:
        value: ``Decimal``, ``int``, ``str``, or a ``float`` that some library insists on; a float
            is read by its shortest representation, which is what the wire said.

    Raises:
        InvalidInput: not a finite number.
    """
    if isinstance(value, bool) or not isinstance(value, Decimal | int | str | float):
        raise InvalidInput("{value!r} is not a number.", value=value)
    try:
        number = Decimal(repr(value) if isinstance(value, float) else value)
    except decimal.InvalidOperation:
        raise InvalidInput("{value!r} is not a number.", value=value) from None
    if not number.is_finite():
        raise InvalidInput("{value!r} is not a finite number.", value=value)
    return number


def floor_to_step(value: Decimal, step: Decimal) -> Decimal:
    """Return the largest multiple of ``step`` that is not above ``value``.

    Args:
        value: what to round [any unit].
        step: grid width [same unit], positive.
    """
    return (value / step).to_integral_value(rounding=ROUND_FLOOR) * step


def ceil_to_step(value: Decimal, step: Decimal) -> Decimal:
    """Return the smallest multiple of ``step`` that is not below ``value``.

    Args:
        value: what to round [any unit].
        step: grid width [same unit], positive.
    """
    return (value / step).to_integral_value(rounding=ROUND_CEILING) * step


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Return whether ``value`` lies on the grid of ``step``."""
    return value % step == 0


def to_plain(value: Decimal) -> str:
    """Return ``value`` as plain digits: no exponent, no trailing zeros."""
    text = str(value)
    if "E" in text:
        text = format(value, "f")
    if text[-1] == "0" and "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
