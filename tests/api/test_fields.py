"""Amounts in the API."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.exceptions import ValidationError

from arbplatform.api.fields import AmountField
from arbplatform.core.decimals import to_plain

AMOUNTS = st.integers(-(10**40) + 1, 10**40 - 1).map(lambda number: Decimal(number).scaleb(-18))


@given(AMOUNTS)
def test_what_is_written_is_read_back_as_the_same_amount(amount):
    field = AmountField()

    text = field.to_representation(amount)

    assert text == to_plain(amount)
    assert "E" not in text
    assert field.to_internal_value(text) == amount


@pytest.mark.parametrize(
    ("sent", "read"),
    [("0.015", "0.015"), (" 7 ", "7"), (7, "7"), (0.1, "0.1"), ("1e-8", "0.00000001")],
)
def test_strings_and_short_json_numbers_are_read_exactly(sent, read):
    assert AmountField().to_internal_value(sent) == Decimal(read)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("x", "invalid"),
        ("", "invalid"),
        (True, "invalid"),
        (None, "invalid"),
        ([], "invalid"),
        ("NaN", "invalid"),
        (float("inf"), "invalid"),
        (12345678901234567.0, "inexact"),
        (0.1 + 0.2, "inexact"),
        ("0.1234567890123456789", "too_long"),
        ("1" * 23, "too_long"),
        ("1e30", "too_long"),
        ("1" * 100, "too_long"),
        (10**22, "too_long"),
    ],
)
def test_what_cannot_be_stored_exactly_is_refused(sent, code):
    with pytest.raises(ValidationError) as caught:
        AmountField().to_internal_value(sent)

    assert caught.value.get_codes() == [code]


def test_the_largest_amounts_fit():
    assert AmountField().to_internal_value("9" * 22 + "." + "9" * 18) > 0


@pytest.mark.parametrize("sent", ["0", "-1", "-0.0"])
def test_a_positive_amount_is_above_zero(sent):
    with pytest.raises(ValidationError, match="above zero"):
        AmountField(positive=True).to_internal_value(sent)


def test_a_minimum_is_kept():
    field = AmountField(minimum=Decimal("0.50"))

    assert field.to_internal_value("0.5") == Decimal("0.5")
    with pytest.raises(ValidationError, match=r"not below 0\.5\."):
        field.to_internal_value("0.49")
