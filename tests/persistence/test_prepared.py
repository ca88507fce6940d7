"""What a connection that runs prepared texts is set to."""

import pytest
from django.db import connection

from arbplatform.persistence.prepared import session_of


@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs PostgreSQL: its settings")
@pytest.mark.django_db
def test_what_is_long_is_packed_by_lz4_where_the_server_can():
    with connection.cursor() as cursor:
        session_of(cursor)
        cursor.execute(
            "SELECT setting, enumvals FROM pg_settings WHERE name = 'default_toast_compression'"
        )
        setting, known = cursor.fetchone()

    assert setting == ("lz4" if "lz4" in known else "pglz")
