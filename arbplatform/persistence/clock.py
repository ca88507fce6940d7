"""The database's clock: the one clock that processes on several machines have in common.

A lease that one machine writes and another one compares must not depend on how well their clocks
agree. PostgreSQL is asked for the time. SQLite is a file, so whoever uses it is on one machine, and
that machine's clock is the common one.
"""

from datetime import datetime
from typing import Final

from django.db import connection

from arbplatform.core.clock import SystemClock, to_ms


class DatabaseClock(SystemClock):
    """The wall time of the database; durations are measured by the machine's own clock."""

    def now(self) -> datetime:
        """Return the present moment in UTC.

        Raises:
            OperationalError: the database is away.
        """
        if connection.vendor != "postgresql":
            return super().now()
        with connection.cursor() as cursor:
            # not now(): that one stands still for as long as a transaction lasts
            cursor.execute("SELECT clock_timestamp()")
            moment: datetime = cursor.fetchone()[0]
        return moment

    def now_ms(self) -> int:
        """Return the present moment [ms since the Unix epoch]."""
        return to_ms(self.now())


DATABASE_CLOCK: Final = DatabaseClock()
