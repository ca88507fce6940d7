"""Hands out gateways: one for each venue and key, shared by all threads of the process."""

import hashlib
import json
import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from arbplatform.core.errors import Message
from markets.domain.health import Pulse
from markets.errors import UnknownVenueClass, VenueUnavailable
from markets.gateway.base import Credentials, VenueGateway, VenueSpec
from markets.gateway.budget import BudgetHealth, Redis
from markets.gateway.catalog import Catalog, budget_of
from markets.gateway.ccxt_rest import CcxtRestGateway
from markets.gateway.client import Client, exchange_class

logger = logging.getLogger(__name__)

GATEWAYS_MAX = 64
"""Gateways that are kept; when there are more, the one unused for longest is closed."""

CATALOGS_MAX = 64
TIMEOUT_MS = 10_000
ADDRESS = "default"

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
        self.redis_url = ""
        self.address = ADDRESS
        self.warm_count = 0
        self.store: Redis | None = None
        self.builder: Builder | None = None
        self.forget()

    def forget(self) -> None:
        """Start anew without closing anything: after a fork the sockets are the parent's."""
        self._lock = threading.Lock()
        self._gateways: _Shelf[CcxtRestGateway] = _Shelf(GATEWAYS_MAX)
        self._catalogs: _Shelf[Catalog] = _Shelf(CATALOGS_MAX)
        self.store = Redis(self.redis_url) if self.redis_url else None

    def connect(self, redis_url: str) -> None:
        """Keep rates in Redis from now on; gateways that exist stay as they are."""
        self.redis_url = redis_url
        if self.store is not None:
            self.store.close()
        self.store = Redis(redis_url) if redis_url else None

    def take(self, spec: VenueSpec, credentials: Credentials | None) -> VenueGateway:
        builder = self.builder
        if builder is not None:
            return builder(spec, credentials)
        venue_key = _venue_key(spec)
        with self._lock:
            gateway = self._gateways.take(
                f"{venue_key}/{_credentials_key(credentials)}",
                lambda: CcxtRestGateway(spec, credentials, self._catalog(venue_key, spec)),
            )
        gateway.heed_clock(spec.clock)
        gateway.heed_health(spec.health)
        return gateway

    def _catalog(self, venue_key: str, spec: VenueSpec) -> Catalog:
        exchange_class(spec.ccxt_id)  # refuse an unknown class now, not at the first call
        return self._catalogs.take(
            venue_key,
            lambda: Catalog(
                spec,
                timeout_ms=self.timeout_ms,
                store=self.store,
                address=self.address,
                warm_count=self.warm_count,
            ),
        )

    def source(self, spec: VenueSpec) -> Client:
        with self._lock:
            catalog = self._catalog(_venue_key(spec), spec)
        return catalog.source()

    def heed(self, spec: VenueSpec) -> Catalog | None:
        """Return what the venue's gateways share, if there are any, brought up to date."""
        with self._lock:
            catalog = self._catalogs.get(_venue_key(spec))
        if catalog is not None and spec.clock is not None:
            catalog.heed_clock(spec.clock)
        if catalog is not None and spec.health is not None:
            catalog.pulse.heed(spec.health.state, spec.health.since_ms)
        return catalog

    def pulse(self, spec: VenueSpec) -> tuple[Pulse, float]:
        """Return what calls met, and how long the venue wants silence [ms]."""
        catalog = self.heed(spec)
        if catalog is None:
            return Pulse(), 0.0
        limiter = catalog.limiter
        return catalog.pulse.pulse, 0.0 if limiter is None else limiter.silent_ms()

    def pulses(self) -> list[tuple[VenueSpec, Pulse]]:
        with self._lock:
            catalogs = list(self._catalogs.values())
        return [(catalog.spec, catalog.pulse.pulse) for catalog in catalogs]

    def close_all(self) -> None:
        with self._lock:
            self._gateways.close_all()
            self._catalogs.close_all()


_FACTORY = _Factory()
os.register_at_fork(after_in_child=_FACTORY.forget)


def configure(
    *, timeout_ms: int, redis_url: str = "", address: str = ADDRESS, warm_count: int = 0
) -> None:
    """Set how gateways that are made from now on wait for a venue and share its rates.

    Args:
        timeout_ms: for connecting and for each wait for data [ms].
        redis_url: where rates are kept with other processes; empty for this process alone.
        address: name of this machine's outgoing address; machines of one name share the rates.
        warm_count: connections to a venue that are kept open while somebody trades there.
    """
    _FACTORY.timeout_ms, _FACTORY.address = timeout_ms, address
    _FACTORY.warm_count = warm_count
    _FACTORY.connect(redis_url)


def budget_health(spec: VenueSpec) -> tuple[bool, BudgetHealth | None]:
    """Return whether a venue's rate is limited, and what is left of its budget.

    Args:
        spec: how to reach the venue.

    Returns:
        The health is ``None`` if there is no limit, or if Redis is away or not used: then each
        process keeps its own part. A class that ccxt has not is never asked, so not limited.
    """
    try:
        exchange_class(spec.ccxt_id)
    except UnknownVenueClass:
        return False, None
    budget, store = budget_of(spec, _FACTORY.address), _FACTORY.store
    if budget is None or store is None:
        return budget is not None, None
    return True, store.look(budget)


def read_pulse(spec: VenueSpec) -> tuple[Pulse, float]:
    """Return what the calls of this process to a venue met, and the silence it wants [ms].

    Nothing is sent by this; a venue that was never called has no pulse.
    """
    return _FACTORY.pulse(spec)


def heed_venues(specs: Iterable[VenueSpec]) -> None:
    """Go by how all processes take venues to be, and by their clocks.

    For who follows venues for long: what it once read of them says how they were then.

    Args:
        specs: as they were read a moment ago.
    """
    for spec in specs:
        _FACTORY.heed(spec)


def list_pulses() -> list[tuple[VenueSpec, Pulse]]:
    """Return what the calls of this process met, for each venue that it has called.

    A venue whose address or options were edited is listed as it was, and then as it is.
    """
    return _FACTORY.pulses()


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


def markets_of(spec: VenueSpec) -> Client:
    """Return the instance of ccxt that holds a venue's markets, to be read only.

    They are loaded over REST if they were not, or long ago.

    Args:
        spec: how to reach the venue.

    Raises:
        VenueUnavailable: they cannot be had.
        UnknownVenueClass: ccxt has no such class.
    """
    try:
        return _FACTORY.source(spec)
    except UnknownVenueClass:
        raise
    except Exception as error:  # noqa: BLE001  whatever it was: there are no markets
        logger.info("%s: no markets: %r", spec.code, error)
        cause = Message("its markets could not be read")
        raise VenueUnavailable(venue=spec.code, cause=cause) from None


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
