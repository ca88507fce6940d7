"""Orders that a venue lists otherwise than the journal has them: all have their turn, and none is
equal again because a list left it out."""

from dataclasses import replace
from decimal import Decimal as D

import pytest

from arbplatform.core.clock import to_ms
from ledger.domain.reconciliation import OVERLAP, ROUNDS_MIN
from ledger.models import AccountReconciliation, Discrepancy, Order, TradingHalt
from ledger.services import order_comparison
from ledger.services.discrepancies import acknowledge
from ledger.services.journal import submit_orders, write_orders
from markets.domain.funds import Wallet
from markets.domain.orders import OrderKind, TimeInForce, VenueOrderStatus
from markets.errors import OrderAbsent, VenueRejected, VenueUnavailable


def differ(venue, order):
    """Have the venue say that less of an order was filled than is booked."""
    told = venue.orders[order.venue_order_id]
    venue.orders[order.venue_order_id] = replace(told, filled_quantity=D("0.1"))


@pytest.fixture
def other(look, bought, venue):
    """An order that is booked with 0.5; the venue says 0.1."""
    differ(venue, bought)
    assert look().outcome == "different"
    assert found() == ("open", 1)
    return bought


@pytest.fixture
def many(look, make_plan, venue, clock, monkeypatch):
    """Three orders that differ, of which a round looks up one."""
    plans = [make_plan(leg, quantity=D("0.2")) for leg in range(3)]
    rows = write_orders(plans=plans, clock=clock)
    submit_orders(order_ids=[row.pk for row in rows], clock=clock)
    clock.advance_ms(120_000)
    for row in Order.objects.all():
        differ(venue, row)
    monkeypatch.setattr(order_comparison, "LOOKUPS_MAX", 1)
    return list(Order.objects.order_by("pk"))


def found():
    row = Discrepancy.objects.filter(kind="order_state").latest("pk")
    return row.state, row.seen_count


def seen_by_order():
    rows = Discrepancy.objects.filter(kind="order_state")
    return {row.subject: row.seen_count for row in rows}


def test_all_orders_have_their_turn_although_others_go_on_being_different(look, many):
    for _round in range(3):
        look()

    assert seen_by_order() == {f"order|{order.pk}": 1 for order in many}
    assert AccountReconciliation.objects.get().read_until is None  # some were not looked at


def test_all_are_seen_in_every_round_once_each_was_looked_at_often_enough(look, many):
    for _round in range(3 * ROUNDS_MIN):
        look()
    before = seen_by_order()
    assert min(before.values()) == ROUNDS_MIN

    look()

    assert seen_by_order() == {subject: count + 1 for subject, count in before.items()}
    assert AccountReconciliation.objects.get().read_until is not None
    assert {row.state for row in Discrepancy.objects.all()} == {"alarmed"}


def test_orders_that_a_silent_venue_was_not_asked_for_go_on_being_different(
    look, many, venue, monkeypatch
):
    monkeypatch.setattr(order_comparison, "LOOKUPS_MAX", 20)
    look()
    assert seen_by_order() == {f"order|{order.pk}": 1 for order in many}
    venue.failures["fetch_order"] = [VenueUnavailable(venue="alpha", cause="timeout")]

    look()

    assert venue.failures["fetch_order"] == []
    assert {row.state for row in Discrepancy.objects.filter(kind="order_state")} == {"open"}
    assert sorted(seen_by_order().values()) == [1, 1, 2]
    look()
    assert sorted(seen_by_order().values()) == [2, 2, 3]


def test_an_order_that_differs_for_good_is_looked_up_less_and_less_often(look, other, venue):
    asked = []
    venue.on_call = lambda name: asked.append(name) if name == "fetch_order" else None
    counts = []
    for _round in range(12):
        asked.clear()
        look()
        counts.append(len(asked))

    assert counts == [1] * (ROUNDS_MIN - 1) + [0, 1, 0, 0, 0, 1, 0, 0]
    assert found() == ("alarmed", 13)


def test_one_that_the_venue_lists_as_the_journal_has_it_is_equal_at_once_although_it_rests(
    look, other, venue
):
    for _round in range(2 * ROUNDS_MIN):
        look()
    venue.orders[other.venue_order_id] = replace(
        venue.orders[other.venue_order_id], filled_quantity=other.filled_quantity
    )

    assert look().outcome == "clean"

    assert found()[0] == "closed"


def test_a_list_that_leaves_an_order_out_does_not_make_it_equal(look, other, venue):
    venue.hidden.add(other.venue_order_id)

    assert look().outcome == "different"

    assert found() == ("open", 2)
    venue.hidden.clear()
    for _round in range(ROUNDS_MIN):
        look()
    assert found()[0] == "alarmed"  # it was not begun to be counted anew


def test_an_order_that_no_list_shows_is_equal_once_its_own_report_says_so(look, other, venue):
    venue.hidden.add(other.venue_order_id)
    venue.orders[other.venue_order_id] = replace(
        venue.orders[other.venue_order_id], filled_quantity=other.filled_quantity
    )

    assert look().outcome == "clean"

    assert found()[0] == "closed"


@pytest.mark.parametrize(
    "error",
    [
        VenueUnavailable(venue="alpha", cause="timeout"),
        OrderAbsent(venue="alpha", cause="Order does not exist."),
    ],
)
def test_an_order_that_no_list_and_no_look_up_shows_is_not_equal(look, other, venue, error):
    venue.hidden.add(other.venue_order_id)
    venue.failures["fetch_order"] = [error]

    look()

    assert found() == ("open", 2)
    row = Discrepancy.objects.get(kind="order_state")
    assert (row.booked, row.stated) == (D("0.5"), D("0.1"))
    assert "does not show it now. Nothing was concluded." in str(row.to_message())


def test_what_a_person_has_acknowledged_of_an_order_is_not_asked_for(
    look, other, venue, superuser, clock
):
    row = Discrepancy.objects.get(kind="order_state")
    acknowledge(discrepancy_id=row.pk, note="known", user=superuser, clock=clock)
    venue.hidden.add(other.venue_order_id)
    venue.calls.clear()

    assert look().outcome == "clean"

    assert "fetch_order" not in venue.calls


def test_a_list_that_leaves_our_id_of_an_order_out_does_not_make_it_equal(look, other, venue):
    told = venue.orders[other.venue_order_id]
    venue.orders[other.venue_order_id] = replace(told, client_order_id=None)

    assert look().outcome == "different"

    assert found() == ("open", 2)
    row = Discrepancy.objects.get(kind="order_state")
    assert (row.booked, row.stated) == (D("0.5"), D("0.1"))
    venue.orders[other.venue_order_id] = replace(
        told, client_order_id=None, filled_quantity=other.filled_quantity
    )
    assert look().outcome == "clean"
    assert found()[0] == "closed"


def test_an_open_order_that_is_listed_otherwise_without_our_id_is_looked_up(look, resting, venue):
    told = venue.orders[resting.venue_order_id]
    venue.orders[resting.venue_order_id] = replace(
        told, client_order_id=None, status=VenueOrderStatus.CANCELED
    )

    look()

    resting.refresh_from_db()
    assert resting.state == "canceled"


def test_an_order_that_no_list_shows_any_more_holds_no_history_back(look, other, venue, clock):
    venue.hidden.add(other.venue_order_id)
    look()
    clock.advance_ms(86_400_000)
    before = look()
    Order.objects.update(updated_at=clock.now())
    AccountReconciliation.objects.update(activity=None)  # as if a round had seen it happen

    look()

    assert Discrepancy.objects.get(kind="order_state").seen_count == 4
    assert venue.asked_since_ms["fetch_orders"] == to_ms(before.started_at - OVERLAP)


def test_an_order_that_is_listed_otherwise_holds_histories_in_sight(look, other, venue, clock):
    row = Discrepancy.objects.get(kind="order_state")
    clock.advance_ms(86_400_000)
    Order.objects.update(updated_at=clock.now())
    AccountReconciliation.objects.update(activity=None)

    look()

    assert venue.asked_since_ms["fetch_orders"] == to_ms(row.first_seen_at - 2 * OVERLAP)


def test_a_list_that_was_not_told_does_not_count_as_one_without_the_order(look, other, venue):
    venue.failures["fetch_orders"] = [VenueRejected(venue="alpha", cause="busy")]

    look()

    assert found() == ("open", 2)
    assert "unlisted" not in Discrepancy.objects.get(kind="order_state").evidence


@pytest.mark.parametrize("named", [None, "", "venue-made-7", "arbother" + "z" * 16])
def test_our_open_order_is_nobody_elses_whatever_name_a_list_gives_it(look, resting, venue, named):
    told = venue.orders[resting.venue_order_id]
    listed = replace(told, client_order_id=named)
    venue.fetch_open_orders = lambda _symbol=None: [listed]

    assert look().outcome == "clean"

    assert not Discrepancy.objects.exists()
    assert not TradingHalt.objects.exists()


def test_nor_while_its_own_answer_is_still_on_its_way(look, resting, venue):
    Order.objects.update(state="submitting", venue_order_id="", acknowledged_at=None)
    listed = replace(venue.orders[resting.venue_order_id], client_order_id="venue-made-7")
    venue.fetch_open_orders = lambda _symbol=None: [listed]

    look()

    assert not Discrepancy.objects.filter(kind="foreign_order").exists()


def test_an_order_of_another_market_with_our_orders_id_is_still_somebody_elses(
    look, resting, venue
):
    told = venue.orders[resting.venue_order_id]
    theirs = replace(told, symbol="ETH/USDT", client_order_id="web-1")
    venue.fetch_open_orders = lambda _symbol=None: [told, theirs]

    look()

    assert [row.kind for row in Discrepancy.objects.all()] == ["foreign_order"]


def test_an_order_of_another_market_with_the_same_id_does_not_stand_for_ours(look, other, venue):
    """Some venues count in each market anew."""
    venue.hidden.add(other.venue_order_id)
    told = venue.orders[other.venue_order_id]
    stranger = replace(
        told,
        symbol="ETH/USDT",
        client_order_id="web-1",
        status=VenueOrderStatus.OPEN,
        filled_quantity=other.filled_quantity,
    )
    venue.fetch_open_orders = lambda: [stranger]

    look()

    row = Discrepancy.objects.get(kind="order_state")
    assert (row.state, row.seen_count, row.context["listed_state"]) == ("open", 2, told.status)


def test_an_order_that_was_refused_and_is_listed_is_asked_for_by_the_venues_id(
    look, opened_books, make_plan, venue, clock
):
    """The journal has no id of it: the venue's list has told it."""
    (order,) = write_orders(
        plans=[make_plan(kind=OrderKind.LIMIT, time_in_force=TimeInForce.GTC)], clock=clock
    )
    Order.objects.filter(pk=order.pk).update(state="rejected", next_lookup_at=None)
    venue.fill_fraction, venue.rest_status = D(0), VenueOrderStatus.OPEN
    placed = venue._accept(order.to_request())
    look()
    assert found() == ("open", 1)
    venue.hidden.add(placed.venue_order_id)
    venue.orders[placed.venue_order_id] = replace(placed, status=VenueOrderStatus.CANCELED)
    venue.client_ids.clear()

    assert look().outcome == "clean"

    assert found()[0] == "closed"


def test_an_order_that_was_equal_in_between_is_looked_up_anew(look, other, venue):
    """Although something else goes on being different, so that no round is clean."""
    venue.balances[Wallet.SPOT]["USDT"] -= 1
    for _round in range(2 * ROUNDS_MIN):
        look()
    told = venue.orders[other.venue_order_id]
    venue.orders[other.venue_order_id] = replace(told, filled_quantity=other.filled_quantity)
    look()
    venue.orders[other.venue_order_id] = told
    venue.calls.clear()

    look()

    assert venue.calls.count("fetch_order") == 1
