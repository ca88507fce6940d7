"""Fixtures that every part of the suite may use."""

from importlib import import_module
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.db import connection
from django.test import Client, TransactionTestCase
from django.utils import translation
from rest_framework.test import APIClient

from arbplatform.core.clock import FixedClock

PASSWORD = "correct-horse-battery"
GUARDS = (
    "accounts.migrations.0003_transfer_rules",
    "ledger.migrations.0002_guards",
    "ledger.migrations.0003_trading_halts",
    "ledger.migrations.0005_reservations",
    "strategies.migrations.0004_risk_limits",
)
"""Migrations with triggers that keep facts from being deleted."""


@pytest.fixture(autouse=True)
def empty_cache():
    """Throttles and cached prices of one test must not reach the next one."""
    cache.clear()


@pytest.fixture(autouse=True)
def default_language():
    """The language of a request stays with its thread; the next test must not inherit it."""
    translation.deactivate()


@pytest.fixture
def clock():
    """A clock at 2026-01-01 00:00 UTC that moves only when told to."""
    return FixedClock(at_ms=1_767_225_600_000)


@pytest.fixture
def user(db):
    """A person who may log in and read."""
    return get_user_model().objects.create_user("reader", password=PASSWORD)


@pytest.fixture
def staff(db):
    """A person who may change things through the API."""
    return get_user_model().objects.create_user("operator", password=PASSWORD, is_staff=True)


@pytest.fixture
def superuser(db):
    """A person who may do everything in the console."""
    return get_user_model().objects.create_superuser("root", password=PASSWORD)


@pytest.fixture
def anonymous_api():
    """An API client without credentials."""
    return APIClient()


@pytest.fixture
def user_api(user):
    """An API client that may read."""
    client = APIClient()
    client.force_authenticate(user)
    return client


@pytest.fixture
def staff_api(staff):
    """An API client that may read and write."""
    client = APIClient()
    client.force_authenticate(staff)
    return client


@pytest.fixture
def data():
    """Return the data of a success, after looking at its envelope."""

    def read(response, status=200):
        body = response.json()
        assert (response.status_code, body["code"], body["msg"]) == (status, 0, "success"), body
        return body["data"]

    return read


@pytest.fixture
def refusal():
    """Return status, code and named fields of a refusal, after looking at its envelope."""

    def read(response):
        body = response.json()
        assert set(body) == {"code", "msg", "data"}
        assert body["msg"]
        fields = sorted(body["data"]["fields"]) if body["data"] else []
        return response.status_code, body["code"], fields

    return read


@pytest.fixture
def console(superuser):
    """A browser that is logged in to the console."""
    client = Client()
    client.force_login(superuser)
    return client


@pytest.fixture(scope="session", autouse=True)
def guards_stand_aside_for_flush():
    """Let a transactional test be cleaned up although the ledger's facts cannot be deleted.

    Django empties every table after such a test. The triggers are gone for the time of that
    cleaning only, so every test, transactional or not, runs with them.
    """
    guards = [import_module(name) for name in GUARDS]
    flush: Any = getattr(TransactionTestCase, "_fixture_teardown")  # noqa: B009  not in the stubs

    def flush_without_guards(case):
        for guard in guards:
            guard.drop_guards(connection)
        try:
            flush(case)
        finally:
            for guard in guards:
                guard.create_guards(connection)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", flush_without_guards)
        yield
