"""Values reach PostgreSQL as they are, whatever they hold."""

from datetime import UTC, datetime
from decimal import Decimal as D
from enum import StrEnum

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from arbplatform.persistence.literals import to_literal, to_literals

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


class Colour(StrEnum):
    RED = "r'ed"


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        (None, "NULL"),
        (True, "TRUE"),
        (False, "FALSE"),
        (7, "'7'"),
        (-7, "'-7'"),
        (D("1E-8"), "'0.00000001'"),
        (D("1E+3"), "'1000'"),
        (D("-0.5"), "'-0.5'"),
        (D("-0"), "'-0'"),
        (D(0), "'0'"),
        ("", "''"),
        ("it's \\' %s; --", "'it''s \\'' %s; --'"),
        (Colour.RED, "'r''ed'"),
        (MOMENT, "'2026-01-02T03:04:05.678901+00:00'"),
        ([], "'{}'"),
        ([1, -2], "'{1,-2}'"),
        ([D("-0.5"), None], "'{-0.5,NULL}'"),
        (["it's", 'a \\ "b"', "", "NULL"], '\'{"it\'\'s","a \\\\ \\"b\\"","","NULL"}\''),
        ([True, None], "'{t,NULL}'"),
        ([Colour.RED], "'{\"r''ed\"}'"),
        ([MOMENT], "'{\"2026-01-02T03:04:05.678901+00:00\"}'"),
    ],
)
def test_a_value_is_written_as_a_literal(value, literal):
    assert to_literal(value) == literal
    assert to_literals([value, 1, value]) == [literal, "'1'", literal]


@pytest.mark.parametrize(
    "value", ["a\0b", ["a\0b"], D("NaN"), D("Infinity"), MOMENT.replace(tzinfo=None)]
)
def test_what_no_column_can_hold_is_refused(value):
    with pytest.raises(ValueError, match=r"cannot be stored|has no time zone"):
        to_literal(value)
    with pytest.raises(ValueError, match=r"cannot be stored|has no time zone"):
        to_literals([value])


@pytest.mark.parametrize("value", [1.5, b"x", {"a": 1}, object(), [1.5], [[1]]])
def test_what_has_no_literal_is_refused(value):
    with pytest.raises(TypeError, match="has no literal"):
        to_literal(value)
    with pytest.raises(TypeError, match="has no literal"):
        to_literals([value])


@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs PostgreSQL: its literals")
@pytest.mark.django_db
@given(
    text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    number=st.decimals(allow_nan=False, allow_infinity=False, places=18, min_value=-(10**21)),
    count=st.integers(-(2**62), 2**62),
)
def test_the_server_reads_what_was_written(text, number, count):
    values = (text, number, count, MOMENT, [text, ""], [number], [count, None], [MOMENT])
    kinds = ("text", "numeric", "bigint", "timestamptz")
    types = ", ".join([*kinds, *(f"{kind}[]" for kind in kinds)])
    literals = ", ".join(to_literals(values))
    with connection.cursor() as cursor:
        cursor.execute(f"PREPARE echo ({types}) AS SELECT $1, $2, $3, $4, $5, $6, $7, $8")
        try:
            cursor.execute(f"EXECUTE echo({literals})")
            assert cursor.fetchone() == values
        finally:
            cursor.execute("DEALLOCATE echo")
