"""What entries say that they are about: in each reader's language, and what was typed as typed."""

from decimal import Decimal as D

import pytest
from django.db import connection
from django.utils import translation

from arbplatform.authors import keep_author
from arbplatform.core.errors import Message
from arbplatform.wording import render
from ledger.models import Discrepancy, Entry
from ledger.services.decisions import BY_CONSOLE, book_discrepancy
from ledger.services.discrepancies import acknowledge
from ledger.services.entries import reverse_entry
from ledger.services.reconciler import reconcile_account
from markets.domain.funds import Wallet
from markets.domain.orders import Side
from tests.ledger.reconciled import by_hand

ASKED = {"headers": {"Accept-Language": "zh-hans"}}


def memos_of(user_api):
    rows = user_api.get("/api/entries", **ASKED).json()["data"]["results"]
    return [row["memo"] for row in rows]


def test_a_trade_by_hand_is_booked_with_a_sentence_for_each_reader(
    look, opened_books, venue, user_api
):
    by_hand(venue, side=Side.SELL)

    look()

    memo = memos_of(user_api)[0]
    assert "卖出" in memo
    assert "BTC/USDT" in memo
    assert "sell" not in memo
    assert "without the platform: sell" in str(Entry.objects.filter(kind="external")[0].to_memo())


@pytest.mark.parametrize("typed", ["halted", "deposit", '{"template":"x","context":{}}'])
def test_a_memo_that_was_typed_stays_as_it_is(opened_books, user_api, typed):
    entry = Entry.objects.get()

    reverse_entry(entry_id=entry.pk, memo=typed)

    assert memos_of(user_api)[0] == typed


def test_a_memo_of_an_older_release_is_shown_as_it_was(opened_books, user_api, console):
    entry = Entry(key="old", kind="external", memo="withdrawal w-1 failed")
    entry.occurred_at = opened_books.created_at
    entry.save()

    assert memos_of(user_api)[0] == "withdrawal w-1 failed"
    page = console.get("/admin/ledger/entry/", **ASKED).content.decode()
    assert "withdrawal w-1 failed" in page


def test_a_long_sentence_is_kept_whole(opened_books):
    entry = reverse_entry(
        entry_id=Entry.objects.get().pk, memo=Message("{why}", {"why": "9" * 1_000})
    )

    entry.refresh_from_db()
    assert str(entry.to_memo()) == "9" * 1_000


def test_books_are_guarded_after_their_column_was_widened(opened_books):
    with pytest.raises(Exception, match="immutable"), connection.cursor() as cursor:
        cursor.execute("UPDATE ledger_entry SET memo = 'forged'")


@pytest.mark.parametrize("act", [acknowledge, book_discrepancy])
def test_a_note_by_a_button_is_told_in_the_readers_language(
    opened_books, venue, superuser, user_api, act
):
    venue.balances[Wallet.SPOT]["USDT"] -= D(1)
    reconcile_account(account_id=opened_books.pk)
    row = Discrepancy.objects.get()

    act(discrepancy_id=row.pk, note=BY_CONSOLE, user=superuser)

    row.refresh_from_db()
    with translation.override("zh-hans"):
        assert render(row.to_note()) == "在控制台中决定"


@pytest.mark.parametrize("name", ["token", "secret", "system"])
@pytest.mark.parametrize("typed", ["was a bet", "the token: sold by hand", "halted"])
def test_memo_and_note_keep_what_was_typed_whoever_typed_it(
    opened_books, venue, superuser, name, typed
):
    superuser.username = name
    superuser.save()
    venue.balances[Wallet.SPOT]["USDT"] -= D(1)
    reconcile_account(account_id=opened_books.pk)
    row = Discrepancy.objects.get()

    book_discrepancy(discrepancy_id=row.pk, note=typed, user=superuser)

    row.refresh_from_db()
    author = keep_author(superuser)
    memo = Entry.objects.latest("pk").to_memo()
    assert str(row.to_note()) == typed
    assert str(memo) == f"{typed} (by {author})"
    with translation.override("zh-hans"):
        assert render(memo) == f"{typed}（{author}）"


def test_an_entry_is_found_by_what_was_typed_about_it(opened_books, venue, superuser, console):
    venue.balances[Wallet.SPOT]["USDT"] -= D(1)
    reconcile_account(account_id=opened_books.pk)
    book_discrepancy(discrepancy_id=Discrepancy.objects.get().pk, note="lost a bet", user=superuser)

    page = console.get("/admin/ledger/entry/?q=bet", **ASKED).content.decode()

    assert "lost a bet" in page
    assert "摘要中的编号、名称或手工输入的文字" in page
