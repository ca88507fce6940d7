"""Balances and movements of funds as a venue reports them."""

from dataclasses import dataclass
from enum import StrEnum

from arbplatform.core.decimals import Amount


class Wallet(StrEnum):
    """A purse inside one account."""

    SPOT = "spot"
    FUNDING = "funding"


class VenueTransferStatus(StrEnum):
    """What a venue says about a deposit or withdrawal."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class VenueBalance:
    """Holdings of one asset in one wallet.

    Attributes:
        asset: code.
        free: can be used now [units of asset].
        held: locked in orders or withdrawals [units of asset].
    """

    asset: str
    free: Amount
    held: Amount

    @property
    def total(self) -> Amount:
        """All that is there [units of asset]."""
        return self.free + self.held


@dataclass(frozen=True, slots=True)
class DepositAddress:
    """Where an asset can be sent to.

    Attributes:
        asset: code.
        address: on the network.
        tag: memo that some networks need; ``None`` if none.
        network: the venue's name of the network; ``None``: to send, its default one; of an
            address that a venue gave, it does not say.
    """

    asset: str
    address: str
    tag: str | None = None
    network: str | None = None


@dataclass(frozen=True, slots=True)
class NetworkState:
    """What a venue says about one of the networks that an asset travels by.

    Attributes:
        network: the venue's name of it.
        can_deposit: whether deposits are open; ``None`` when the venue does not tell.
        can_withdraw: the same for withdrawals.
        fee: what a withdrawal costs [units of asset].
        withdraw_min: least that may leave, fee included [units of asset].
        withdraw_step: amounts are multiples of it [units of asset].
    """

    network: str
    can_deposit: bool | None
    can_withdraw: bool | None
    fee: Amount | None = None
    withdraw_min: Amount | None = None
    withdraw_step: Amount | None = None


@dataclass(frozen=True, slots=True)
class VenueTransfer:
    """A deposit, withdrawal or wallet transfer as a venue reports it.

    Attributes:
        venue_transfer_id: the venue's id, never empty.
        asset: code.
        amount: sent, before ``fee`` for a withdrawal [units of asset].
        fee: network fee [units of asset]; ``None`` when not stated.
        status: reduced state.
        client_transfer_id: ours, when the venue echoes it.
        tx_id: id on the network, once there is one.
        address, tag: destination.
        updated_at_ms: [ms since epoch, venue clock].
    """

    venue_transfer_id: str
    asset: str
    amount: Amount
    fee: Amount | None
    status: VenueTransferStatus
    client_transfer_id: str | None = None
    tx_id: str | None = None
    address: str | None = None
    tag: str | None = None
    updated_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class PermissionFinding:
    """One thing that a connection test found out about an API key.

    Attributes:
        name: ``read``, ``trade``, ``withdraw``, ``transfer`` or ``ip_restricted``.
        is_granted: whether the key has it; ``None`` when the venue does not tell.
        detail: the venue's own words, if any.
    """

    name: str
    is_granted: bool | None
    detail: str = ""
