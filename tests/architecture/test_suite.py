"""What the suite as a whole relies on."""

import pytest
from django.db import connection
from hypothesis import settings


def test_what_did_not_ask_for_the_database_cannot_open_it():
    """So what is not marked ``database`` need not run on PostgreSQL too."""
    with pytest.raises(RuntimeError, match="Database access not allowed"):
        connection.ensure_connection()


def test_no_example_fails_for_being_slow():
    assert settings().deadline is None
