"""Orders of listed trades that the venue says it does not know: asked for again, but not for ever
before all others."""

from dataclasses import replace
from decimal import Decimal as D

import pytest

from ledger.domain.reconciliation import ROUNDS_MIN
from ledger.models import AccountReconciliation, Discrepancy, Entry, Fill
from ledger.services import missing_fills, round_memory
from ledger.services.decisions import look_again
from ledger.services.discrepancies import acknowledge
from ledger.services.journal import submit_orders, write_orders
from ledger.services.missing_fills import FOREIGN_ORDERS_MAX
from ledger.services.reconciler import reconcile_account
from markets.domain.funds import Wallet
from markets.errors import VenueRejected, VenueUnavailable
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


SCHEDULE = [1] * ROUNDS_MIN + [0, 1] + [0] * 3 + [1] + [0] * 7 + [1] + [0] * 15 + [1]
"""Questions of each round, a minute apart: five, and then after 2, 4, 8 and 16 minutes."""


@pytest.mark.parametrize("words", ["does not show its order", "says that the order filled 0.5"])
def test_our_own_order_is_asked_for_less_and_less_often_and_seen_in_every_round(
    look, bought, venue, asked, words
):
    venue.fills.append(replace(venue.fills[-1], venue_trade_id="late"))
    if "show" in words:
        venue.orders.clear()

    assert counts(look, asked, ROUNDS_MIN) == SCHEDULE[:ROUNDS_MIN]
    assert Discrepancy.objects.get().state == "alarmed"
    for questions in SCHEDULE[ROUNDS_MIN:]:
        assert counts(look, asked, 1) == [questions]
        assert words in str(Discrepancy.objects.get().to_message())

    assert Discrepancy.objects.get().seen_count == len(SCHEDULE)
    assert Fill.objects.count() == 2


def test_a_trade_that_the_books_cannot_keep_is_tried_less_and_less_often(look, bought, venue):
    late = replace(venue.fills[-1], venue_trade_id="late", quantity=D("1E-19"))
    venue.fills.append(late)
    order = venue.orders[bought.venue_order_id]
    more = replace(order, filled_quantity=order.filled_quantity + late.quantity)
    venue.orders[bought.venue_order_id] = more

    tried = 0
    for questions in SCHEDULE:
        assert look().outcome == "different"
        tried += questions
        assert denials()[f"BTC/USDT|{bought.venue_order_id}"][0] == tried
        row = Discrepancy.objects.get(kind="missing_fill")
        assert "cannot be booked" in str(row.to_message())

    row = Discrepancy.objects.get(kind="missing_fill")
    assert (row.state, row.seen_count) == ("alarmed", len(SCHEDULE))


def know_after_all(look, bought, venue):
    """Have a venue deny an order of which it lists a late trade, and know it once it rests."""
    hidden = venue.orders.pop(bought.venue_order_id)
    late = replace(venue.fills[-1], venue_trade_id="late")
    venue.fills.append(late)
    for _round in range(ROUNDS_MIN):
        look()
    more = hidden.filled_quantity + late.quantity
    venue.orders[bought.venue_order_id] = replace(hidden, quantity=more, filled_quantity=more)


def test_our_own_order_that_the_venue_knows_after_all_is_booked_and_denied_no_more(
    look, bought, venue
):
    """Although something else goes on being different, so that the round is not clean."""
    know_after_all(look, bought, venue)
    venue.balances[Wallet.SPOT]["USDT"] -= 1

    look()  # a minute is not enough: it rests
    assert Fill.objects.count() == 2
    look()

    assert Fill.objects.filter(order=bought).count() == 3
    assert Discrepancy.objects.get(kind="missing_fill").state == "booked"
    assert denials() == {}


def test_who_compares_by_hand_does_not_wait_for_an_order_that_rests(look, bought, venue, clock):
    know_after_all(look, bought, venue)
    look()
    row = Discrepancy.objects.get(kind="missing_fill")
    assert (row.state, Fill.objects.count()) == ("alarmed", 2)

    look_again(discrepancy_id=row.pk, clock=clock)

    row.refresh_from_db()
    assert (row.state, Fill.objects.count()) == ("booked", 3)


def test_who_compares_by_hand_asks_for_no_more_orders_than_a_round_may(
    look, denied, asked, account, clock
):
    counts(look, asked, 2 * ROUNDS_MIN)
    asked[0] = 0

    reconcile_account(account_id=account.pk, asks_all=True, clock=clock)

    assert asked[0] == FOREIGN_ORDERS_MAX


@pytest.fixture
def bought_twice(bought, make_plan, venue, clock):
    """Two orders of ours with a trade more than is booked; the venue knows neither of them."""
    (other,) = write_orders(plans=[make_plan(1)], clock=clock)
    submit_orders(order_ids=[other.pk], clock=clock)
    last = {one.venue_order_id: one for one in venue.fills}
    venue.fills += [replace(one, venue_trade_id=f"late-{name}") for name, one in last.items()]
    venue.orders.clear()


def test_no_more_of_our_own_orders_are_asked_for_in_a_round_than_it_has_room_for(
    look, bought_twice, asked, monkeypatch
):
    """All have their turn; until then histories do not count as read."""
    monkeypatch.setattr(missing_fills, "OWN_ORDERS_MAX", 1)

    assert counts(look, asked, 2 * ROUNDS_MIN - 1) == [1] * (2 * ROUNDS_MIN - 1)
    assert sorted(count for count, _at in denials().values()) == [ROUNDS_MIN - 1, ROUNDS_MIN]
    assert AccountReconciliation.objects.get().read_until is None

    assert counts(look, asked, 1) == [1]
    assert {row.state for row in Discrepancy.objects.all()} == {"alarmed"}
    for row in Discrepancy.objects.all():  # what is missing holds histories in sight by itself
        acknowledge(discrepancy_id=row.pk, note="known", user=None)
    look()
    assert AccountReconciliation.objects.get().read_until is not None


@pytest.fixture
def known_by_mark(opened_books, make_plan, venue, clock):
    """An order of ours that the venue refused, as the journal says; it arrived all the same.

    The venue lists a trade more than the order's own report confirms.
    """

    def refuse(request):
        raise VenueRejected(venue="alpha", cause="try again")

    venue.after_submit = refuse
    (order,) = write_orders(plans=[make_plan()], clock=clock)
    submit_orders(order_ids=[order.pk], clock=clock)
    clock.advance_ms(120_000)
    venue.fills.append(replace(venue.fills[-1], venue_trade_id="late"))
    order.refresh_from_db()
    assert (order.state, order.venue_order_id) == ("rejected", "")
    return order


def test_our_order_that_only_its_mark_tells_is_asked_for_less_and_less_often(
    look, known_by_mark, venue, asked
):
    venue.hidden.update(venue.orders)  # no list shows it: only trades lead to it

    for questions in SCHEDULE:
        assert counts(look, asked, 1) == [questions]
        for row in Discrepancy.objects.filter(kind="missing_fill"):
            assert "says that the order filled 0.5" in str(row.to_message())

    rows = Discrepancy.objects.filter(kind="missing_fill")
    assert {(row.state, row.seen_count) for row in rows} == {("alarmed", len(SCHEDULE))}
    assert [count for count, *_more in denials().values()] == [sum(SCHEDULE)]
    assert Fill.objects.count() == 0


def test_our_order_that_only_its_mark_tells_is_booked_once_its_report_confirms_it(
    look, known_by_mark, venue
):
    venue.hidden.update(venue.orders)
    for _round in range(ROUNDS_MIN):
        look()
    venue_order_id = venue.client_ids[known_by_mark.client_order_id]
    told = venue.orders[venue_order_id]
    venue.orders[venue_order_id] = replace(told, filled_quantity=D("0.75"))

    look()
    assert Fill.objects.count() == 0  # a minute is not enough: it rests
    look()

    assert Fill.objects.filter(order=known_by_mark).count() == 3
    assert denials() == {}


def test_our_order_that_only_its_mark_tells_may_be_forgotten_by_its_venue(
    look, known_by_mark, venue, asked
):
    venue.hidden.update(venue.orders)
    look()
    venue.orders.clear()

    assert counts(look, asked, len(SCHEDULE) - 1) == SCHEDULE[1:]

    for row in Discrepancy.objects.filter(kind="missing_fill"):
        assert (row.state, row.seen_count) == ("alarmed", len(SCHEDULE))
        assert "does not show its order" in str(row.to_message())
