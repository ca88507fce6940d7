"""An entry is booked once; a correction is a new entry."""

from datetime import UTC, datetime
from decimal import Decimal as D

import pytest

from ledger.domain.postings import Book, Line, Purse
from ledger.errors import EntryNotFound, Imbalanced, ImmutableRecord
from ledger.models import Entry, EntryKind, Posting
from ledger.selectors import (
    find_entry,
    imbalances,
    list_total_errors,
    pnl_by_asset,
    wallet_balances,
)
from ledger.services.entries import book_entry, lines_of, reverse_entry
from ledger.services.fills import book_fills
from markets.models import Asset
from tests.ledger.fakes import make_fill

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def book(account, amount="1", *, key="one", asset="BTC", rest=None):
    rest = -D(amount) if rest is None else D(rest)
    return book_entry(
        key=key,
        kind=EntryKind.EXTERNAL,
        lines=[
            Purse(account.pk).line(asset, D(amount)),
            Line(Book.EXTERNAL, asset, rest, account.pk),
        ],
        occurred_at=MOMENT,
        memo="test",
    )


def test_the_same_event_is_booked_once(account):
    first = book(account)

    assert book(account).pk == first.pk
    assert (Entry.objects.count(), Posting.objects.count()) == (1, 2)


def test_a_key_cannot_be_booked_again_with_other_amounts(account):
    book(account)

    with pytest.raises(ImmutableRecord):
        book(account, "2")

    assert wallet_balances() == {"BTC": D(1)}


def test_who_is_slower_gets_the_entry_of_the_faster_one(account, monkeypatch):
    first = book(account)
    answers = iter([None])  # the slower one looked before the faster one committed
    monkeypatch.setattr(
        "ledger.services.entries.find_entry", lambda key: next(answers, find_entry(key))
    )

    assert book(account).pk == first.pk
    assert Entry.objects.count() == 1


def test_lines_that_do_not_balance_write_nothing(account):
    with pytest.raises(Imbalanced):
        book(account, "1", rest="-0.999999999999999999")

    assert not Entry.objects.exists()


def test_an_asset_that_was_never_seen_is_made(account):
    book(account, asset="NEW")

    assert Asset.objects.filter(code="NEW").exists()


def test_a_reversal_undoes_an_entry_and_leaves_it_in_the_books(order, clock):
    book_fills(order=order, fills=[make_fill(order)])
    entry = Entry.objects.get()
    before = lines_of(entry)

    reversal = reverse_entry(entry_id=entry.pk, memo="busted by the venue", clock=clock)
    again = reverse_entry(entry_id=entry.pk, memo="busted by the venue", clock=clock)

    assert (reversal.kind, reversal.reverses_id, reversal.memo) == (
        EntryKind.REVERSAL,
        entry.pk,
        "busted by the venue",
    )
    assert (reversal.strategy_id, reversal.execution_id) == (order.strategy_id, order.execution_id)
    assert (again.pk, Entry.objects.count()) == (reversal.pk, 2)
    assert lines_of(Entry.objects.get(pk=entry.pk)) == before
    assert pnl_by_asset() == {}
    assert wallet_balances() == {}
    assert imbalances() == list_total_errors() == {}


def test_what_is_not_there_cannot_be_reversed(db):
    with pytest.raises(EntryNotFound):
        reverse_entry(entry_id=7, memo="x")
