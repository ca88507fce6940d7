"""Which of a venue's records of deposits and withdrawals is about our transfer."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from arbplatform.core.decimals import Amount
from markets.domain.funds import VenueTransfer, VenueTransferStatus

CLOCK_SKEW_MAX_MS: Final = 300_000
"""How far a venue's clock may be off ours, so that its record still counts as later than our
request [ms]."""

CLOCK_JUMP_MAX_MS: Final = 86_400_000
"""How far a clock of ours that had jumped may have been ahead as the venue was asked [ms]."""


@dataclass(frozen=True, slots=True)
class SentFunds:
    """What is known about funds that we asked a venue to send.

    Attributes:
        amount: what leaves the source, network fee included [units of asset].
        sent_at_ms: when the venue was asked [ms since epoch, our clock], which may have jumped.
        client_transfer_id: ours; ``None`` where the venue takes none (between wallets).
        venue_transfer_id: the source's id, once known.
        address: where to; ``None`` between wallets.
        fee: network fee [units of asset], once known.
        tx_id: id on the network, once known.
    """

    amount: Amount
    sent_at_ms: int
    client_transfer_id: str | None = None
    venue_transfer_id: str | None = None
    address: str | None = None
    fee: Amount | None = None
    tx_id: str | None = None

    @property
    def since_ms(self) -> int:
        """From when on a record is late enough to be about these funds [ms since epoch]."""
        return self.sent_at_ms - CLOCK_SKEW_MAX_MS

    @property
    def doubted_since_ms(self) -> int:
        """The same if our clock was ahead, which an id or a doubt has to allow for."""
        return self.sent_at_ms - CLOCK_JUMP_MAX_MS


def find_withdrawal(
    sent: SentFunds, records: Sequence[VenueTransfer], taken_ids: Collection[str] = ()
) -> VenueTransfer | None:
    """Return the source's record of the funds: by an id, else by address, amount and time.

    Args:
        sent: the funds.
        records: what the source lists, oldest first.
        taken_ids: ids of records that are known to be about other transfers.
    """
    for record in records:
        if sent.venue_transfer_id and record.venue_transfer_id == sent.venue_transfer_id:
            return record
        if sent.client_transfer_id and record.client_transfer_id == sent.client_transfer_id:
            return record
    if sent.venue_transfer_id:
        return None
    candidates = (record for record in records if record.venue_transfer_id not in taken_ids)
    return next(
        (r for r in candidates if _looks_sent_by_us(sent, r) and _is_late_enough(sent, r)), None
    )


def may_have_left(
    sent: SentFunds, records: Sequence[VenueTransfer], taken_ids: Collection[str] = ()
) -> bool:
    """Return whether a withdrawal may be the funds, if only our clock was ahead.

    Args:
        sent: the funds.
        records: what the source lists.
        taken_ids: ids of records that are known to be about other transfers.
    """
    return any(
        record.venue_transfer_id not in taken_ids
        and record.status is not VenueTransferStatus.FAILED
        and _looks_sent_by_us(sent, record)
        and _is_late_enough(sent, record, is_clock_doubted=True)
        for record in records
    )


def find_deposit(
    sent: SentFunds, records: Sequence[VenueTransfer], taken_ids: Collection[str] = ()
) -> VenueTransfer | None:
    """Return the destination's record of the funds.

    The network's id decides. Only where the source gave none (venues settle some transfers among
    their own customers without a network) a deposit of exactly amount less fee counts.

    Args:
        sent: the funds.
        records: what the destination lists, oldest first.
        taken_ids: ids of records that are known to be about other transfers.
    """
    candidates = [
        record
        for record in records
        if record.venue_transfer_id not in taken_ids
        and record.status is not VenueTransferStatus.FAILED
        and _is_same_address(sent.address, record.address)
    ]
    if sent.tx_id:
        wanted = _plain_tx_id(sent.tx_id)
        return next((r for r in candidates if r.tx_id and _plain_tx_id(r.tx_id) == wanted), None)
    return next((r for r in candidates if _looks_like_arrival(sent, r)), None)


def may_have_arrived(
    sent: SentFunds, records: Sequence[VenueTransfer], taken_ids: Collection[str] = ()
) -> bool:
    """Return whether a deposit may stem from funds that the source does not list.

    If only our clock was ahead, it may.

    Args:
        sent: the funds; fee and id on the network are not known.
        records: what the destination lists.
        taken_ids: ids of records that are known to be about other transfers.
    """
    return any(
        record.venue_transfer_id not in taken_ids
        and record.status is not VenueTransferStatus.FAILED
        and record.amount <= sent.amount
        and _is_same_address(sent.address, record.address)
        and _is_late_enough(sent, record, is_clock_doubted=True)
        for record in records
    )


def _looks_sent_by_us(sent: SentFunds, record: VenueTransfer) -> bool:
    # A record with somebody's client id is that one's; ours would have been found by it.
    return (
        not (sent.client_transfer_id and record.client_transfer_id)
        and _is_same_address(sent.address, record.address)
        and sent.amount in {record.amount, record.amount + (record.fee or 0)}
    )


def _looks_like_arrival(sent: SentFunds, record: VenueTransfer) -> bool:
    return (
        sent.fee is not None
        and record.amount == sent.amount - sent.fee
        and _is_late_enough(sent, record)
    )


def _is_same_address(ours: str | None, theirs: str | None) -> bool:
    """Return whether two addresses may be one; a venue that does not tell is believed.

    Only the case may differ: checksummed and plain spellings of hexadecimal addresses.
    """
    return not ours or not theirs or ours.lower() == theirs.lower()


def _is_late_enough(
    sent: SentFunds, record: VenueTransfer, *, is_clock_doubted: bool = False
) -> bool:
    since_ms = sent.doubted_since_ms if is_clock_doubted else sent.since_ms
    return record.updated_at_ms is None or record.updated_at_ms >= since_ms


def _plain_tx_id(tx_id: str) -> str:
    return tx_id.lower().removeprefix("0x")
