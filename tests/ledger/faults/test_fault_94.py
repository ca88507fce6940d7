"""What a person trades at the venue is imported to the last decimal as moved outside, with the
venue's id, and strategies whose reserved funds it took only reduce exposure.
"""

from decimal import Decimal as D

from ledger.models import Discrepancy, Entry, Fill, LogEntry, TradingHalt
from ledger.selectors import pnl_by_asset
from ledger.services.journal import submit_orders, write_orders
from markets.domain.orders import Side, TimeInForce, VenueOrderStatus
from tests.ledger.reconciled import assert_equal_to, by_hand


def test_it_is_imported_once_and_is_no_result_of_a_strategy(look, opened_books, bought, venue):
    before = pnl_by_asset()
    by_hand(venue, quantity="0.3", side=Side.SELL)

    outcomes = [(run.outcome, run.booked_count) for run in (look(), look())]

    assert outcomes == [("clean", 2), ("clean", 0)]
    memos = [str(entry.to_memo()) for entry in Entry.objects.filter(kind="external")]
    assert all("sell 0.15 BTC/USDT at 50000" in memo for memo in memos)
    assert {row.evidence["venue_order_id"] for row in Discrepancy.objects.all()} == {"alpha-2"}
    assert Fill.objects.count() == 2
    assert pnl_by_asset() == before
    assert_equal_to(venue, opened_books)


def test_a_strategy_whose_reserved_funds_were_taken_is_restricted(
    look, opened_books, make_plan, venue, clock
):
    venue.fill_fraction, venue.rest_status = D(0), VenueOrderStatus.OPEN
    plan = make_plan(side=Side.SELL, quantity=D("1.5"), time_in_force=TimeInForce.GTC)
    (order,) = write_orders(plans=[plan], clock=clock)
    submit_orders(order_ids=[order.pk], clock=clock)
    venue.fill_fraction = D(1)
    by_hand(venue, quantity="1", side=Side.SELL)

    look()

    assert TradingHalt.objects.get().key == f"strategy:{order.strategy_id}"
    assert TradingHalt.objects.get().state == "reducing"
    assert LogEntry.objects.get(event="funds_moved_away").strategy_id == order.strategy_id


def test_a_strategy_that_has_enough_left_goes_on(look, opened_books, resting, venue):
    venue.fill_fraction = D(1)
    by_hand(venue, side=Side.SELL)

    look()

    assert not TradingHalt.objects.exists()
