"""What a person decides about a discrepancy: the only way in which one is booked unproven."""

from typing import Final

from django.db import transaction

from arbplatform.authors import keep_author, tell_author
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.errors import Message
from arbplatform.persistence.sentences import as_typed, keep_reason
from ledger.domain.postings import FEE_CORRECTED, FEE_LATE, FEE_SETTLED
from ledger.domain.reconciliation import (
    ACTIVE_STATES,
    DISCREPANCY_TRANSITIONS,
    DiscrepancyEvent,
    DiscrepancyKind,
    DiscrepancyState,
)
from ledger.errors import NothingToBook
from ledger.models import Discrepancy, Entry, ReconciliationRun
from ledger.selectors import find_entry, get_entry
from ledger.selectors.reconciliation import get_discrepancy, lock_discrepancy
from ledger.services.discrepancies import check_note, require_seen
from ledger.services.entries import reverse_entry
from ledger.services.halts import Person
from ledger.services.reconciler import reconcile_account
from ledger.services.reconciliation import adopt_difference
from markets.domain.funds import Wallet

BY_CONSOLE: Final = Message("decided in the console")
"""What is noted where a person pressed a button, which asks for no words."""


def look_again(*, discrepancy_id: int, clock: Clock = SYSTEM_CLOCK) -> ReconciliationRun:
    """Compare the account of a discrepancy with its venue now.

    Raises:
        DiscrepancyNotFound: none has this id.
        AccountDisabled: the account is switched off.
        ReconciliationBusy: it is being compared at this moment.
    """
    account_id = get_discrepancy(discrepancy_id).account_id
    return reconcile_account(account_id=account_id, asks_all=True, clock=clock)


def book_discrepancy(
    *,
    discrepancy_id: int,
    note: Message | str,
    user: Person | None,
    seen: str | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Discrepancy:
    """Book a discrepancy because a person says what it was.

    A balance that differs is booked as moved without the platform, if it still differs by what the
    person saw; a booked trade that the venue has voided is reversed. Facts stay in the books.

    Args:
        discrepancy_id: one that has not ended.
        note: what it was: typed, or a sentence of the platform.
        user: who says so.
        seen: the ``name_figures`` of what the person saw; ``None``: what was last written down.
        clock: tells when.

    Raises:
        DiscrepancyNotFound: none has this id.
        InvalidInput: there is no note, or it is too long.
        NothingToBook: it has ended, or is not of a kind that can be booked.
        ChangedMeanwhile: it is another difference than the person saw; nothing was booked.
        NoDifference: books and venue agree by now; nothing was booked.
        DifferenceChanged: they differ by something else now; nothing was booked.
        VenueError: the venue did not tell.
    """
    note = check_note(note)
    row = get_discrepancy(discrepancy_id)
    if row.state not in ACTIVE_STATES:
        raise NothingToBook(id=discrepancy_id, cause=Message("it has ended."))
    require_seen(row, seen)
    entry = _book(row, memo_of(user, note), clock)
    return mark_booked(row.pk, entry, note, user, clock)


def memo_of(user: Person | None, note: Message | str) -> Message:
    """Return what an entry says that a person has decided on: who, and what it was.

    Args:
        user: who says so; ``None``: the command line.
        note: what it was: typed, or a sentence of the platform.
    """
    said = note if isinstance(note, Message) else as_typed(note)
    # a name before a colon would make a secret of the first word, were somebody called "token"
    return Message("{note} (by {author})", {"note": said, "author": tell_author(keep_author(user))})


def _book(row: Discrepancy, memo: Message, clock: Clock) -> Entry:
    if row.kind == DiscrepancyKind.BALANCE and row.stated is not None and row.booked is not None:
        return adopt_difference(
            account_id=row.account_id,
            wallet=Wallet(row.wallet),
            asset=row.asset,
            memo=memo,
            expected=row.stated - row.booked,
            clock=clock,
        )
    if row.kind == DiscrepancyKind.UNLISTED_FILL:
        return _void(int(row.evidence["entry_id"]), memo, clock)
    raise NothingToBook(
        id=row.pk, cause=Message("only balances, and trades that a venue has voided, can be.")
    )


@transaction.atomic
def _void(entry_id: int, memo: Message, clock: Clock) -> Entry:
    """Reverse a trade, with what was booked of its fee by entries of their own."""
    key = get_entry(entry_id).key
    for ending in (FEE_LATE, FEE_SETTLED, FEE_CORRECTED):
        fee = find_entry(key + ending)
        if fee is not None:
            reverse_entry(entry_id=fee.pk, memo=memo, clock=clock)
    return reverse_entry(entry_id=entry_id, memo=memo, clock=clock)


@transaction.atomic
def mark_booked(
    discrepancy_id: int, entry: Entry, note: Message | str, user: Person | None, clock: Clock
) -> Discrepancy:
    """Note by which entry a person has settled a discrepancy, and why; return it."""
    row = lock_discrepancy(discrepancy_id)
    if row.state not in ACTIVE_STATES:
        return row  # a round saw meanwhile that it is gone: the entry is there all the same
    row.state = DISCREPANCY_TRANSITIONS.next_state(
        DiscrepancyState(row.state), DiscrepancyEvent.BOOK
    )
    row.entry_id, row.note = entry.pk, keep_reason(note)
    row.acknowledged_by_id = user.pk if user is not None else None
    row.acknowledged_at = row.closed_at = clock.now()
    row.save()
    return row
