"""Fixtures that every part of the suite may use."""

from collections import Counter
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.db import connection
from django.test import Client, TransactionTestCase
from django.utils import translation
from hypothesis import HealthCheck, settings
from rest_framework.test import APIClient

from arbplatform.core.clock import SYSTEM_CLOCK, FixedClock, SystemClock, from_ms
from arbplatform.core.masking import forget_secrets
from ledger.services.waits import WAITS
from tests.emptying import empty_the_database
from tests.patience import (
    PATIENCE_MS,
    lengthen_decisions,
    set_claim_deadline,
    set_send_deadline,
)
from tests.restartable import migrated_server, own_database

__all__ = ["migrated_server", "own_database"]

PASSWORD = "correct-horse-battery"

LOAD_OF_REAL_TRANSACTIONS = 3
"""So many ordinary tests take as long: threads and processes are started, rows are deleted."""

settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")  # what counts is the answer, not how busy the machine is


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark each file of which anything uses the database: only those run on PostgreSQL too.

    What is not marked cannot use it: pytest-django lets no test open a connection that did not
    ask for the database. What brings a server of its own does the same on both, and runs once.

    The longest files come first, or the last of them would keep one process busy while the others
    have nothing left to do. (``--no-loadscope-reorder`` keeps xdist from counting tests only.)
    """
    files = {item.path for item in items if _uses_database(item)}
    loads: Counter[Path] = Counter()
    for item in items:
        if item.path in files:
            item.add_marker("database")
        if "migrated_server" in item.fixturenames:
            item.add_marker("own_server")
        loads[item.path] += LOAD_OF_REAL_TRANSACTIONS if _is_transactional(item) else 1
    selected = yield  # by marks; and pytest-django orders the tests of each file
    items.sort(key=lambda item: (-loads[item.path], item.path))
    return selected


def _uses_database(item):
    return (
        item.get_closest_marker("django_db") is not None
        or "django_db_setup" in item.fixturenames
        or getattr(getattr(item, "module", None), "connection", None) is connection
    )


def _is_transactional(item):
    marker = item.get_closest_marker("django_db")
    return "transactional_db" in item.fixturenames or bool(
        marker is not None and marker.kwargs.get("transaction")
    )


@pytest.fixture
def chinese_terminal(settings):
    """Give commands a terminal that is set to Chinese."""
    settings.COMMAND_LANGUAGE = "zh-hans"


@pytest.fixture(autouse=True)
def empty_cache():
    """Throttles and cached prices of one test must not reach the next one."""
    cache.clear()


@pytest.fixture(autouse=True)
def no_hanging_venues():
    """A venue that hung in one test hangs in no other: their codes are the same."""
    WAITS.forget()


@pytest.fixture(autouse=True)
def patient_senders():
    """A busy machine makes no order too late.

    Tests about that, and about the kill switch, which rests on it, ask for ``exact_deadline``, and
    tests about orders that were decided on long before they are claimed for ``exact_claims``.
    """
    with pytest.MonkeyPatch.context() as patch:
        set_send_deadline(patch, PATIENCE_MS)
        set_claim_deadline(patch, PATIENCE_MS)
        yield


@pytest.fixture
def exact_deadline(patient_senders):
    """An order must leave within the time that the product gives it."""
    with pytest.MonkeyPatch.context() as patch:
        set_send_deadline(patch)
        yield


@pytest.fixture
def exact_claims(patient_senders):
    """An order must be claimed within the time after its decision that the product gives it."""
    with pytest.MonkeyPatch.context() as patch:
        set_claim_deadline(patch)
        yield


@pytest.fixture(autouse=True)
def patient_deciders(request):
    """A busy machine makes no decision too late, and no book too old for the platform.

    Tests about that ask for ``exact_decisions``. For strategies see ``PATIENT_BOOKS``.
    """
    with pytest.MonkeyPatch.context() as patch:
        if "exact_decisions" not in request.fixturenames:
            lengthen_decisions(patch)
        yield


@pytest.fixture
def exact_decisions():
    """A decision has the time, and books the age, that the product allows: see above."""


@pytest.fixture(autouse=True)
def no_known_secrets():
    """A secret of one test may be an ordinary word of the next."""
    forget_secrets()


@pytest.fixture(autouse=True)
def default_language():
    """The language of a request stays with its thread; the next test must not inherit it."""
    translation.deactivate()


@pytest.fixture
def clock():
    """A clock at 2026-01-01 00:00 UTC that moves only when told to."""
    return FixedClock(at_ms=1_767_225_600_000)


@pytest.fixture
def standing_time(monkeypatch):
    """Let the machine's own wall clock stand still; return where it does [ms since epoch].

    Durations go on being measured.
    """
    now_ms = SYSTEM_CLOCK.now_ms()
    monkeypatch.setattr(SystemClock, "now_ms", lambda _clock: now_ms)
    monkeypatch.setattr(SystemClock, "now", lambda _clock: from_ms(now_ms))
    return now_ms


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
    """An API client that may read and write everything."""
    staff.user_permissions.set(Permission.objects.all())
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
def quick_emptying():
    """Clean up after transactional tests in our way; see there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _case: empty_the_database())
        yield
