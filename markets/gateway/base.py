"""The port to a venue: what the platform may ask of it, in the platform's own words.

A read that fails raises ``VenueUnavailable`` (or a subclass); an empty answer is only returned
when the venue itself said "nothing". A write that fails without a definite refusal raises
``OutcomeUnknown``. A market that the venue has not is ``UnknownSymbol`` in a read and
``VenueRejected`` in a write: nothing was sent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from arbplatform.core.decimals import Amount
from markets.domain.book import Book
from markets.domain.clocks import ClockReading
from markets.domain.fees import FeeSchedule
from markets.domain.funds import (
    DepositAddress,
    NetworkState,
    PermissionFinding,
    VenueBalance,
    VenueTransfer,
    Wallet,
)
from markets.domain.health import VenueHealth, VenueState
from markets.domain.orders import OrderRequest, VenueFill, VenueOrder
from markets.domain.quote import Candle, Ticker
from markets.domain.rules import MarketRules


@dataclass(frozen=True, slots=True)
class VenueSpec:
    """How to reach a venue.

    Attributes:
        code: our name of it.
        ccxt_id: the ccxt exchange class that speaks its protocol.
        rest_origin: when set, replaces scheme, host, port and path prefix of every REST URL.
        ws_origin: the same for WebSocket URLs.
        options: extra ccxt constructor options, merged last but for the pinned ones.
        clock: how far our clock was from the venue's when that was last measured.
        health: how all processes take it to be.
    """

    code: str
    ccxt_id: str
    rest_origin: str = ""
    ws_origin: str = ""
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    clock: ClockReading | None = field(default=None, compare=False)
    health: VenueHealth | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Credentials:
    """An API key; its representation shows nothing."""

    api_key: str = field(repr=False)
    api_secret: str = field(repr=False)
    passphrase: str = field(default="", repr=False)


class VenueGateway(Protocol):
    """One venue, seen with one set of credentials (or none). Safe to share between threads.

    A gateway may have an attribute ``asks_before_sending``. If it is true, ``submit_order`` calls
    ``OrderRequest.let_go`` when the request is ready and leaves it to that to write it: then an
    order can be made ready before it is known whether it may leave. It may have a method
    ``keep_warm``, which says that orders could follow within the next minutes and returns at once.
    """

    @property
    def venue(self) -> str:
        """Code of the venue."""
        ...

    def fetch_status(self) -> VenueState:
        """Return what the venue says about itself: healthy or under maintenance.

        Raises:
            NotSupportedByVenue: it says nothing.
        """
        ...

    def set_dead_man_switch(self, delay_ms: int) -> None:
        """Let the venue cancel all orders of the account after a delay; 0 disarms.

        Args:
            delay_ms: how long from now [ms].

        Raises:
            NotSupportedByVenue: it has no such switch.
        """
        ...

    def fetch_time_ms(self) -> int:
        """Return the venue's clock [ms since epoch]."""
        ...

    def fetch_markets(self) -> Sequence[MarketRules]:
        """Return every spot market."""
        ...

    def fetch_ticker(self, symbol: str) -> Ticker:
        """Return the ticker of one market."""
        ...

    def fetch_tickers(self, symbols: Sequence[str] | None = None) -> Mapping[str, Ticker]:
        """Return tickers by symbol; all markets when ``symbols`` is ``None``."""
        ...

    def fetch_book(self, symbol: str, depth: int = 20) -> Book:
        """Return up to ``depth`` levels of each side."""
        ...

    def fetch_candles(
        self, symbol: str, timeframe: str = "1m", since_ms: int | None = None, limit: int = 500
    ) -> Sequence[Candle]:
        """Return bars, oldest first."""
        ...

    def fetch_fees(self, symbols: Sequence[str]) -> Mapping[str, FeeSchedule]:
        """Return this account's own fees; markets that the venue does not tell are left out."""
        ...

    def fetch_balances(self, wallet: Wallet = Wallet.SPOT) -> Mapping[str, VenueBalance]:
        """Return every non-zero balance of a wallet by asset."""
        ...

    def fetch_permissions(self) -> Sequence[PermissionFinding]:
        """Return what the key may do, as far as the venue tells. Raises ``VenueAuthFailed``."""
        ...

    def submit_order(self, request: OrderRequest) -> VenueOrder:
        """Send an order, once.

        Raises:
            VenueRejected: definitely not accepted.
            DuplicateClientId: an order with this client id is there already.
            VenueUnavailable: definitely not sent; ``VenueClockSkewed`` if the clock forbids it.
            OutcomeUnknown: anything else.
        """
        ...

    def cancel_order(self, *, symbol: str, client_order_id: str) -> None:
        """Ask for cancellation; the order's state must be read afterwards. Raises as submit."""
        ...

    def fetch_order(
        self, *, symbol: str, venue_order_id: str | None = None, client_order_id: str | None = None
    ) -> VenueOrder:
        """Return an order by the venue's id or, where the venue can, by ours.

        Raises:
            OrderAbsent: the venue says it knows none.
            NotSupportedByVenue: no look-up by client id there.
        """
        ...

    def fetch_open_orders(self, symbol: str | None = None) -> Sequence[VenueOrder]:
        """Return resting orders."""
        ...

    def fetch_orders(self, symbol: str, *, since_ms: int) -> Sequence[VenueOrder]:
        """Return orders that were made since then, ended ones included, oldest first.

        Raises:
            NotSupportedByVenue: the venue lists no orders that have ended.
        """
        ...

    def fetch_fills(
        self, symbol: str, *, since_ms: int | None = None, venue_order_id: str | None = None
    ) -> Sequence[VenueFill]:
        """Return our executions, oldest first."""
        ...

    def transfer(
        self, *, asset: str, amount: Amount, from_wallet: Wallet, to_wallet: Wallet
    ) -> VenueTransfer:
        """Move funds between wallets of this account. Raises as ``submit_order``."""
        ...

    def fetch_wallet_transfers(
        self, asset: str, *, from_wallet: Wallet, to_wallet: Wallet, since_ms: int | None = None
    ) -> Sequence[VenueTransfer]:
        """Return transfers between these wallets, oldest first: how a lost reply is looked up.

        Raises:
            NotSupportedByVenue: the venue keeps no such history.
        """
        ...

    def fetch_networks(self, asset: str | None) -> Sequence[NetworkState]:
        """Return the networks that an asset travels by; empty when the venue lists none.

        Without an asset: those of every asset, each as often as one travels by it.

        Raises:
            NotSupportedByVenue: the venue does not tell.
        """
        ...

    def fetch_deposit_address(self, asset: str, network: str | None = None) -> DepositAddress:
        """Return where to send ``asset`` to."""
        ...

    def withdraw(
        self, *, amount: Amount, destination: DepositAddress, client_transfer_id: str
    ) -> VenueTransfer:
        """Send funds away. Raises as ``submit_order``."""
        ...

    def fetch_withdrawals(self, asset: str, since_ms: int | None = None) -> Sequence[VenueTransfer]:
        """Return withdrawals, oldest first."""
        ...

    def fetch_deposits(self, asset: str, since_ms: int | None = None) -> Sequence[VenueTransfer]:
        """Return deposits, oldest first."""
        ...

    def close(self) -> None:
        """Give the connections back."""
        ...
