"""A PostgreSQL server of our own that a test may stop and start under the running platform."""

import itertools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import psycopg2
import pytest
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connections

from arbplatform.persistence.vendor import database_vendor
from arbplatform.settings.base import database
from tests.postgres import PostgresServer

TEMPLATE = "migrated"
_numbers = itertools.count()


class Database:
    """One database on the server, which every query of this process goes to.

    Attributes:
        url: for DATABASE_URL.
    """

    def __init__(self, server: PostgresServer, name: str) -> None:
        self._server = server
        self._lock = Lock()
        self.url = server.url(name)

    def go_away(self) -> None:
        """End the server; safe to do from several senders at once."""
        with self._lock:
            self._server.stop()

    def come_back(self) -> None:
        """Start it again; sessions from before are of no use any more."""
        self._server.start()
        # what Django does before each task and each request
        connections["default"].close_if_unusable_or_obsolete()


@contextmanager
def connected_to(url: str) -> Iterator[None]:
    """Let every query of this process go to another database."""
    before = connections["default"]
    with pytest.MonkeyPatch.context() as patch:
        config = {**settings.DATABASES["default"], **database(url), "CONN_MAX_AGE": 0}
        patch.setitem(connections.settings, "default", config)
        connections["default"] = connections.create_connection("default")
        _forget_the_database()
        try:
            yield
        finally:
            connections["default"].close()
            connections["default"] = before
            _forget_the_database()


def _forget_the_database() -> None:
    """Have asked anew what the platform asks once, since its database never changes."""
    ContentType.objects.clear_cache()
    database_vendor.cache_clear()


def execute(url: str, sql: str) -> None:
    parts = url.removeprefix("postgres://postgres@/").rpartition("/")
    session: Any = psycopg2.connect(host=parts[0], dbname=parts[2], user="postgres")
    session.autocommit = True
    session.cursor().execute(sql)
    session.close()


@pytest.fixture(scope="session")
def migrated_server(django_db_setup: None, django_db_blocker: Any) -> Iterator[PostgresServer]:
    with tempfile.TemporaryDirectory(prefix="arb-pg-") as name:
        server = PostgresServer(Path(name))
        try:
            server.start()
            execute(server.url(), f"CREATE DATABASE {TEMPLATE}")
            with django_db_blocker.unblock(), connected_to(server.url(TEMPLATE)):
                call_command("migrate", verbosity=0)
            yield server
        finally:
            server.stop()


@pytest.fixture
def own_database(db: None, migrated_server: PostgresServer) -> Iterator[Database]:
    """A fresh database; name it before the fixtures that write rows."""
    name = f"test_{next(_numbers)}"
    execute(migrated_server.url(), f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    with connected_to(migrated_server.url(name)):
        yield Database(migrated_server, name)
    if not migrated_server.is_running:
        migrated_server.start()  # a test that fails may leave it stopped
    execute(migrated_server.url(), f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def spool_dir(tmp_path: Path, settings: Any) -> Path:
    settings.SPOOL_DIR = tmp_path / "spool"
    return tmp_path / "spool"
