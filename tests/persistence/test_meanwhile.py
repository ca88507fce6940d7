"""What is done while the database works, in the thread that waits for it."""

import socket
import time

import pytest
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, connections

from arbplatform.persistence.prepared import session_of

pytestmark = [
    pytest.mark.skipif(connection.vendor != "postgresql", reason="needs PostgreSQL: its driver"),
    pytest.mark.django_db(transaction=True),
]


IDLE, ACTIVE = 0, 1


def state():
    """Return what the connection does, by the number that the driver has for it."""
    return connection.connection.info.transaction_status


@pytest.fixture
def run():
    """Run a text with something to do meanwhile; return its rows."""

    def run(text, meanwhile):
        database = connections[DEFAULT_DB_ALIAS]
        return session_of(database).run(database, text, meanwhile).fetchall()

    return run


@pytest.fixture
def driver():
    """The driver's way to wait, given back as it was."""
    from psycopg2 import extensions  # noqa: PLC0415  there is none without PostgreSQL

    before = extensions.get_wait_callback()
    yield extensions
    extensions.set_wait_callback(before)


def test_it_is_done_before_the_answer_is_there(run):
    states = []

    rows = run("SELECT pg_sleep(0.05), 7", lambda: states.append(state()))

    assert states == [ACTIVE]
    assert rows[0][1] == 7


def test_a_text_that_does_not_fit_into_the_socket_leaves_whole_first(run):
    done = []

    rows = run(f"SELECT length('{'x' * 5_000_000}')", lambda: done.append(True))

    assert (rows, done) == ([(5_000_000,)], [True])


def test_it_is_done_once_also_where_the_statement_fails(run):
    done = []

    for _ in range(2):
        with pytest.raises(DatabaseError, match="division by zero"):
            run("SELECT 1 / 0", lambda: done.append(True))
    rows = run("SELECT 1", lambda: None)

    assert (rows, done) == ([(1,)], [True, True])


def test_where_somebody_else_waits_for_the_driver_it_is_done_afterwards(run, driver):
    waited = []

    def wait(waiting):
        while waiting.poll() != driver.POLL_OK:
            waited.append(True)

    run("SELECT 1", lambda: None)
    driver.set_wait_callback(wait)
    states = []

    rows = run("SELECT 2", lambda: states.append(state()))

    assert waited
    assert driver.get_wait_callback() is wait
    assert (rows, states) == ([(2,)], [IDLE])


def test_a_server_that_takes_a_connection_and_says_nothing_is_given_up(run, driver):
    """The driver leaves ``connect_timeout`` to who waits."""
    import psycopg2  # noqa: PLC0415

    run("SELECT 1", lambda: None)
    assert driver.get_wait_callback() is not None
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(psycopg2.OperationalError, match="timeout expired"):
            psycopg2.connect(
                host="127.0.0.1", port=silent.getsockname()[1], user="nobody", connect_timeout=1
            )

    assert 1 <= time.monotonic() - began < 10
