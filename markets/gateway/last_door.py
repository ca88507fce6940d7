"""The last thing of ours that a request passes on its way to the connection."""

import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

from requests.adapters import (  # noqa: TID251  this is markets.gateway
    DEFAULT_POOLSIZE,
    HTTPAdapter,
)
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from markets.domain.orders import Write
from markets.gateway.connections import Connections, Lender, Origin

Ask = Callable[[Write], None]
"""Has a request written, or raises if it must not leave."""

_SCHEME_LENGTH_MAX = len("https://")


class LastDoor(HTTPAdapter):
    """Asks whether a request may leave when it is ready down to its last byte.

    By then its connection is open and its text is made: all that is left is to write it, in one
    piece. An order that waits here for its commit is written by the thread that has committed it,
    within microseconds; its own thread need not wake up first.

    Args:
        client: whose requests.
        connections: over which they leave; ``None`` for some of their own.
    """

    def __init__(self, client: Any, connections: Lender | None = None) -> None:
        # weak: the client holds the session that holds this
        self._ask = partial(_ask, weakref.ref(client))
        self._has_own = connections is None
        self._connections: Lender = Connections() if connections is None else connections
        self._pools: dict[Origin, Any] = {}
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the manager of connections, of those that ask."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def get_connection_with_tls_context(
        self, request: Any, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        """Return the connections for a request, or raise ``TooLate``."""
        # to find them among those of all addresses takes longer than to write the request
        end = request.url.find("/", _SCHEME_LENGTH_MAX)
        origin = (request.url if end < 0 else request.url[:end], verify, cert)
        pool = None if proxies else self._pools.get(origin)
        if pool is not None:
            return pool
        pool = super().get_connection_with_tls_context(request, verify, proxies=proxies, cert=cert)
        if not isinstance(pool, _HandsOut):
            # connections to a proxy are not of our making: these are asked for before
            self._ask(_write_nothing)
            return pool
        pool.ask, pool.connections, pool.origin = self._ask, self._connections, origin
        if len(self._pools) >= DEFAULT_POOLSIZE:
            self._pools.clear()  # one of them is closed now
        self._pools[origin] = pool
        return pool

    def request_url(self, request: Any, proxies: Any) -> str:
        """Return what stands in the first line of a request."""
        return str(request.path_url) if not proxies else super().request_url(request, proxies)

    def close(self) -> None:
        """Close all connections of its own; the next request opens new ones."""
        self._pools.clear()
        super().close()
        if self._has_own:
            self._connections.clear()


def _ask(reference: "weakref.ref[Any]", write: Write) -> None:
    client = reference()
    if client is None:
        write()
    else:
        client.write_out(write)


def _write_nothing() -> None:
    """Stand for what is written later."""


class _Asks:
    """What a connection is taught."""

    ask: Ask
    sock: Any
    _pieces: list[bytes] | None = None

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Open the connection, put a request together, ask, and write it.

        Head and body leave in one piece: as two they would be two packets, and the venue would wake
        up twice.
        """
        connection: Any = super()
        if self.sock is None:
            self.connect()  # type: ignore[attr-defined]
        pieces = self._pieces = []
        try:
            connection.request(*args, **kwargs)
        finally:
            self._pieces = None
        self.ask(partial(connection.send, b"".join(pieces)))

    def send(self, data: Any) -> None:
        """Write something, or keep it until the request is complete."""
        connection: Any = super()
        if self._pieces is None:
            connection.send(data)
        else:
            self._pieces.append(data)


class _HandsOut:
    """What the pool of connections to one address is taught: they are kept elsewhere."""

    ask: Ask
    connections: Lender
    origin: Origin

    def _get_conn(self, timeout: float | None = None) -> Any:
        connection = self.connections.take(self.origin)
        if connection is None:
            connection = self._new_conn()  # type: ignore[attr-defined]
        connection.ask = self.ask
        return connection

    def _put_conn(self, connection: Any) -> None:
        if connection is not None:  # else its request failed, and it is closed
            self.connections.put(self.origin, connection)


class _Connection(_Asks, HTTPConnection):
    pass


class _TlsConnection(_Asks, HTTPSConnection):
    pass


class _Pool(_HandsOut, HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(_HandsOut, HTTPSConnectionPool):
    ConnectionCls = _TlsConnection
