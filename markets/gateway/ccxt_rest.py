"""The port to a venue over REST, for any ccxt class that trades spot."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import ccxt

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.decimals import Amount
from arbplatform.core.errors import Message
from markets.domain.book import Book, Look
from markets.domain.fees import FeeSchedule
from markets.domain.funds import (
    DepositAddress,
    NetworkState,
    PermissionFinding,
    VenueBalance,
    VenueTransfer,
    VenueTransferStatus,
    Wallet,
)
from markets.domain.orders import OrderRequest, VenueFill, VenueOrder
from markets.domain.quote import Candle, Ticker
from markets.domain.rules import MarketRules
from markets.errors import VenueAuthFailed, VenueError, VenueRejected
from markets.gateway import account_data, market_data, order_data
from markets.gateway.base import Credentials, VenueSpec
from markets.gateway.catalog import Catalog
from markets.gateway.condition_calls import ConditionCalls
from markets.gateway.error_map import Effect, Malformed
from markets.gateway.funds_calls import (
    fetch_deposit_address,
    fetch_networks,
    list_funds,
    withdraw,
)
from markets.gateway.histories import read_pages
from markets.gateway.order_calls import (
    check_order,
    create_order,
    find_order,
    list_orders,
    own_id,
)
from markets.gateway.patience import patient
from markets.gateway.permissions import findings
from markets.gateway.quirks import Lookup
from markets.gateway.session import Session

logger = logging.getLogger(__name__)

SYMBOLS_PER_CALL_MAX = 50
"""Markets that are asked for one by one where the venue has no call for many."""


class CcxtRestGateway(ConditionCalls):
    """One venue, seen with one set of credentials or none; safe to share between threads.

    Args:
        spec: how to reach the venue.
        credentials: whose account, or ``None`` for public data only.
        catalog: what is shared with the other gateways to the venue.
        clock: stamps what is received.
    """

    asks_before_sending = True

    def __init__(
        self,
        spec: VenueSpec,
        credentials: Credentials | None,
        catalog: Catalog,
        *,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._session = Session(spec, credentials, catalog)
        self._quirks = self._session.quirks
        self._clock = clock

    @property
    def venue(self) -> str:
        """Code of the venue."""
        return self._session.venue

    def fetch_markets(self) -> Sequence[MarketRules]:
        """Return every spot market, fresh from the venue."""
        with self._session.reload_call() as source:
            rules = [
                market_data.parse_rules(market, self.venue, self._quirks, source.precisionMode)
                for market in source.markets.values()
            ]
            found = [rule for rule in rules if rule is not None]
            if not found:
                raise Malformed(Message("the answer holds no spot market"))
            return found

    def fetch_ticker(self, symbol: str) -> Ticker:
        """Return the ticker of one market."""
        with self._session.call(Effect.READ, symbol) as client:
            if client.has.get("fetchTicker"):
                answer = client.fetch_ticker(symbol)
            else:
                self._session.need(client, "fetchTickers")
                answer = client.fetch_tickers([symbol]).get(symbol)
            return market_data.parse_ticker(
                answer, venue=self.venue, symbol=symbol, received_at_ms=self._clock.now_ms()
            )

    def fetch_tickers(self, symbols: Sequence[str] | None = None) -> Mapping[str, Ticker]:
        """Return tickers by symbol; all markets when ``symbols`` is ``None``.

        Markets without any price are left out.
        """
        with self._session.call(Effect.READ, *(symbols or ())) as client:
            if client.has.get("fetchTickers"):
                answer = client.fetch_tickers(None if symbols is None else list(symbols))
            elif symbols is not None and len(symbols) <= SYMBOLS_PER_CALL_MAX:
                answer = {symbol: client.fetch_ticker(symbol) for symbol in symbols}
            else:
                raise ccxt.NotSupported("no call for so many tickers at once")
            return market_data.parse_tickers(
                answer,
                client.raw_answer,
                venue=self.venue,
                symbols=client.symbols if symbols is None else symbols,
                received_at_ms=self._clock.now_ms(),
            )

    def fetch_book(self, symbol: str, depth: int = 20) -> Book:
        """Return up to ``depth`` levels of each side."""
        depths = self._quirks.book_depths
        asked = next((step for step in depths if step >= depth), depths[-1] if depths else depth)
        with self._session.call(Effect.READ, symbol) as client:
            asked_at_ms = self._clock.now_ms()
            answer = client.fetch_order_book(symbol, asked)
            book = market_data.parse_book(
                answer,
                client.raw_answer,
                venue=self.venue,
                symbol=symbol,
                depth=depth,
                received_at_ms=self._clock.now_ms(),
            )
            made_at_ms = market_data.made_at_ms_of(
                book, client.last_response_headers, self._quirks.book_stamp
            )
            return replace(book, look=Look(asked_at_ms, made_at_ms))

    def fetch_candles(
        self, symbol: str, timeframe: str = "1m", since_ms: int | None = None, limit: int = 500
    ) -> Sequence[Candle]:
        """Return bars, oldest first."""
        with self._session.call(Effect.READ, symbol) as client:
            self._session.need(client, "fetchOHLCV")
            if timeframe not in (client.timeframes or {}):
                raise VenueRejected(
                    "{venue} has no bars of {timeframe}. Use one of: {timeframes}.",
                    venue=self.venue,
                    timeframe=timeframe,
                    timeframes=", ".join(client.timeframes or {}),
                )
            answer = client.fetch_ohlcv(symbol, timeframe, since_ms, limit)
            return market_data.parse_candles(answer, client.raw_answer)[-limit:]

    def fetch_fees(self, symbols: Sequence[str]) -> Mapping[str, FeeSchedule]:
        """Return this account's own fees; markets that the venue does not tell are left out."""
        session = self._session
        with session.call(Effect.READ, *symbols) as client:
            if client.has.get("fetchTradingFees"):
                rows = session.timed(client, client.fetch_trading_fees)
            elif client.has.get("fetchTradingFee"):
                few = symbols[:SYMBOLS_PER_CALL_MAX]
                rows = {symbol: client.fetch_trading_fee(symbol) for symbol in few}
            else:
                return {}
            return account_data.parse_fees(
                rows, client.raw_answer, client.markets, symbols, self._quirks
            )

    @patient
    def fetch_balances(self, wallet: Wallet = Wallet.SPOT) -> Mapping[str, VenueBalance]:
        """Return every non-zero balance of a wallet by asset."""
        with self._session.call(Effect.READ) as client:
            name = self._session.wallet_name(wallet)
            params = {"type": name} if self._quirks.wallet_params else {}
            answer = self._session.timed(client, lambda: client.fetch_balance(params))
            return account_data.parse_balances(answer, client.raw_answer)

    def fetch_permissions(self) -> Sequence[PermissionFinding]:
        """Return what the key may do, as far as the venue tells."""
        probe = self._quirks.permission_probe
        if probe is not None:
            try:
                with self._session.call(Effect.READ) as client:
                    call = getattr(client, probe.method)
                    return findings(self._session.timed(client, call), probe)
            except VenueAuthFailed:
                raise
            except VenueError as error:
                logger.info("%s does not tell the rights of a key: %s", self.venue, error)
        self.fetch_balances()
        return findings(None, None)

    def submit_order(self, request: OrderRequest) -> VenueOrder:
        """Send an order, once."""
        session = self._session
        try:
            with session.call(Effect.WRITE, request.symbol) as client:
                check_order(client, request, self.venue)
                answer = session.timed(client, lambda: create_order(client, request, self._quirks))
                order = order_data.parse_new_order(self._with_own_id(answer), request)
        except VenueRejected as error:
            if type(error) is VenueRejected:
                session.catalog.mark_stale()  # perhaps the rules changed; they are read anew
            raise
        is_terse = answer.get("status") is None or answer.get("filled") is None
        return self._completed(order) if is_terse else order

    def cancel_order(self, *, symbol: str, client_order_id: str) -> None:
        """Ask for cancellation; the order's state must be read afterwards."""
        order_id, params = "", {self._quirks.client_id_param: client_order_id}
        if not self._quirks.can_cancel_by_client_id:
            order = self.fetch_order(symbol=symbol, client_order_id=client_order_id)
            order_id, params = order.venue_order_id, {}
        with self._session.call(Effect.CANCEL, symbol) as client:
            try:
                answer = self._session.timed(
                    client, lambda: client.cancel_order(order_id, symbol, params)
                )
                order_data.check_cancellation(answer, client.raw_answer)
            except ccxt.CancelPending:
                logger.info("%s will cancel %s later", self.venue, client_order_id)

    @patient
    def fetch_order(
        self, *, symbol: str, venue_order_id: str | None = None, client_order_id: str | None = None
    ) -> VenueOrder:
        """Return an order by the venue's id or, where the venue can, by ours."""
        session = self._session
        with session.call(Effect.LOOKUP, symbol) as client:
            is_direct = venue_order_id or self._quirks.lookup is Lookup.BY_PARAM
            if is_direct and client.has.get("fetchOrder"):
                params = dict(self._quirks.order_params)
                if not venue_order_id:
                    params[self._quirks.client_id_param] = client_order_id
                answer = session.timed(
                    client, lambda: client.fetch_order(venue_order_id or "", symbol, params)
                )
            else:
                answer = find_order(session, client, symbol, venue_order_id, client_order_id)
            return order_data.parse_order(
                self._with_own_id(answer),
                symbol=symbol,
                venue_order_id=venue_order_id,
                client_order_id=client_order_id,
            )

    @patient
    def fetch_open_orders(self, symbol: str | None = None) -> Sequence[VenueOrder]:
        """Return resting orders."""
        with self._session.call(Effect.LOOKUP, *([symbol] if symbol else [])) as client:
            self._session.need(client, "fetchOpenOrders")
            rows = self._session.rows(client, "fetch_open_orders", symbol)
            return [self._listed(row, symbol or str(row.get("symbol"))) for row in rows]

    def fetch_orders(self, symbol: str, *, since_ms: int) -> Sequence[VenueOrder]:
        """Return orders that were made since then, ended ones included, oldest first."""
        with self._session.reading(Effect.LOOKUP):
            return [
                self._listed(row, symbol) for row in list_orders(self._session, symbol, since_ms)
            ]

    def fetch_fills(
        self, symbol: str, *, since_ms: int | None = None, venue_order_id: str | None = None
    ) -> Sequence[VenueFill]:
        """Return our executions, oldest first."""
        session = self._session
        with session.call(Effect.LOOKUP, symbol) as client:
            can_ask = self._quirks.has_order_trades and client.has.get("fetchOrderTrades")
            if venue_order_id and can_ask:
                rows = session.rows(client, "fetch_order_trades", venue_order_id, symbol)
                return order_data.parse_fills(
                    rows, symbol=symbol, order_id=venue_order_id, is_of_order=True
                )
            session.need(client, "fetchMyTrades")
        with session.reading(Effect.LOOKUP):
            rows = read_pages(session, "fetch_my_trades", symbol, since_ms)
            return order_data.parse_fills(
                rows, symbol=symbol, order_id=venue_order_id, is_of_order=False
            )

    def transfer(
        self, *, asset: str, amount: Amount, from_wallet: Wallet, to_wallet: Wallet
    ) -> VenueTransfer:
        """Move funds between wallets of this account."""
        session = self._session
        with session.call(Effect.WRITE) as client:
            session.need(client, "transfer")
            source, target = session.wallet_name(from_wallet), session.wallet_name(to_wallet)
            answer = session.timed(client, lambda: client.transfer(asset, amount, source, target))
            return account_data.parse_new_transfer(
                answer, asset=asset, amount=amount, default=VenueTransferStatus.DONE
            )

    def fetch_wallet_transfers(
        self, asset: str, *, from_wallet: Wallet, to_wallet: Wallet, since_ms: int | None = None
    ) -> Sequence[VenueTransfer]:
        """Return transfers between these wallets, oldest first."""
        session = self._session
        with session.call(Effect.READ) as client:
            session.need(client, "fetchTransfers")
            source, target = session.wallet_name(from_wallet), session.wallet_name(to_wallet)
            params = {"fromAccount": source, "toAccount": target}
            rows = list_funds(session, client, "fetch_transfers", asset, since_ms, None, params)
            ours = [
                row
                for row in rows
                if row.get("fromAccount") in {None, source}
                and row.get("toAccount") in {None, target}
            ]
            return account_data.parse_transfers(ours, asset=asset, quirks=self._quirks)

    def fetch_networks(self, asset: str | None) -> Sequence[NetworkState]:
        """Return the networks that an asset, or every one, travels by, fresh from the venue."""
        return fetch_networks(self._session, asset)

    def fetch_deposit_address(self, asset: str, network: str | None = None) -> DepositAddress:
        """Return where to send ``asset`` to."""
        return fetch_deposit_address(self._session, asset, network)

    def withdraw(
        self, *, amount: Amount, destination: DepositAddress, client_transfer_id: str
    ) -> VenueTransfer:
        """Send funds away."""
        session, quirks = self._session, self._quirks
        with session.call(Effect.WRITE) as client:
            session.need(client, "withdraw")
            session.load_networks(client)
            answer = session.timed(
                client,
                lambda: withdraw(
                    client,
                    quirks,
                    amount=amount,
                    destination=destination,
                    client_transfer_id=client_transfer_id,
                ),
            )
            return account_data.parse_new_transfer(
                answer,
                asset=destination.asset,
                amount=amount,
                default=VenueTransferStatus.PENDING,
                client_id=client_transfer_id if quirks.withdraw_id_param else None,
            )

    def fetch_withdrawals(self, asset: str, since_ms: int | None = None) -> Sequence[VenueTransfer]:
        """Return withdrawals, oldest first."""
        return self._movements("fetchWithdrawals", "fetch_withdrawals", asset, since_ms)

    def fetch_deposits(self, asset: str, since_ms: int | None = None) -> Sequence[VenueTransfer]:
        """Return deposits, oldest first."""
        return self._movements("fetchDeposits", "fetch_deposits", asset, since_ms)

    def close(self) -> None:
        """Give the connections back."""
        self._session.close()

    def _movements(
        self, ability: str, method: str, asset: str, since_ms: int | None
    ) -> Sequence[VenueTransfer]:
        with self._session.call(Effect.READ) as client:
            self._session.need(client, ability)
            self._session.load_networks(client)  # rows name their networks
            rows = list_funds(
                self._session, client, method, asset, since_ms, self._quirks.funds_rows_max
            )
            return account_data.parse_transfers(rows, asset=asset, quirks=self._quirks)

    def _listed(self, row: Any, symbol: str) -> VenueOrder:
        return order_data.parse_order(
            self._with_own_id(row), symbol=symbol, venue_order_id=None, client_order_id=None
        )

    def _completed(self, order: VenueOrder) -> VenueOrder:
        """Return the state of an order whose acceptance said nothing but its id."""
        try:
            return self.fetch_order(symbol=order.symbol, venue_order_id=order.venue_order_id)
        except VenueError as error:
            # It was accepted; that its state cannot be read now is for a later look-up.
            logger.warning("%s: state of new order not read: %s", self.venue, error)
            return order

    def _with_own_id(self, answer: Any) -> Any:
        if isinstance(answer, Mapping) and answer.get("clientOrderId"):
            return {**answer, "clientOrderId": own_id(answer, self._quirks)}
        return answer
