"""One venue with one set of credentials: lends instances and translates what goes wrong."""

import decimal
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

import ccxt

from arbplatform.core.decimals import PRECISION_DIGITS
from arbplatform.core.errors import Message
from markets.domain.clocks import OFFSET_MS_MAX
from markets.domain.funds import Wallet
from markets.domain.health import Signal
from markets.errors import (
    UnknownSymbol,
    VenueBlocked,
    VenueClockSkewed,
    VenueError,
    VenueRateLimited,
    VenueRejected,
    VenueUnavailable,
)
from markets.gateway.answers import require_list, states_emptiness
from markets.gateway.base import Credentials, VenueSpec
from markets.gateway.budget import account_key
from markets.gateway.catalog import Catalog
from markets.gateway.client import Client, RateKept, build_client, known_codes
from markets.gateway.error_map import (
    READS,
    Effect,
    Malformed,
    code_of,
    is_clock_refusal,
    translate,
)
from markets.gateway.limiter import Urgency
from markets.gateway.nonces import Turns
from markets.gateway.pool import POOL_SIZE, ClientPool, PoolExhausted
from markets.gateway.pulses import signal_of
from markets.gateway.quirks import quirks_for
from markets.gateway.statuses import status_of

logger = logging.getLogger(__name__)

T = TypeVar("T")

_URGENCIES = {
    Effect.READ: Urgency.READ,
    Effect.LOOKUP: Urgency.LOOKUP,
    Effect.WRITE: Urgency.WRITE,
    Effect.CANCEL: Urgency.WRITE,
}


class Session:
    """Calls of one key, or of nobody, to one venue.

    Args:
        spec: how to reach the venue.
        credentials: whose account, or ``None`` for public data only.
        catalog: what is shared with the other sessions of the venue.
    """

    def __init__(self, spec: VenueSpec, credentials: Credentials | None, catalog: Catalog) -> None:
        self.venue = spec.code
        self.catalog = catalog
        self.quirks = quirks_for(spec.ccxt_id)
        self._spec = spec
        self._credentials = credentials
        is_serial = self.quirks.is_nonce_strict and credentials is not None
        self._turns: Turns | None = None
        if is_serial and credentials is not None and catalog.store is not None:
            key = account_key(credentials.api_key)
            self._turns = Turns(key, catalog.store, timeout_ms=catalog.timeout_ms)
        self._pool = ClientPool(
            self._build, size=1 if is_serial else POOL_SIZE, wait_s=catalog.timeout_ms / 1_000
        )

    @contextmanager
    def call(self, effect: Effect, *symbols: str) -> Iterator[Client]:
        """Lend an instance for one call and translate what the call raises.

        Args:
            effect: what the call may change at the venue.
            symbols: markets that the call is about; unknown ones are refused before it.

        Raises:
            VenueError: as ``error_map.translate`` decides.
            UnknownSymbol: a read is about a market that the venue has not.
            VenueRejected: a write is.
        """
        try:
            with (
                self._pool.lend() as client,
                self._turn_of(client),
                decimal.localcontext(prec=PRECISION_DIGITS),
            ):
                # ccxt changes rounding and traps of the thread's decimal context: it gets its own.
                client.urgency = _URGENCIES[effect]
                try:
                    self._need_open()
                    self.catalog.prepare(client)
                    self._need_markets(client, symbols, effect)
                    self._need_clock(effect)
                    client.effect = effect
                    yield client
                    if client.sent_count:
                        self.catalog.pulse.note(Signal.ANSWER)
                except (VenueError, UnknownSymbol):
                    raise
                except Exception as error:  # noqa: BLE001  every error has a translation
                    raise self._translated(error, effect, client) from None
        except PoolExhausted:
            cause = Message("all connections are busy")
            raise VenueUnavailable(venue=self.venue, cause=cause) from None

    @contextmanager
    def reading(self, effect: Effect) -> Iterator[None]:
        """Translate what goes wrong in a read that makes several calls, between them.

        Raises:
            VenueError: as ``error_map.translate`` decides.
        """
        with decimal.localcontext(prec=PRECISION_DIGITS):
            try:
                yield
            except (VenueError, UnknownSymbol):
                raise
            except Exception as error:  # noqa: BLE001  every error has a translation
                raise self._translated(error, effect, None) from None

    def _turn_of(self, client: Client) -> AbstractContextManager[None]:
        """Return what lets no other process use the key meanwhile, where that would do harm."""
        return nullcontext() if self._turns is None else self._turns.take(client)

    @contextmanager
    def reload_call(self) -> Iterator[Client]:
        """Load the markets anew and lend the instance that holds them, to be read only.

        Raises:
            VenueError: as ``error_map.translate`` decides.
        """
        with decimal.localcontext(prec=PRECISION_DIGITS):
            try:
                self._need_open()
                yield self.catalog.reload()
                self.catalog.pulse.note(Signal.ANSWER)
            except VenueBlocked:
                raise
            except Exception as error:  # noqa: BLE001  every error has a translation
                raise self._translated(error, Effect.READ, None) from None

    def _need_open(self) -> None:
        """Refuse every call to a venue that does not serve our place."""
        if self.catalog.pulse.is_blocked:
            raise VenueBlocked(venue=self.venue)

    def _need_clock(self, effect: Effect) -> None:
        """Refuse what could move money while our clock and the venue's differ too much.

        A cancellation takes risk away and is let through.
        """
        clock = self.catalog.clock
        if effect is Effect.WRITE and not clock.is_safe:
            raise VenueClockSkewed(venue=self.venue, offset=clock.offset_ms, limit=OFFSET_MS_MAX)

    def timed(self, client: Client, send: Callable[[], T]) -> T:
        """Run ``send``, and once more if it was refused for nothing but its time stamp.

        Such a refusal is definite: nothing was carried out, so the same request may go again.

        Raises:
            VenueClockSkewed: a write, and the clocks turn out to differ too much.
        """
        try:
            return send()
        except ccxt.BaseError as error:
            if not is_clock_refusal(error, self.quirks) or not self._corrects_clock(client):
                raise
        self._need_clock(client.effect)
        client.begin_call()
        return send()

    def rows(self, client: Client, method: str, *arguments: Any) -> list[Any]:
        """Call a method of ccxt that returns a list and check that it is one.

        Raises:
            Malformed: it is not, or its emptiness is not the venue's.
        """
        answer = self.timed(client, lambda: getattr(client, method)(*arguments))
        return require_list(answer, client.raw_answer, "rows")

    def need(self, client: Client, ability: str) -> None:
        """Refuse what the class does not offer.

        Raises:
            ccxt.NotSupported: by ccxt's own table ``has``.
        """
        if not client.has.get(ability):
            raise ccxt.NotSupported(ability)

    def wallet_name(self, wallet: Wallet) -> str:
        """Return the class's name of a wallet.

        Raises:
            ccxt.NotSupported: the venue has no such wallet.
        """
        if wallet not in self.quirks.wallets:
            raise ccxt.NotSupported(f"no {wallet.value} wallet")
        return self.quirks.wallets[wallet]

    def load_networks(self, client: Client) -> None:
        """Give ``client`` the venue's networks where moving funds needs them."""
        if self.quirks.needs_currencies and client.has.get("fetchCurrencies"):
            self.catalog.load_currencies(client)
            client.begin_call()  # that was a read: nothing of the call itself was sent yet

    def close(self) -> None:
        """Give the connections back."""
        self._pool.close()

    def _corrects_clock(self, client: Client) -> bool:
        """Measure the venue's clock again; ``False`` if it cannot be had."""
        logger.warning("%s refused our clock; measuring it again", self.venue)
        try:
            self.catalog.measure_clock(client)
        except (ccxt.BaseError, Malformed):
            return False
        self.catalog.prepare(client)
        return True

    def _build(self) -> Client:
        return build_client(
            self._spec,
            self._credentials,
            timeout_ms=self.catalog.timeout_ms,
            limiter=self.catalog.limiter,
            connections=self.catalog.connections,
        )

    def _need_markets(self, client: Client, symbols: tuple[str, ...], effect: Effect) -> None:
        missing = [symbol for symbol in symbols if symbol not in client.markets]
        if not missing:
            return
        self.catalog.mark_stale()
        self.catalog.prepare(client, is_waiting=True)
        for symbol in missing:
            if symbol not in client.markets:
                if effect in READS:
                    raise UnknownSymbol(symbol=symbol)
                cause = Message("it has no market {symbol}", {"symbol": symbol})
                raise VenueRejected(venue=self.venue, cause=cause)

    def _translated(self, error: Exception, effect: Effect, client: Client | None) -> VenueError:
        if isinstance(error, ccxt.OrderNotFound) and client is not None and _is_unfounded(client):
            # The class found no order in an answer that has no place for one (fault 12).
            error = Malformed(Message("the answer holds no {what}", {"what": "order"}))
        self._heed_limits(error, client)
        if not isinstance(error, ccxt.BaseError | Malformed):
            logger.error("Unforeseen error in a call to %s", self.venue, exc_info=error)
        key = self._credentials
        was_sent = client is None or client.sent_count > 0
        translated = translate(
            error,
            effect,
            self.venue,
            was_sent=was_sent,
            quirks=self.quirks,
            known_codes=known_codes(client) if client is not None else None,
            secrets=(key.api_secret, key.passphrase, key.api_key) if key else (),
        )
        if isinstance(error, RateKept) and isinstance(translated, VenueRateLimited):
            translated.wait_ms = error.wait_ms
        self._note(error, translated, was_sent=was_sent)
        return translated

    def _note(self, error: Exception, translated: VenueError, *, was_sent: bool) -> None:
        """Count what the call met; what never left says something only if the venue was away."""
        status = status_of(error)  # there is one if markets had to be loaded for the call
        signal = signal_of(translated, error, status)
        if signal is not None and (was_sent or status or signal is Signal.FAILURE):
            self.catalog.pulse.note(signal, translated.message.context.get("cause", ""))

    def _heed_limits(self, error: Exception, client: Client | None) -> None:
        """Tell all processes what a refusal says about how much the venue still takes."""
        limiter, code = self.catalog.limiter, code_of(error)
        if limiter is None:
            return
        if code in self.quirks.lockout_codes:
            limiter.silence(self.quirks.lockout_codes[code])
        if code in self.quirks.order_count_codes and client is not None:
            limiter.hold_orders(client.order_account)


def _is_unfounded(client: Client) -> bool:
    """Return whether the venue answered, without an error, something that states no absence."""
    return client.raw_answer is not None and not states_emptiness(client.raw_answer)
