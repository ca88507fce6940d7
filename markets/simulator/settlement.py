"""Withdrawals between simulated venues: they take time, cost a network fee, and arrive exactly.

Every account has one deposit address for each asset. What is sent to an address that nobody has
comes back after the delay, and the withdrawal is shown as failed.
"""

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from markets.domain.funds import Wallet
from markets.simulator.exchange.units import floor_to_units, to_units
from markets.simulator.faults.kinds import FaultKind
from markets.simulator.faults.plan import Armed, Thing
from markets.simulator.storage.facts import Facts
from markets.simulator.venue import InsufficientBalance, Venue

OUTSIDE = "outside"
"""Who sends or receives what the simulation knows nothing of: no venue, and this label."""
TRANSFERS_KEPT_MAX = 20_000
"""Ended withdrawals that are still shown."""
DEFAULT_NETWORK = "SIM"
NETWORKS = {"BTC": "BTC", "ETH": "ETH", "SOL": "SOL", "USDT": "TRX"}
"""The one network of each asset; others travel by ``DEFAULT_NETWORK``."""
_ADDRESS_DIGITS = 40
_BEFORE_LEAVING = frozenset({FaultKind.STUCK_WITHDRAWAL})
_BEFORE_ARRIVING = frozenset({FaultKind.STUCK_DEPOSIT, FaultKind.SUSPEND_DEPOSITS})


class TransferStatus(StrEnum):
    """Where a withdrawal is."""

    PROCESSING = "processing"
    SENT = "sent"
    """On the network: over for the sender, not credited yet."""
    COMPLETED = "completed"
    FAILED = "failed"


OPEN_STATUSES = frozenset({TransferStatus.PROCESSING, TransferStatus.SENT})
SENT_STATUSES = frozenset({TransferStatus.SENT, TransferStatus.COMPLETED})


class RepeatedClientId(Exception):
    """The account has used this client id for a withdrawal before."""


@dataclass(slots=True)
class Transfer:
    """A withdrawal, and the deposit it becomes.

    Attributes:
        id: the sending venue's id.
        venue, label: who sends; nobody here when the venue is empty.
        wallet: from which wallet.
        asset: code.
        amount: taken from the sender [units].
        fee: of the network, part of ``amount`` [units].
        address, network: where to.
        client_id: the sender's own id; may be empty.
        applied_ms: when it was asked for [ms since epoch].
        due_ms: when it arrives or comes back [ms since epoch].
        status: where it is.
        to_venue, to_label: whose address it is; empty if nobody's, ``OUTSIDE`` for somebody's
            whom the simulation does not know.
        lost: of what should have arrived, what did not [units].
    """

    id: str
    venue: str
    label: str
    wallet: Wallet
    asset: str
    amount: int
    fee: int
    address: str
    network: str
    client_id: str
    applied_ms: int
    due_ms: int
    status: TransferStatus
    to_venue: str
    to_label: str
    lost: int = 0

    @property
    def arriving(self) -> int:
        """What is credited, or will be [units]."""
        return self.amount - self.fee - self.lost

    @property
    def tx_id(self) -> str:
        """The id on the network, once it left."""
        if self.status not in SENT_STATUSES:
            return ""
        return hashlib.sha256(f"tx:{self.id}".encode()).hexdigest()

    def to_row(self) -> dict[str, Any]:
        """Return the transfer as plain values."""
        amounts = {"amount": self.amount, "fee": self.fee, "lost": self.lost}
        return asdict(self) | {name: str(amount) for name, amount in amounts.items()}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Transfer":
        """Return the transfer of plain values."""
        return cls(
            **dict(row)
            | {
                "amount": int(row["amount"]),
                "fee": int(row["fee"]),
                # Rows of an earlier version have none.
                "lost": int(row.get("lost", 0)),
                "wallet": Wallet(row["wallet"]),
                "status": TransferStatus(row["status"]),
            }
        )


def deposit_address(venue: str, label: str, asset: str) -> str:
    """Return the address at which an account receives an asset, always the same."""
    digest = hashlib.sha256(f"{venue}\x1f{label}\x1f{asset}".encode()).hexdigest()
    return "0x" + digest[:_ADDRESS_DIGITS]


def network_of(asset: str) -> str:
    """Return the network that an asset travels by."""
    return NETWORKS.get(asset, DEFAULT_NETWORK)


class Settlement:
    """All withdrawals of a simulation.

    Attributes:
        transfers: by id, oldest first.
    """

    def __init__(
        self,
        venues: Iterable[Venue],
        *,
        delay_ms: int,
        network_fees: Mapping[str, Decimal],
    ) -> None:
        self._venues = {venue.code: venue for venue in venues}
        self._delay_ms = delay_ms
        self._fees = {asset: to_units(fee) for asset, fee in network_fees.items()}
        self.transfers: dict[str, Transfer] = {}
        self._pending: dict[str, Transfer] = {}
        self._held: dict[str, Armed] = {}
        self._client_ids: set[tuple[str, str, str]] = set()
        self._owners: dict[tuple[str, str], tuple[str, str]] = {
            (asset, deposit_address(venue.code, account.label, asset)): (venue.code, account.label)
            for venue in self._venues.values()
            for account in venue.customers
            for asset in venue.engine.assets
        }

    def fee_of(self, asset: str) -> int:
        """Return the network fee of an asset [units]."""
        return self._fees.get(asset, 0)

    def withdraw(
        self,
        venue: Venue,
        label: str,
        *,
        wallet: Wallet,
        asset: str,
        amount: int,
        address: str,
        client_id: str,
        is_to_outside: bool = False,
    ) -> Transfer:
        """Take ``amount`` [units] from a wallet and send it on its way.

        Raises:
            InsufficientBalance: the wallet has not that much free.
            RepeatedClientId: the account used ``client_id`` before.
        """
        if client_id and (venue.code, label, client_id) in self._client_ids:
            raise RepeatedClientId
        account = venue.engine.accounts[label]
        purse = account.free_in(wallet)
        if purse[asset] < amount:
            raise InsufficientBalance
        purse[asset] -= amount
        now_ms = venue.clock.now_ms()
        nobody = ("", OUTSIDE if is_to_outside else "")
        to_venue, to_label = self._owners.get((asset, address), nobody)
        transfer = Transfer(
            id=secrets.token_hex(16),
            venue=venue.code,
            label=label,
            wallet=wallet,
            asset=asset,
            amount=amount,
            fee=self.fee_of(asset),
            address=address,
            network=network_of(asset),
            client_id=client_id,
            applied_ms=now_ms,
            due_ms=now_ms + self._delay_ms,
            status=TransferStatus.PROCESSING,
            to_venue=to_venue,
            to_label=to_label,
        )
        self.remember(transfer)
        self._record(venue, transfer, label)
        if wallet is Wallet.SPOT and venue.listener is not None:
            venue.listener.balance_changed(account, asset, -amount)
        return transfer

    def receive(
        self, venue: Venue, label: str, *, asset: str, amount: int, due_ms: int
    ) -> Transfer:
        """Let ``amount`` [units] arrive that nobody here sent."""
        number = secrets.token_hex(16)
        now_ms = venue.clock.now_ms()
        transfer = Transfer(
            id=number,
            venue="",
            label=OUTSIDE,
            wallet=Wallet.SPOT,
            asset=asset,
            amount=amount,
            fee=0,
            address=deposit_address(venue.code, label, asset),
            network=network_of(asset),
            client_id="",
            applied_ms=now_ms,
            due_ms=due_ms,
            status=TransferStatus.PROCESSING,
            to_venue=venue.code,
            to_label=label,
        )
        self.remember(transfer)
        self._record(venue, transfer, label)
        return transfer

    def settle(self, now_ms: int) -> list[Transfer]:
        """Let everything arrive that is due; return it."""
        due = [
            transfer
            for transfer in self._pending.values()
            if transfer.due_ms <= now_ms and not self._is_held(transfer)
        ]
        for transfer in due:
            del self._pending[transfer.id]
            self._held.pop(transfer.id, None)
            if transfer.to_venue:
                self._arrive(transfer)
            elif transfer.to_label == OUTSIDE:
                transfer.status = TransferStatus.COMPLETED
                self._record(self._venues[transfer.venue], transfer, transfer.label)
            else:
                self._come_back(transfer)
        return due

    def remember(self, transfer: Transfer) -> None:
        """Make a transfer findable; one from the journal replaces its earlier state."""
        self.transfers[transfer.id] = transfer
        self._pending.pop(transfer.id, None)
        if transfer.status in OPEN_STATUSES:
            self._pending[transfer.id] = transfer
        if transfer.client_id:
            self._client_ids.add((transfer.venue, transfer.label, transfer.client_id))
        if len(self.transfers) > TRANSFERS_KEPT_MAX:
            self._forget_oldest()

    def withdrawals_of(self, venue: str, label: str) -> list[Transfer]:
        """Return what an account sent, newest first."""
        found = [t for t in self.transfers.values() if t.venue == venue and t.label == label]
        return found[::-1]

    def deposits_of(self, venue: str, label: str) -> list[Transfer]:
        """Return what arrived at an account, or is seen coming, newest first."""
        found = [
            t
            for t in self.transfers.values()
            if t.to_venue == venue and t.to_label == label and t.status in SENT_STATUSES
        ]
        return found[::-1]

    def in_transit(self, asset: str) -> int:
        """Return what is on its way or was paid as network fees [units]."""
        on_the_way = sum(t.amount for t in self._pending.values() if t.asset == asset)
        fees = sum(
            t.fee + t.lost
            for t in self.transfers.values()
            if t.asset == asset and t.status is TransferStatus.COMPLETED
        )
        return on_the_way + fees

    def _arrive(self, transfer: Transfer) -> None:
        transfer.status = TransferStatus.COMPLETED
        venue = self._venues[transfer.to_venue]
        account = venue.engine.accounts[transfer.to_label]
        transfer.lost = self._shortfall_of(transfer, venue)
        amount = transfer.arriving
        account.free[transfer.asset] += amount
        # One record holds both the new state and the new balance: they cannot come apart.
        self._record(venue, transfer, transfer.to_label)
        if venue.listener is not None:
            venue.listener.balance_changed(account, transfer.asset, amount)

    @staticmethod
    def _shortfall_of(transfer: Transfer, venue: Venue) -> int:
        if not venue.faults.is_armed:
            return 0
        target = Thing(asset=transfer.asset, account=transfer.to_label)
        fault = venue.faults.state(FaultKind.SHORT_DEPOSIT, target)
        if fault is None or fault.amount is None:
            return 0
        return min(floor_to_units(fault.amount), transfer.arriving)

    def _is_held(self, transfer: Transfer) -> bool:
        """Return whether a fault keeps a transfer where it is, and note how far it came."""
        sender, receiver = self._venues.get(transfer.venue), self._venues.get(transfer.to_venue)
        if sender is not None and self._is_caught(
            transfer, sender, transfer.label, _BEFORE_LEAVING
        ):
            return True
        if receiver is None or not self._is_caught(
            transfer, receiver, transfer.to_label, _BEFORE_ARRIVING
        ):
            return False
        if transfer.status is TransferStatus.PROCESSING:
            transfer.status = TransferStatus.SENT
            if sender is not None:
                self._record(sender, transfer, transfer.label)
            elif receiver is not None:
                self._record(receiver, transfer, transfer.to_label)
        return True

    def _is_caught(
        self, transfer: Transfer, venue: Venue | None, label: str, kinds: frozenset[FaultKind]
    ) -> bool:
        """Return whether a fault of some kinds holds a transfer; each fault is asked once."""
        if (
            venue is None
            or not venue.faults.is_armed
            or (kinds is _BEFORE_LEAVING and transfer.tx_id)
        ):
            return False
        caught = self._held.get(transfer.id)
        if caught is None or not venue.faults.is_in_force(caught):
            target = Thing(asset=transfer.asset, account=label)
            caught = venue.faults.pick(kinds, target)
            if caught is None:
                return False
            self._held[transfer.id] = caught
        return caught.config.kind in kinds

    def _come_back(self, transfer: Transfer) -> None:
        transfer.status = TransferStatus.FAILED
        venue = self._venues[transfer.venue]
        account = venue.engine.accounts[transfer.label]
        account.free_in(transfer.wallet)[transfer.asset] += transfer.amount
        self._record(venue, transfer, transfer.label)
        if transfer.wallet is Wallet.SPOT and venue.listener is not None:
            venue.listener.balance_changed(account, transfer.asset, transfer.amount)

    @staticmethod
    def _record(venue: Venue, transfer: Transfer, label: str) -> None:
        facts = Facts(venue.code)
        facts.transfers.append(transfer.to_row())
        facts.add_balances(venue.engine.accounts[label], (transfer.asset,))
        venue.recorder.append(facts)

    def _forget_oldest(self) -> None:
        for transfer in self.transfers.values():
            if transfer.status not in OPEN_STATUSES:
                del self.transfers[transfer.id]
                self._client_ids.discard((transfer.venue, transfer.label, transfer.client_id))
                return
