"""The last thing of ours that a request passes on its way to the connection."""

import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

from requests.adapters import HTTPAdapter  # noqa: TID251  this is markets.gateway
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

Ask = Callable[[], None]
"""Raises if what is about to be sent must not leave."""


class LastDoor(HTTPAdapter):
    """Asks whether a request may leave when it is ready down to its last byte.

    By then its connection is open and its text is made: all that is left is to write it. An order
    that waits here for its commit leaves within microseconds of it.

    Args:
        client: whose requests.
    """

    def __init__(self, client: Any) -> None:
        # weak: the client holds the session that holds this
        self._ask = partial(_ask, weakref.ref(client))
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the manager of connections, of those that ask."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """Return the connections for a request, or raise ``TooLate``."""
        pool = super().get_connection_with_tls_context(*args, **kwargs)
        if isinstance(pool, _HandsOut):
            pool.ask = self._ask
        else:
            self._ask()  # connections to a proxy are not of our making: these are asked for before
        return pool


def _ask(reference: "weakref.ref[Any]") -> None:
    client = reference()
    if client is not None:
        client.ask_to_leave()


class _Asks:
    """What a connection is taught."""

    ask: Ask
    sock: Any

    def endheaders(self, *args: Any, **kwargs: Any) -> None:
        """Send what was put together; the connection is opened before it is asked."""
        connection: Any = super()
        if self.sock is None:
            self.connect()  # type: ignore[attr-defined]
        self.ask()
        connection.endheaders(*args, **kwargs)


class _HandsOut:
    """What the connections to one address are taught."""

    ask: Ask

    def _get_conn(self, timeout: float | None = None) -> Any:
        pool: Any = super()
        connection = pool._get_conn(timeout)  # noqa: SLF001  made to be overridden
        connection.ask = self.ask
        return connection


class _Connection(_Asks, HTTPConnection):
    pass


class _TlsConnection(_Asks, HTTPSConnection):
    pass


class _Pool(_HandsOut, HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(_HandsOut, HTTPSConnectionPool):
    ConnectionCls = _TlsConnection
