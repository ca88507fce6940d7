"""A venue in memory, behind the port: what it holds, what it was told, how it fails."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal as D

from arbplatform.core.decimals import Amount
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
from markets.domain.quote import Ticker
from markets.errors import NotSupportedByVenue, UnknownSymbol
from markets.gateway.base import Credentials, VenueGateway, VenueSpec

DONE, PENDING, FAILED = (
    VenueTransferStatus.DONE,
    VenueTransferStatus.PENDING,
    VenueTransferStatus.FAILED,
)


class FakeVenue:
    """One account at one venue.

    Attributes:
        wallets: free amounts by wallet and asset.
        findings: rights of the key.
        addresses: deposit addresses by asset.
        networks: what it says about an asset's networks; by default one, which is open.
        withdrawals, deposits, wallet_transfers: what the histories list.
        failures: method name to the errors that its next calls raise, first to last; an error in
            ``late_failures`` is raised after the effect, as when a reply is lost.
        calls: names of the methods that were called, in order.
        prices: last prices by symbol.
        sent_to: destinations of withdrawals, in the words of the sender.
        asked_networks: networks that deposit addresses were asked for.
        fees: the account's own, by symbol.
    """

    def __init__(self, venue: str, *, fee: str = "0.0001") -> None:
        self.venue = venue
        self.fee = D(fee)
        self.wallets: dict[Wallet, dict[str, D]] = {Wallet.SPOT: {}, Wallet.FUNDING: {}}
        self.held: dict[str, D] = {}
        self.findings = [
            PermissionFinding("read", True),
            PermissionFinding("trade", True),
            PermissionFinding("withdraw", False),
        ]
        self.addresses: dict[str, DepositAddress] = {}
        self.networks: dict[str, list[NetworkState]] = {}
        self.withdrawals: list[VenueTransfer] = []
        self.deposits: list[VenueTransfer] = []
        self.wallet_transfers: list[VenueTransfer] = []
        self.failures: dict[str, list[Exception]] = defaultdict(list)
        self.late_failures: dict[str, list[Exception]] = defaultdict(list)
        self.calls: list[str] = []
        self.prices = {"BTC/USDT": D(10_000)}
        self.sent_to: list[DepositAddress] = []
        self.asked_networks: list[str | None] = []
        self.on_call: Callable[[str], None] = lambda name: None
        self.status_of_transfers = DONE
        self.now_ms: int | None = None
        self.fees: dict[str, FeeSchedule] = {}

    def count(self, name: str) -> int:
        """How often a method was called."""
        return self.calls.count(name)

    def fetch_balances(self, wallet: Wallet = Wallet.SPOT) -> Mapping[str, VenueBalance]:
        self._begin("fetch_balances", f"fetch_balances:{wallet}")
        held = self.held if wallet is Wallet.SPOT else {}
        codes = sorted({*self.wallets[wallet], *held})
        return {
            code: VenueBalance(code, self.wallets[wallet].get(code, D(0)), held.get(code, D(0)))
            for code in codes
        }

    def fetch_fees(self, symbols: Sequence[str]) -> Mapping[str, FeeSchedule]:
        self._begin("fetch_fees")
        return {symbol: self.fees[symbol] for symbol in symbols if symbol in self.fees}

    def fetch_permissions(self) -> Sequence[PermissionFinding]:
        self._begin("fetch_permissions")
        return self.findings

    def fetch_deposit_address(self, asset: str, network: str | None = None) -> DepositAddress:
        self._begin("fetch_deposit_address")
        self.asked_networks.append(network)
        known = self.addresses.get(asset, DepositAddress(asset, f"{self.venue}-{asset}-address"))
        return replace(known, network=known.network or network)

    def fetch_ticker(self, symbol: str) -> Ticker:
        self._begin("fetch_ticker")
        if symbol not in self.prices:
            raise UnknownSymbol(symbol=symbol)
        last = self.prices[symbol]
        return Ticker(self.venue, symbol, last, last, last, received_at_ms=0)

    def fetch_networks(self, asset: str | None) -> Sequence[NetworkState]:
        self._begin("fetch_networks")
        if asset is None and not self.networks:
            raise NotSupportedByVenue(venue=self.venue, cause="fetchCurrencies")
        if asset is None:
            return [state for states in self.networks.values() for state in states]
        return self.networks.get(asset, [self.network(asset)])

    def network(self, name: str, **changes: bool | D | None) -> NetworkState:
        """An open network, but for what is said."""
        state = NetworkState(name, True, True, self.fee, D("0.001"), D("0.00000001"))
        return replace(state, **changes)  # type: ignore[arg-type]  # the fields of a state

    def transfer(
        self, *, asset: str, amount: Amount, from_wallet: Wallet, to_wallet: Wallet
    ) -> VenueTransfer:
        self._begin("transfer")
        self.wallets[from_wallet][asset] -= amount
        self.wallets[to_wallet][asset] = self.wallets[to_wallet].get(asset, D(0)) + amount
        made = VenueTransfer(
            venue_transfer_id=f"{self.venue}-w{len(self.wallet_transfers) + 1}",
            asset=asset,
            amount=amount,
            fee=None,
            status=self.status_of_transfers,
            updated_at_ms=self.now_ms,
        )
        self.wallet_transfers.append(made)
        self._end("transfer")
        return made

    def withdraw(
        self, *, amount: Amount, destination: DepositAddress, client_transfer_id: str
    ) -> VenueTransfer:
        self._begin("withdraw")
        self.sent_to.append(destination)
        self.wallets[Wallet.SPOT][destination.asset] -= amount
        made = VenueTransfer(
            venue_transfer_id=f"{self.venue}-x{len(self.withdrawals) + 1}",
            asset=destination.asset,
            amount=amount,
            fee=self.fee,
            status=PENDING,
            client_transfer_id=client_transfer_id,
            address=destination.address,
            tag=destination.tag,
            updated_at_ms=self.now_ms,
        )
        self.withdrawals.append(made)
        self._end("withdraw")
        return replace(made, fee=None)

    def fetch_withdrawals(self, asset: str, since_ms: int | None = None) -> Sequence[VenueTransfer]:
        self._begin("fetch_withdrawals")
        return _listed(self.withdrawals, asset, since_ms)

    def fetch_deposits(self, asset: str, since_ms: int | None = None) -> Sequence[VenueTransfer]:
        self._begin("fetch_deposits")
        return _listed(self.deposits, asset, since_ms)

    def fetch_wallet_transfers(
        self, asset: str, *, from_wallet: Wallet, to_wallet: Wallet, since_ms: int | None = None
    ) -> Sequence[VenueTransfer]:
        self._begin("fetch_wallet_transfers")
        return _listed(self.wallet_transfers, asset, since_ms)

    def close(self) -> None:
        self._begin("close")

    def depart(self, tx_id: str = "tx-1") -> None:
        """Let the last withdrawal appear on the network."""
        self.withdrawals[-1] = replace(self.withdrawals[-1], tx_id=tx_id, status=DONE)

    def fail_last(self) -> None:
        """Let the last withdrawal fail after it was accepted."""
        self.withdrawals[-1] = replace(self.withdrawals[-1], status=FAILED)

    def receive(self, sender: "FakeVenue", *, amount: D | None = None) -> VenueTransfer:
        """Credit what the sender's last withdrawal sent."""
        sent = sender.withdrawals[-1]
        deposit = VenueTransfer(
            venue_transfer_id=f"{self.venue}-d{len(self.deposits) + 1}",
            asset=sent.asset,
            amount=sent.amount - sender.fee if amount is None else amount,
            fee=None,
            status=DONE,
            tx_id=sent.tx_id,
            address=sent.address,
            updated_at_ms=self.now_ms,
        )
        self.deposits.append(deposit)
        return deposit

    def _begin(self, *names: str) -> None:
        self.calls.append(names[0])
        self.on_call(names[0])
        for name in names:
            if self.failures[name]:
                raise self.failures[name].pop(0)

    def _end(self, name: str) -> None:
        if self.late_failures[name]:
            raise self.late_failures[name].pop(0)


class FakeWorld:
    """All venues that there are, by the API key that opens them."""

    def __init__(self) -> None:
        self.by_key: dict[str, FakeVenue] = {}

    def __call__(self, spec: VenueSpec, credentials: Credentials | None) -> VenueGateway:
        assert credentials is not None, "accounts never look at a venue without a key"
        return self.by_key[credentials.api_key]  # type: ignore[return-value]  # what accounts use


def _listed(
    rows: Sequence[VenueTransfer], asset: str, since_ms: int | None
) -> Sequence[VenueTransfer]:
    """Return what a venue lists that is asked for what happened since some moment."""
    return [
        row
        for row in rows
        if row.asset == asset and (row.updated_at_ms or since_ms or 0) >= (since_ms or 0)
    ]
