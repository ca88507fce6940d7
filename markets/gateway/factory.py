"""Hands out gateways: one for each venue and key, shared by all threads of the process."""

import hashlib
import json
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from markets.gateway.base import Credentials, VenueGateway, VenueSpec
from markets.gateway.catalog import Catalog
from markets.gateway.ccxt_rest import CcxtRestGateway
from markets.gateway.client import exchange_class

GATEWAYS_MAX = 64
"""Gateways that are kept; when there are more, the one unused for longest is closed."""

CATALOGS_MAX = 64
TIMEOUT_MS = 10_000

Builder = Callable[[VenueSpec, Credentials | None], VenueGateway]


class _Closable(Protocol):
    def close(self) -> None: ...


ThingT = TypeVar("ThingT", bound=_Closable)


class _Shelf(OrderedDict[str, ThingT]):
    """Things by key; the one unused for longest is closed and dropped."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size

    def take(self, key: str, build: Callable[[], ThingT]) -> ThingT:
        if key not in self:
            self[key] = build()
        self.move_to_end(key)
        while len(self) > self._size:
            self.popitem(last=False)[1].close()
        return self[key]

    def close_all(self) -> None:
        while self:
            self.popitem()[1].close()


class _Factory:
    """The gateways of this process."""

    def __init__(self) -> None:
        self.timeout_ms = TIMEOUT_MS
        self.builder: Builder | None = None
        self.forget()

    def forget(self) -> None:
        """Start anew without closing anything: after a fork the sockets are the parent's."""
        self._lock = threading.Lock()
        self._gateways: _Shelf[VenueGateway] = _Shelf(GATEWAYS_MAX)
        self._catalogs: _Shelf[Catalog] = _Shelf(CATALOGS_MAX)

    def take(self, spec: VenueSpec, credentials: Credentials | None) -> VenueGateway:
        builder = self.builder
        if builder is not None:
            return builder(spec, credentials)
        venue_key = _venue_key(spec)
        with self._lock:
            return self._gateways.take(
                f"{venue_key}/{_credentials_key(credentials)}",
                lambda: CcxtRestGateway(spec, credentials, self._catalog(venue_key, spec)),
            )

    def _catalog(self, venue_key: str, spec: VenueSpec) -> Catalog:
        exchange_class(spec.ccxt_id)  # refuse an unknown class now, not at the first call
        return self._catalogs.take(venue_key, lambda: Catalog(spec, timeout_ms=self.timeout_ms))

    def close_all(self) -> None:
        with self._lock:
            self._gateways.close_all()
            self._catalogs.close_all()


_FACTORY = _Factory()
os.register_at_fork(after_in_child=_FACTORY.forget)


def configure(*, timeout_ms: int) -> None:
    """Set how long gateways that are made from now on wait for a venue.

    Args:
        timeout_ms: for connecting and for each wait for data [ms].
    """
    _FACTORY.timeout_ms = timeout_ms


def gateway_for(spec: VenueSpec, credentials: Credentials | None = None) -> VenueGateway:
    """Return the gateway to a venue with a key, the same one for every caller.

    Nothing is sent by this.

    Args:
        spec: how to reach the venue.
        credentials: whose account, or ``None`` for public data only.

    Raises:
        UnknownVenueClass: ccxt has no such class.
    """
    return _FACTORY.take(spec, credentials)


@contextmanager
def use_gateways(builder: Builder) -> Iterator[None]:
    """Let ``builder`` make every gateway, in all threads, until the block ends: for tests."""
    previous = _FACTORY.builder
    _FACTORY.builder = builder
    try:
        yield
    finally:
        _FACTORY.builder = previous


def close_all() -> None:
    """Close every gateway; the next ``gateway_for`` makes new ones."""
    _FACTORY.close_all()


def _venue_key(spec: VenueSpec) -> str:
    options = json.dumps(spec.options, sort_keys=True, default=str)
    return json.dumps([spec.code, spec.ccxt_id, spec.rest_origin, spec.ws_origin, options])


def _credentials_key(credentials: Credentials | None) -> str:
    """Return a digest, so that no key lies about in a dictionary."""
    if credentials is None:
        return ""
    parts = (credentials.api_key, credentials.api_secret, credentials.passphrase)
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
