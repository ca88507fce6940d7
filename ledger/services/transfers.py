"""Book transfers as far as their state says that funds have moved."""

import logging
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from accounts.domain.transfers import TransferState
from accounts.models import ReservationPurpose, Transfer
from accounts.selectors import lock_transfer
from accounts.services.reservations import release
from arbplatform.core.decimals import ZERO, Amount
from arbplatform.persistence.retries import retried
from ledger.domain.postings import (
    Book,
    Line,
    Purse,
    arrival_lines,
    departure_lines,
    wallet_move_lines,
)
from ledger.models import Entry, EntryKind
from ledger.selectors import list_unbooked_transfer_ids
from ledger.services.entries import book_entry, lines_of, reverse_entry
from markets.domain.funds import Wallet

logger = logging.getLogger(__name__)

SWEEP_TRANSFERS_MAX = 100
"""Transfers that one sweep books; the next one goes on."""

_LEFT = frozenset(
    {
        TransferState.SUBMITTED,
        TransferState.IN_TRANSIT,
        TransferState.DISPUTED,
        TransferState.ARRIVED,
    }
)


@retried
@transaction.atomic
def book_transfer(*, transfer_id: int) -> list[Entry]:
    """Book what a transfer has moved so far; what is booked already is left as it is.

    Between accounts: departure when the venue accepted it, arrival when the other one credited
    it, and a reversal of the departure if it failed in between. Between wallets of one account:
    one entry when it is done.

    Args:
        transfer_id: of the transfer, in any state.

    Returns:
        The transfer's entries so far, oldest first.

    Raises:
        TransferNotFound: no transfer has this id.
    """
    transfer = lock_transfer(transfer_id)
    entries = {
        entry.kind: entry
        for entry in transfer.entries.prefetch_related("postings__asset").order_by("pk")
    }
    if transfer.is_internal:
        _book_internal(transfer, entries)
    else:
        _book_external(transfer, entries)
    if entries or transfer.state == TransferState.FAILED:
        # what left is not in the wallet any more, and must not be missed twice
        release(ReservationPurpose.TRANSFER, [transfer.pk])
    return sorted(entries.values(), key=lambda entry: entry.pk)


def book_transfers(*, limit: int = SWEEP_TRANSFERS_MAX) -> int:
    """Book every transfer whose message was lost.

    Args:
        limit: transfers to book at most.

    Returns:
        How many were booked.
    """
    booked = 0
    for transfer_id in list_unbooked_transfer_ids(limit=limit):
        try:
            book_transfer(transfer_id=transfer_id)
        except Exception:
            # one transfer that cannot be booked must not keep the others out of the books
            logger.exception("Transfer %s cannot be booked", transfer_id)
        else:
            booked += 1
    return booked


def _book_internal(transfer: Transfer, entries: dict[str, Entry]) -> None:
    if transfer.state != TransferState.ARRIVED or EntryKind.TRANSFER in entries:
        return
    lines = wallet_move_lines(
        source=_source(transfer),
        destination=_destination(transfer),
        asset=transfer.asset.code,
        amount=transfer.amount,
    )
    _book(transfer, EntryKind.TRANSFER, lines, entries)


def _book_external(transfer: Transfer, entries: dict[str, Entry]) -> None:
    if transfer.state in _LEFT and EntryKind.TRANSFER_OUT not in entries:
        lines = departure_lines(
            source=_source(transfer),
            asset=transfer.asset.code,
            amount=transfer.amount,
            fee=transfer.fee,
        )
        _book(transfer, EntryKind.TRANSFER_OUT, lines, entries)
    departure = entries.get(EntryKind.TRANSFER_OUT)
    if departure is None:
        return
    if transfer.state == TransferState.ARRIVED and EntryKind.TRANSFER_IN not in entries:
        lines = arrival_lines(
            destination=_destination(transfer),
            asset=transfer.asset.code,
            in_transit=_in_transit(departure),
            arrived=_arrived(transfer),
            fee=_fee_on_the_way(transfer, departure),
        )
        _book(transfer, EntryKind.TRANSFER_IN, lines, entries)
    if transfer.state == TransferState.FAILED and EntryKind.REVERSAL not in entries:
        entries[EntryKind.REVERSAL] = reverse_entry(entry_id=departure.pk, memo=transfer.to_error())


def _book(
    transfer: Transfer, kind: EntryKind, lines: tuple[Line, ...], entries: dict[str, Entry]
) -> None:
    entries[kind] = book_entry(
        key=f"transfer:{transfer.pk}:{kind.value}",
        kind=kind,
        lines=lines,
        occurred_at=_occurred_at(transfer, kind),
        transfer_id=transfer.pk,
        memo=transfer.note if kind is EntryKind.TRANSFER_IN else "",
    )


def _occurred_at(transfer: Transfer, kind: EntryKind) -> datetime:
    moment = transfer.submitted_at if kind is EntryKind.TRANSFER_OUT else transfer.arrived_at
    return moment or timezone.now()


def _in_transit(departure: Entry) -> Amount:
    lines = lines_of(departure)
    return sum((line.amount for line in lines if line.book is Book.IN_TRANSIT), ZERO)


def _fee_on_the_way(transfer: Transfer, departure: Entry) -> Amount | None:
    """Return what the network took of what was booked as on its way, if that is known."""
    if transfer.fee is None:
        return None
    fee: Amount = transfer.fee - (transfer.amount - _in_transit(departure))
    return fee


def _arrived(transfer: Transfer) -> Amount:
    stated: Amount | None = transfer.arrived_amount
    expected: Amount = transfer.amount - (transfer.fee or ZERO)
    return expected if stated is None else stated


def _source(transfer: Transfer) -> Purse:
    return Purse(transfer.from_account_id, Wallet(transfer.from_wallet))


def _destination(transfer: Transfer) -> Purse:
    return Purse(transfer.to_account_id, Wallet(transfer.to_wallet))
