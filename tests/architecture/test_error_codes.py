"""Error codes are a public contract."""

from collections import Counter
from pathlib import Path
from string import Formatter

import pytest
from django.conf import settings

from arbplatform.core.errors import ErrorKind
from arbplatform.management.error_codes import (
    RANGE_OF_PACKAGE,
    RANGES,
    all_errors,
    render_error_codes,
)

ERRORS = all_errors()


def own_attributes(error):
    return vars(error)


def test_every_code_is_used_once():
    counts = Counter(error.code for error in ERRORS)

    assert [code for code, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_every_error_states_its_own_code_in_the_range_of_its_package(error):
    assert "code" in own_attributes(error)
    package = error.__module__.split(".")[0]
    is_bug = error.kind is ErrorKind.BUG and error.code >= 9000
    first = RANGE_OF_PACKAGE[package]
    assert is_bug or first <= error.code <= first + 999


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_every_error_says_in_a_sentence_what_happened(error):
    assert "summary" in own_attributes(error)
    assert error.summary[0].isupper() or error.summary[0] == "{"
    assert error.summary.endswith((".", "}"))
    assert error.__doc__


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_placeholders_have_names_and_no_format_that_a_decimal_would_break(error):
    for _text, name, spec, conversion in Formatter().parse(error.summary):
        if name is not None:
            assert name.isidentifier()
            assert not spec
            assert conversion in {None, "r"}


def test_every_error_is_in_exactly_one_range_of_the_document():
    for error in ERRORS:
        assert sum(first <= error.code <= last for first, last, _title in RANGES) == 1


def test_the_document_is_current():
    path = Path(settings.BASE_DIR) / "docs" / "error-codes.md"

    assert path.read_text(encoding="utf-8") == render_error_codes(), "run manage.py error_codes"
