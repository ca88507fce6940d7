"""What all calls of this process to one venue share: markets, clock, rate limit, connections."""

import decimal
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import ccxt

from arbplatform.core.decimals import PRECISION_DIGITS
from arbplatform.core.errors import Message
from markets.domain.clocks import ROUND_TRIP_MS_MAX, ClockReading
from markets.gateway.base import VenueSpec
from markets.gateway.budget import Budget, Redis, SharedLimiter, budget_for
from markets.gateway.client import Client, build_client, exchange_class
from markets.gateway.connections import Connections, Lender
from markets.gateway.error_map import Malformed
from markets.gateway.limiter import Limiter, RateLimiter
from markets.gateway.origins import is_local
from markets.gateway.pulses import PulseCounter
from markets.gateway.warming import Warmer

logger = logging.getLogger(__name__)

MARKETS_AGE_MS_MAX = 6 * 3_600_000
"""Markets older than this are loaded again beside the next call [ms]."""

RELOAD_PAUSE_MS = 60_000
"""Shortest time between two loads that nobody asked for [ms]."""

_NETWORK_TABLES = (
    "networks", "networksById", "networkNamesByChainIds", "networkChainIdsByNames",
)  # fmt: skip
"""Options in which some classes keep what a list of networks said: only the instance that read it
has them, and goes by them in whatever names a network."""


Work = Callable[[], None]


def _in_a_thread(work: Work) -> None:
    threading.Thread(target=work, name="markets", daemon=True).start()


class Catalog:
    """Markets, clock offset, rate limiter and open connections of one venue.

    Markets that are there are renewed beside the calls: a list of thousands takes seconds, an order
    that waited for it would not leave any more, and the order of the other leg has left by then.

    Args:
        spec: how to reach the venue.
        timeout_ms: of every request [ms].
        store: where rates are kept with other processes; ``None`` for this process alone.
        address: name of this machine's outgoing address.
        warm_count: connections that are kept open while somebody trades there.
        start: has something done beside the calls.
    """

    def __init__(
        self,
        spec: VenueSpec,
        *,
        timeout_ms: int,
        store: Redis | None = None,
        address: str = "",
        warm_count: int = 0,
        start: Callable[[Work], None] = _in_a_thread,
    ) -> None:
        self.spec = spec
        self.timeout_ms = timeout_ms
        self.limiter = _limiter(spec, store, address)
        self.store = store
        self.pulse = PulseCounter()
        self.connections = Connections()
        self.warmer = Warmer(
            spec.code,
            self.connections,
            self._client,
            count=warm_count,
            is_barred=lambda: self.pulse.is_blocked,
        )
        self._lock = threading.Lock()
        self._source: Client = None
        self._version = 0
        self._loaded_at_ms = 0.0
        self._tried_at_ms = 0.0
        self._is_stale = False
        self._start = start
        self._renewing = threading.Lock()
        self._clock = ClockReading(offset_ms=0, measured_at_ms=0)
        self._currencies: dict[str, Any] | None = None
        self._network_tables: dict[str, dict[str, Any]] = {}

    def prepare(self, client: Client, *, is_waiting: bool = False) -> None:
        """Give ``client`` markets and clock offset.

        Args:
            client: lent for a call.
            is_waiting: the call needs markets that are not known, and waits for newer ones.

        Raises:
            ccxt.BaseError: they were never loaded and cannot be.
        """
        self._see_to_markets(is_waiting=is_waiting)
        version = self._version  # before the markets: they may be renewed in this moment
        if client.catalog_version != version:
            client.set_markets_from_exchange(self._source)
            client.catalog_version = version
        client.options["timeDifference"] = self._clock.offset_ms

    def source(self) -> Client:
        """Return the instance that holds the markets, to be read only; load them if need be.

        Raises:
            ccxt.BaseError: they were never loaded and cannot be.
        """
        self._see_to_markets(is_waiting=False)
        return self._source

    def reload(self) -> Client:
        """Load the markets now and return the instance that holds them.

        Raises:
            ccxt.BaseError: the venue did not give them; the old ones stay.
        """
        self._load(is_asked_for=True)
        return self._source

    def mark_stale(self) -> None:
        """Load the markets again beside the next call: a refusal hints that rules changed."""
        self._is_stale = True

    @property
    def clock(self) -> ClockReading:
        """How far our clock is from the venue's, by the newest measurement."""
        return self._clock

    def heed_clock(self, reading: ClockReading) -> None:
        """Take a reading over if it is newer than what is known."""
        if reading.measured_at_ms > self._clock.measured_at_ms:
            self._clock = reading

    def measure_clock(self, client: Client) -> None:
        """Measure how far our clock is ahead of the venue's, with half the round trip added.

        What is known stays if the answer takes so long that it says nothing.
        """
        if not client.has.get("fetchTime"):
            return
        started_ms = client.milliseconds()
        venue_ms = client.fetch_time()
        ended_ms = client.milliseconds()
        if isinstance(venue_ms, int) and ended_ms - started_ms <= ROUND_TRIP_MS_MAX:
            self._clock = ClockReading((started_ms + ended_ms) // 2 - venue_ms, ended_ms)

    def keep_currencies(self, client: Client, currencies: dict[str, Any]) -> None:
        """Go by a list of networks that ``client`` has just read: fees and what is open change."""
        self._network_tables = {
            name: dict(client.options[name])
            for name in _NETWORK_TABLES
            if isinstance(client.options.get(name), Mapping)
        }
        self._currencies = currencies

    def load_currencies(self, client: Client) -> None:
        """Give ``client`` the venue's list of networks if it can be had; else go without.

        Classes that cannot do without refuse before they send anything.
        """
        if self._currencies is None and getattr(type(client), "fetch_currencies", None):
            try:
                self.keep_currencies(client, client.fetch_currencies() or {})
            except ccxt.BaseError:
                logger.warning("%s gives no list of currencies; going without", self.spec.code)
                return
        if self._currencies:
            client.currencies = {**(client.currencies or {}), **self._currencies}
            client.currencies_by_id = client.index_by(list(client.currencies.values()), "id")
            # copies, since a class may write to its own
            client.options.update({name: {**table} for name, table in self._network_tables.items()})

    def close(self) -> None:
        """Close the connections, those that are in use as they come back."""
        self.warmer.stop()
        self.connections.close()

    def _see_to_markets(self, *, is_waiting: bool) -> None:
        """Load the markets if there are none, or if they are due; else at most one thread does."""
        if self._source is None or is_waiting:
            self._load(is_asked_for=False)  # or wait for who is doing it
        elif self._is_due() and self._renewing.acquire(blocking=False):
            try:
                self._start(self._renew)
            except RuntimeError as error:
                self._renewing.release()
                logger.warning("%s: markets cannot be renewed now: %s", self.spec.code, error)

    def _renew(self) -> None:
        try:
            with decimal.localcontext(prec=PRECISION_DIGITS):
                self._load(is_asked_for=False)
        finally:
            self._renewing.release()

    def _is_due(self) -> bool:
        now_ms = _monotonic_ms()
        if self._source is None:
            return True
        is_old = now_ms - self._loaded_at_ms > MARKETS_AGE_MS_MAX
        return (is_old or self._is_stale) and now_ms - self._tried_at_ms > RELOAD_PAUSE_MS

    def _load(self, *, is_asked_for: bool) -> None:
        with self._lock:
            if not is_asked_for and not self._is_due():
                return  # another thread did it while we waited
            self._tried_at_ms = _monotonic_ms()
            # a refusal from here on may mean that what is read now is old as well
            was_stale, self._is_stale = self._is_stale, False
            try:
                source = self._fresh_source()
            except Exception:
                self._is_stale |= was_stale
                if is_asked_for or self._source is None:
                    raise
                logger.warning(
                    "%s: markets could not be renewed; the old ones stay", self.spec.code
                )
                return
            self._source = source
            self._version += 1
            self._loaded_at_ms = _monotonic_ms()

    def _fresh_source(self) -> Client:
        source = self._client(self.connections)
        # The list of currencies is a second, sometimes private call that trading does not need.
        source.has = {**source.has, "fetchCurrencies": False}
        source.begin_call()
        source.load_markets(True)
        if not any(market.get("spot") for market in source.markets.values()):
            # What would be believed here would take every market away from those who trade.
            raise Malformed(Message("the answer holds no spot market"))
        if "timeDifference" in source.options:
            self.measure_clock(source)
        return source

    def _client(self, connections: Lender) -> Client:
        return build_client(
            self.spec,
            None,
            timeout_ms=self.timeout_ms,
            limiter=self.limiter,
            connections=connections,
        )


def budget_of(spec: VenueSpec, address: str) -> Budget | None:
    """Return the budget of a venue: at ccxt's own pace, but none for a local address.

    ``enableRateLimit`` and ``rateLimit`` [ms per unit] among the venue's options decide otherwise.

    Args:
        spec: how to reach the venue.
        address: name of this machine's outgoing address.
    """
    if not spec.options.get("enableRateLimit", not is_local(spec.rest_origin)):
        return None
    unit_ms = spec.options.get("rateLimit") or exchange_class(spec.ccxt_id)().rateLimit
    return budget_for(spec, float(unit_ms), address)


def _limiter(spec: VenueSpec, store: Redis | None, address: str) -> Limiter | None:
    budget = budget_of(spec, address)
    if budget is None:
        return None
    if store is None:
        return RateLimiter(budget.unit_ms, order_ms=budget.order_ms, hold_ms=budget.order_window_ms)
    return SharedLimiter(budget, store)


def _monotonic_ms() -> float:
    return time.monotonic_ns() / 1_000_000
