"""Which failures of a transaction are worth another attempt, and how often."""

import time

import pytest
from django.db import IntegrityError, OperationalError, transaction

from arbplatform.persistence import retries
from arbplatform.persistence.retries import ATTEMPTS_MAX, is_away, is_given_up, retried


class Driver(Exception):
    """What a database driver raised, with the code that it carries."""

    def __init__(self, **codes):
        super().__init__("driver")
        vars(self).update(codes)


def failure(**codes):
    error = OperationalError("given up")
    error.__cause__ = Driver(**codes)
    return error


class Command:
    """Fails as often as it is told to."""

    __name__ = "command"

    def __init__(self, *failures):
        self.failures = list(failures)
        self.calls = 0

    def __call__(self):
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return "done"


@pytest.fixture
def pauses(monkeypatch):
    made: list[int] = []
    monkeypatch.setattr(retries, "pause", made.append)
    return made


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ({"pgcode": "40P01"}, True),
        ({"pgcode": "40001"}, True),
        ({"sqlstate": "40001"}, True),
        ({"sqlite_errorname": "SQLITE_BUSY"}, True),
        ({"sqlite_errorname": "SQLITE_BUSY_SNAPSHOT"}, True),
        ({"sqlite_errorname": "SQLITE_FULL"}, False),
        ({"pgcode": "57P01"}, False),
        ({}, False),
    ],
)
def test_what_may_be_run_again(codes, expected):
    assert is_given_up(failure(**codes)) is expected


@pytest.mark.django_db(transaction=True)
def test_a_transaction_is_run_again_until_it_succeeds(pauses):
    command = Command(failure(pgcode="40P01"), failure(pgcode="40001"))

    assert retried(command)() == "done"

    assert (command.calls, pauses) == (3, [1, 2])


@pytest.mark.django_db(transaction=True)
def test_it_is_run_a_bounded_number_of_times(pauses):
    command = Command(*(failure(pgcode="40P01") for _ in range(ATTEMPTS_MAX)))

    with pytest.raises(OperationalError):
        retried(command)()

    assert (command.calls, len(pauses)) == (ATTEMPTS_MAX, ATTEMPTS_MAX - 1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("error", [failure(pgcode="57P01"), IntegrityError("no"), ValueError("no")])
def test_nothing_else_is_run_again(pauses, error):
    command = Command(error)

    with pytest.raises(type(error)):
        retried(command)()

    assert (command.calls, pauses) == (1, [])


@pytest.mark.django_db(transaction=True)
def test_within_a_transaction_it_is_the_outer_one_that_has_to_be_repeated(pauses):
    command = Command(failure(pgcode="40P01"))

    with pytest.raises(OperationalError), transaction.atomic():
        retried(command)()

    assert (command.calls, pauses) == (1, [])


def test_pauses_are_random_and_grow(monkeypatch):
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)

    for _ in range(50):
        retries.pause(1)
        retries.pause(4)

    assert 0 <= min(slept) <= max(slept[::2]) <= 0.01
    assert 0.01 < max(slept[1::2]) <= 0.08


def test_a_database_that_is_away_is_told_from_a_row_that_is_wrong():
    assert is_away(OperationalError("gone"))
    assert not is_away(IntegrityError("twice"))
