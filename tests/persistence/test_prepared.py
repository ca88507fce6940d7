"""What a connection that runs prepared texts is set to."""

import pytest
from django.db import DEFAULT_DB_ALIAS, connection, connections

from arbplatform.persistence.prepared import session_of


@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs PostgreSQL: its settings")
@pytest.mark.django_db
def test_what_is_long_is_packed_by_lz4_where_the_server_can():
    session_of(connections[DEFAULT_DB_ALIAS])
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT setting, enumvals FROM pg_settings WHERE name = 'default_toast_compression'"
        )
        setting, known = cursor.fetchone()

    assert setting == ("lz4" if "lz4" in known else "pglz")
