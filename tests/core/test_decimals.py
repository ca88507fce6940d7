"""Exact decimals: parsing, rounding to a grid, writing."""

import decimal
import threading
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbplatform.core.decimals import (
    PRECISION_DIGITS,
    ceil_to_step,
    floor_to_step,
    is_multiple,
    to_decimal,
    to_plain,
    use_exact_context,
)
from arbplatform.core.errors import InvalidInput

AMOUNTS = st.decimals(
    min_value=Decimal("-1e15"), max_value=Decimal("1e15"), places=12, allow_nan=False
)
STEPS = st.integers(1, 10**12).map(lambda number: Decimal(number).scaleb(-8))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("1.50"), Decimal("1.50")),
        (7, Decimal(7)),
        ("0.1", Decimal("0.1")),
        (0.1, Decimal("0.1")),
        (1e-08, Decimal("1E-8")),
        ("-3", Decimal(-3)),
    ],
)
def test_a_number_is_read_exactly_as_it_was_written(value, expected):
    assert to_decimal(value) == expected


@pytest.mark.parametrize("value", ["", "abc", "1,5", None, True, False, [], {}, b"1", object()])
def test_what_is_not_a_number_is_refused_with_its_representation(value):
    with pytest.raises(InvalidInput, match="is not a number") as caught:
        to_decimal(value)
    assert caught.value.message.context["value"] == value


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-inf", float("nan"), float("inf")])
def test_what_is_not_finite_is_refused(value):
    with pytest.raises(InvalidInput, match="not a finite number"):
        to_decimal(value)


@given(AMOUNTS, STEPS)
def test_floor_is_the_largest_multiple_that_is_not_above(value, step):
    result = floor_to_step(value, step)

    expected = Fraction(value) // Fraction(step) * Fraction(step)
    assert Fraction(result) == expected
    assert result <= value < result + step


@given(AMOUNTS, STEPS)
def test_ceil_is_the_smallest_multiple_that_is_not_below(value, step):
    result = ceil_to_step(value, step)

    expected = -(-Fraction(value) // Fraction(step)) * Fraction(step)
    assert Fraction(result) == expected
    assert result - step < value <= result


@given(AMOUNTS, STEPS)
def test_rounding_leaves_a_multiple_alone(value, step):
    on_grid = floor_to_step(value, step)

    assert is_multiple(on_grid, step)
    assert floor_to_step(on_grid, step) == on_grid == ceil_to_step(on_grid, step)


@given(AMOUNTS, STEPS)
def test_on_the_grid_means_no_remainder(value, step):
    assert is_multiple(value, step) == (Fraction(value) % Fraction(step) == 0)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0", "0"),
        ("-0", "0"),
        ("0.000", "0"),
        ("-0.00", "0"),
        ("1E-8", "0.00000001"),
        ("1E+3", "1000"),
        ("100", "100"),
        ("1.500", "1.5"),
        ("-2.50", "-2.5"),
    ],
)
def test_plain_digits_have_no_exponent_and_no_trailing_zeros(value, text):
    assert to_plain(Decimal(value)) == text


@given(AMOUNTS)
def test_plain_digits_are_read_back_as_the_same_number(value):
    assert to_decimal(to_plain(value)) == value


def test_the_exact_context_reaches_threads_that_start_later():
    use_exact_context()
    found = []

    thread = threading.Thread(target=lambda: found.append(decimal.getcontext().prec))
    thread.start()
    thread.join()

    assert found == [PRECISION_DIGITS]
    assert decimal.getcontext().prec == PRECISION_DIGITS


def test_the_product_of_the_largest_stored_numbers_is_exact():
    use_exact_context()
    price = Decimal("1234567890123456789012.123456789012345678")

    product = price * Decimal("0.123456789012345678")

    assert Fraction(product) == Fraction(price) * Fraction(Decimal("0.123456789012345678"))
