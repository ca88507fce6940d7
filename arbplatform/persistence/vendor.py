"""Which database there is."""

from functools import cache

from django.db import connection


@cache
def database_vendor() -> str:
    """Return the vendor of the default database, such as ``sqlite`` or ``postgresql``.

    It is the same for as long as a process lives. ``connection.vendor`` looks for the connection of
    the running thread or task each time, which takes longer than some statements take to write.
    """
    return str(connection.vendor)
