"""Amounts inside the simulator: integers in steps of 10^-18, exact decimals at the surface.

Every asset has the same unit, so that a price on the tick grid times a quantity on the lot grid is
a whole number of units, and adding up a million trades loses nothing.
"""

from decimal import ROUND_FLOOR, Context, Decimal

PLACES = 18
UNITS_PER_ONE: int = 10**PLACES
FEE_PLACES = 8
FEE_STEP: int = 10 ** (PLACES - FEE_PLACES)
"""Fees are whole multiples of 0.00000001 of an asset."""
RATE_SCALE: int = 10**8
"""Fee rates are whole multiples of 0.00000001."""

_FEE_DIVISOR = RATE_SCALE * FEE_STEP
_CONTEXT = Context(prec=80)


def to_units(value: Decimal) -> int:
    """Return ``value`` [one asset] in units, exactly.

    Raises:
        ValueError: finer than ``PLACES`` decimal places, or not finite.
    """
    if not value.is_finite():
        raise ValueError(value)
    scaled = _CONTEXT.scaleb(value, PLACES)
    units = int(scaled)
    if units != scaled:
        raise ValueError(value)
    return units


def floor_to_units(value: Decimal) -> int:
    """Return ``value`` [one asset] in units, rounded down."""
    return int(_CONTEXT.scaleb(value, PLACES).to_integral_value(rounding=ROUND_FLOOR))


def from_units(units: int) -> Decimal:
    """Return ``units`` as a decimal, exactly."""
    return Decimal(units).scaleb(-PLACES, _CONTEXT)


def format_units(units: int) -> str:
    """Return ``units`` as the wire shows amounts: 8 decimal places, more only where needed.

    >>> format_units(1_500_000_000_000_000_000)
    '1.50000000'
    >>> format_units(-10**9)
    '-0.000000001'
    """
    if units < 0:
        return "-" + format_units(-units)
    whole, rest = divmod(units, UNITS_PER_ONE)
    coarse, finer = divmod(rest, FEE_STEP)
    text = f"{whole}.{coarse:08d}"
    if finer:
        text += f"{finer:010d}".rstrip("0")
    return text


def fee_of(received: int, rate: int) -> int:
    """Return the fee [units] on an amount received.

    Rounded up to 8 decimal places, in the venue's favour, so that a simulated trade is never better
    than the formula says; but never more than what was received.

    Args:
        received: [units].
        rate: [fraction x ``RATE_SCALE``].
    """
    fee = -(-received * rate // _FEE_DIVISOR) * FEE_STEP
    return min(received, fee)
