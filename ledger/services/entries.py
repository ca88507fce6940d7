"""Book balanced events. An entry is written once; a correction is a new entry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.errors import Message
from arbplatform.persistence.sentences import keep_reason
from arbplatform.persistence.sequences import next_ids
from ledger.domain.postings import Book, Line, check_balanced, reversal_lines
from ledger.errors import ImmutableRecord
from ledger.models import Entry, EntryKind, Posting
from ledger.selectors import find_entry, get_entry
from ledger.services.batches import Statement, insertions, run_batch
from ledger.services.rows import mark_inserted
from markets.domain.funds import Wallet
from markets.services.assets import ensure_assets

_DRAFTED = (
    "key",
    "kind",
    "strategy_id",
    "execution_id",
    "transfer_id",
    "reverses_id",
    "memo",
    "occurred_at",
)
_ENTRY_COLUMNS = ("id", *_DRAFTED, "created_at")
_POSTING_COLUMNS = ("entry_id", "book", "account_id", "wallet", "asset_id", "amount")


@dataclass(frozen=True, slots=True)
class EntryDraft:
    """An entry that is not written yet.

    Attributes:
        key: what makes two entries the same event.
        kind: why it is booked.
        lines: balanced in every asset.
        occurred_at: when it happened.
        strategy_id: whose result it belongs to.
        execution_id: the arbitrage it belongs to.
        transfer_id: the transfer it belongs to.
        reverses_id: the entry that it undoes.
        memo: for people, as ``keep_reason`` keeps it.
    """

    key: str
    kind: EntryKind
    lines: Sequence[Line]
    occurred_at: datetime
    strategy_id: int | None = None
    execution_id: int | None = None
    transfer_id: int | None = None
    reverses_id: int | None = None
    memo: str = ""


@transaction.atomic(savepoint=False)
def write_entries(
    *, drafts: Sequence[EntryDraft], asset_ids: Mapping[str, int] | None = None
) -> list[Entry]:
    """Write entries with their postings in as few statements as the database allows.

    Args:
        drafts: what to book; each key is new.
        asset_ids: ids of asset codes that the caller knows already.

    Raises:
        Imbalanced: a draft does not balance; nothing is written.
        Unbookable: an amount has too many digits; nothing is written.
    """
    now = timezone.now()
    ids, statements = draft_entries(drafts=drafts, now=now, asset_ids=asset_ids)
    run_batch(statements)
    return [_made(draft, pk, now) for draft, pk in zip(drafts, ids, strict=True)]


def draft_entries(
    *, drafts: Sequence[EntryDraft], now: datetime, asset_ids: Mapping[str, int] | None = None
) -> tuple[list[int], list[Statement]]:
    """Return the ids of entries, and what writes them; the caller runs it at once.

    Args:
        drafts: what to book; each key is new.
        now: when it is booked.
        asset_ids: ids of asset codes that the caller knows already.

    Raises:
        Imbalanced: a draft does not balance.
        Unbookable: an amount has too many digits.
    """
    if not drafts:
        return [], []
    for draft in drafts:
        check_balanced(draft.key, draft.lines)
    ids = next_ids(Entry, len(drafts))
    known = dict(asset_ids or {})
    unknown = {line.asset for draft in drafts for line in draft.lines} - known.keys()
    if unknown:
        known |= {code: asset.pk for code, asset in ensure_assets(sorted(unknown)).items()}
    postings = [
        (pk, line.book, line.account_id, line.wallet or "", known[line.asset], line.amount)
        for pk, draft in zip(ids, drafts, strict=True)
        for line in draft.lines
    ]
    rows = [
        (pk, *[getattr(draft, column) for column in _DRAFTED], now)
        for pk, draft in zip(ids, drafts, strict=True)
    ]
    return ids, [
        *insertions(Entry, _ENTRY_COLUMNS, rows),
        *insertions(Posting, _POSTING_COLUMNS, postings),
    ]


def book_entry(
    *,
    key: str,
    kind: EntryKind,
    lines: Sequence[Line],
    occurred_at: datetime,
    strategy_id: int | None = None,
    execution_id: int | None = None,
    transfer_id: int | None = None,
    reverses_id: int | None = None,
    memo: Message | str = "",
) -> Entry:
    """Book one event, once: a second call with the same key returns the entry that is there.

    Args:
        key: what makes two entries the same event.
        kind: why it is booked.
        lines: balanced in every asset.
        occurred_at: when it happened.
        strategy_id: whose result it belongs to.
        execution_id: the arbitrage it belongs to.
        transfer_id: the transfer it belongs to.
        reverses_id: the entry that it undoes.
        memo: what it is about: a sentence of the platform, or what a person typed.

    Raises:
        Imbalanced: the lines do not balance; nothing is written.
        Unbookable: an amount has too many digits; nothing is written.
        ImmutableRecord: the key is booked with other lines.
    """
    booked = find_entry(key)
    if booked is None:
        draft = EntryDraft(
            key=key,
            kind=kind,
            lines=lines,
            occurred_at=occurred_at,
            strategy_id=strategy_id,
            execution_id=execution_id,
            transfer_id=transfer_id,
            reverses_id=reverses_id,
            memo=keep_reason(memo),
        )
        try:
            with transaction.atomic():
                return write_entries(drafts=[draft])[0]
        except IntegrityError:
            booked = find_entry(key)  # somebody else was faster
            if booked is None:
                raise
    if sorted(map(_sort_key, lines_of(booked))) != sorted(map(_sort_key, lines)):
        raise ImmutableRecord(
            "The entry {key} is booked already, with other amounts. Book a reversal instead.",
            key=key,
        )
    return booked


def reverse_entry(*, entry_id: int, memo: Message | str, clock: Clock = SYSTEM_CLOCK) -> Entry:
    """Undo an entry by one with the opposite amounts, once.

    Args:
        entry_id: what to undo; it stays in the books.
        memo: the reason: a sentence of the platform, or what a person typed.
        clock: tells when.

    Raises:
        EntryNotFound: no entry has this id.
    """
    entry = get_entry(entry_id)
    return book_entry(
        key=f"reversal:{entry.key}",
        kind=EntryKind.REVERSAL,
        lines=reversal_lines(lines_of(entry)),
        occurred_at=clock.now(),
        strategy_id=entry.strategy_id,
        execution_id=entry.execution_id,
        transfer_id=entry.transfer_id,
        reverses_id=entry.pk,
        memo=memo,
    )


def lines_of(entry: Entry) -> list[Line]:
    """Return the postings of an entry as values."""
    return [
        Line(
            book=Book(posting.book),
            asset=posting.asset.code,
            amount=posting.amount,
            account_id=posting.account_id,
            wallet=Wallet(posting.wallet) if posting.wallet else None,
        )
        for posting in entry.postings.all()
    ]


def _sort_key(line: Line) -> tuple[object, ...]:
    return (line.book, line.asset, line.account_id or 0, line.wallet or "", line.amount)


def _made(draft: EntryDraft, pk: int, now: datetime) -> Entry:
    """Return the row of a draft that was written."""
    entry = Entry(created_at=now, **{column: getattr(draft, column) for column in _DRAFTED})
    mark_inserted(entry, pk)
    return entry
