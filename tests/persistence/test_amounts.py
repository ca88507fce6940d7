"""Amounts survive the database to the last digit, on every database."""

from decimal import Decimal

import pytest
from django.db import connection
from django.db.models import Max, Min
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arbplatform.core.decimals import STORED_DECIMAL_PLACES
from arbplatform.persistence.fields import AmountField, ExactSum, trim_zeros

AMOUNTS = st.integers(-(10**40) + 1, 10**40 - 1).map(
    lambda number: Decimal(number).scaleb(-STORED_DECIMAL_PLACES)
)
ONE_TABLE = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)


@ONE_TABLE
@given(amount=AMOUNTS)
def test_an_amount_comes_back_unchanged(sample, amount):
    row = sample.objects.create(amount=amount)

    assert sample.objects.get(pk=row.pk).amount == amount


def test_an_amount_that_a_float_cannot_hold_comes_back_unchanged(sample):
    sample.objects.create(amount=Decimal("10000000.00000001"))

    assert str(sample.objects.get().amount) == "10000000.00000001"


def test_no_amount_stays_no_amount(sample):
    sample.objects.create(amount=None)

    assert sample.objects.get().amount is None


@ONE_TABLE
@given(amounts=st.lists(AMOUNTS, max_size=8))
def test_sums_and_extremes_are_exact(sample, amounts):
    sample.objects.all().delete()
    sample.objects.bulk_create(sample(amount=amount) for amount in amounts)

    found = sample.objects.aggregate(
        total=ExactSum("amount"), least=Min("amount"), most=Max("amount")
    )

    assert found["total"] == (sum(amounts) if amounts else None)
    assert found["least"] == min(amounts, default=None)
    assert found["most"] == max(amounts, default=None)


def test_a_sum_passes_over_missing_amounts(sample):
    sample.objects.bulk_create([sample(amount=Decimal("0.1")), sample(amount=None)])

    assert sample.objects.aggregate(total=ExactSum("amount"))["total"] == Decimal("0.1")


@ONE_TABLE
@given(amounts=st.lists(AMOUNTS, min_size=2, max_size=6), limit=AMOUNTS)
def test_the_database_compares_by_value_not_by_spelling(sample, amounts, limit):
    sample.objects.all().delete()
    sample.objects.bulk_create(sample(amount=amount) for amount in amounts)

    ordered = list(sample.objects.order_by("amount").values_list("amount", flat=True))
    above = sample.objects.filter(amount__gt=limit).count()

    assert ordered == sorted(amounts)
    assert above == sum(amount > limit for amount in amounts)


@pytest.mark.parametrize("spelling", ["1", "1.0", "1.000000000000000000", "1E0"])
def test_equal_numbers_are_found_however_they_are_written(sample, spelling):
    sample.objects.create(amount=Decimal("1.00"))

    assert sample.objects.filter(amount=Decimal(spelling)).exists()


@pytest.mark.parametrize(
    ("value", "text"),
    [("1.500", "1.5"), ("100", "100"), ("1E+2", "100"), ("0.000", "0"), ("-0.10", "-0.1")],
)
def test_trimming_keeps_the_value_and_drops_zeros(value, text):
    assert str(trim_zeros(Decimal(value))) == text
    assert trim_zeros(Decimal(value)) == Decimal(value)


def test_the_column_type_is_exact():
    column = AmountField().db_type(connection)

    assert column == (
        "text COLLATE EXACTDEC" if connection.vendor == "sqlite" else "numeric(40, 18)"
    )


def test_the_migration_description_does_not_repeat_the_defaults():
    _name, path, _args, kwargs = AmountField().deconstruct()

    assert path == "arbplatform.persistence.fields.AmountField"
    assert kwargs == {"max_digits": 40, "decimal_places": 18}
