"""Orders of listed trades that the venue says it does not know: asked for again, but not for ever
before all others."""

from dataclasses import replace

import pytest

from ledger.domain.reconciliation import ROUNDS_MIN
from ledger.models import AccountReconciliation, Discrepancy, Entry
from ledger.services import round_memory
from ledger.services.missing_fills import FOREIGN_ORDERS_MAX
from markets.errors import VenueUnavailable
from tests.ledger.reconciled import assert_equal_to, by_hand

DENIED = FOREIGN_ORDERS_MAX + 5


@pytest.fixture
def asked(venue):
    """How many orders were asked for."""
    count = [0]

    def note(name):
        count[0] += name == "fetch_order"

    venue.on_call = note
    return count


@pytest.fixture
def denied(opened_books, venue):
    """Trades of more orders than one round asks for, none of which the venue knows."""
    by_hand(venue)
    venue.orders.clear()
    venue.fills[:] = [
        replace(venue.fills[0], venue_trade_id=f"t{number}", venue_order_id=f"ghost-{number}")
        for number in range(DENIED)
    ]


def denials():
    return AccountReconciliation.objects.get().denials


def counts(look, asked, rounds):
    seen = []
    for _round in range(rounds):
        asked[0] = 0
        look()
        seen.append(asked[0])
    return seen


def test_every_order_is_asked_for_and_then_less_and_less_often(look, denied, venue, asked):
    first = counts(look, asked, 2 * ROUNDS_MIN)
    later = counts(look, asked, 30)

    # those that were asked for least come first, so all are in their turn
    assert first[:6] == [FOREIGN_ORDERS_MAX] * 6
    assert sum(first[:7]) >= DENIED * ROUNDS_MIN
    assert len(denials()) == DENIED
    assert min(count for count, _at in denials().values()) >= ROUNDS_MIN
    assert sum(later) <= DENIED * 4  # in half an hour: after 2, 4, 8 and 16 minutes
    assert max(later) <= FOREIGN_ORDERS_MAX


def test_each_is_seen_in_every_round_once_it_was_denied_often_enough(look, denied):
    for _round in range(3 * ROUNDS_MIN):
        look()

    rows = Discrepancy.objects.filter(kind="missing_fill")
    assert {row.state for row in rows} == {"alarmed"}
    assert rows.count() == DENIED


def test_a_new_order_of_somebody_else_does_not_wait_behind_them(look, denied, venue):
    for _round in range(ROUNDS_MIN):
        look()
    order = by_hand(venue, client_order_id="web-2")

    look()

    assert AccountReconciliation.objects.get().strangers == {
        f"BTC/USDT|{order.venue_order_id}": "web-2"
    }


def test_one_that_the_venue_knows_after_all_is_booked_and_denied_no_more(look, opened_books, venue):
    order = by_hand(venue)
    hidden = venue.orders.pop(order.venue_order_id)
    for _round in range(ROUNDS_MIN):
        look()
    assert [count for count, _at in denials().values()] == [ROUNDS_MIN]
    venue.orders[order.venue_order_id] = hidden

    look()  # a minute is not enough: it rests
    assert not Entry.objects.filter(kind="external").exists()
    look()

    assert Entry.objects.filter(kind="external").count() == len(venue.fills)
    assert denials() == {}
    assert_equal_to(venue, opened_books)


def test_a_venue_that_does_not_answer_denies_nothing(look, opened_books, venue):
    by_hand(venue)
    venue.failures["fetch_order"] = [VenueUnavailable(venue="alpha", cause="timeout")]

    assert look().outcome == "failed"

    assert denials() == {}


def test_of_so_many_denials_the_newest_are_kept(look, denied, monkeypatch):
    monkeypatch.setattr(round_memory, "DENIALS_MAX", 3)

    look()

    assert list(denials()) == [
        f"BTC/USDT|ghost-{n}" for n in range(FOREIGN_ORDERS_MAX - 3, FOREIGN_ORDERS_MAX)
    ]
