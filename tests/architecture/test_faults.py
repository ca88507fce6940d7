"""Every known fault has a test, or a reason for having none."""

import pytest

from tests.fault_catalogue import GROUPS, PAGE, REASONS, find_tests, render, sentence_of

NUMBERS = [number for rows in GROUPS.values() for number in rows]


def test_the_catalogue_has_a_hundred_faults_in_order():
    assert list(range(1, 101)) == NUMBERS


@pytest.mark.parametrize("number", NUMBERS)
def test_a_fault_has_a_test_that_says_what_happens_or_a_reason(number):
    paths = find_tests().get(number, [])

    assert bool(paths) != (number in REASONS)
    assert all(sentence_of(path).endswith(".") for path in paths)


def test_the_page_is_up_to_date():
    assert PAGE.read_text() == render(), "run python -m tests.fault_catalogue"
