"""Integers inside, exact decimals outside."""

from decimal import ROUND_CEILING, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets.simulator.exchange.units import (
    RATE_SCALE,
    UNITS_PER_ONE,
    fee_of,
    floor_to_units,
    format_units,
    from_units,
    to_units,
)


@given(st.integers(-(10**40), 10**40))
def test_units_survive_the_way_to_decimals_and_to_text_and_back(units):
    assert to_units(from_units(units)) == units
    assert to_units(Decimal(format_units(units))) == units


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0", "0.00000000"),
        ("1.5", "1.50000000"),
        ("-0.25", "-0.25000000"),
        ("12345678.123456789", "12345678.123456789"),
        ("0.000000000000000001", "0.000000000000000001"),
        ("49763.29001", "49763.29001000"),
    ],
)
def test_the_wire_shows_eight_places_and_more_only_where_needed(value, text):
    assert format_units(to_units(Decimal(value))) == text


@pytest.mark.parametrize("value", ["1E-19", "NaN", "Infinity"])
def test_what_has_no_exact_units_is_refused(value):
    with pytest.raises(ValueError, match=value):
        to_units(Decimal(value))


def test_rounding_down_keeps_eighteen_places():
    assert floor_to_units(Decimal("1.9999999999999999999")) == 2 * UNITS_PER_ONE - 1


@given(st.integers(0, 10**30), st.integers(0, RATE_SCALE))
def test_a_fee_is_the_formula_rounded_up_to_eight_places_but_never_more_than_received(
    received, rate
):
    exact = from_units(received) * rate / RATE_SCALE
    step = Decimal("0.00000001")
    rounded = (exact / step).to_integral_value(rounding=ROUND_CEILING) * step

    assert from_units(fee_of(received, rate)) == min(rounded, from_units(received))
