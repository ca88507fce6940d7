"""A trade is booked once by account, market, side and the venue's id, however often and wherever
else that id is reported.
"""

from decimal import Decimal as D

from ledger.models import Discrepancy, Entry, Fill
from ledger.services.fills import book_fills
from ledger.services.journal import submit_orders, write_orders
from markets.models import Market
from tests.ledger.fakes import make_fill
from tests.ledger.reconciled import assert_equal_to


def test_a_repeated_report_changes_nothing(look, opened_books, bought, venue):
    venue.fills += venue.fills

    assert look().outcome == "clean"
    book_fills(order=bought, fills=venue.fills)

    assert Fill.objects.count() == 2
    assert not Discrepancy.objects.exists()


def test_an_id_that_returns_in_another_market_is_another_trade(
    opened_books, make_plan, order, account
):
    other = Market.objects.get(venue=account.venue, symbol="ETH/USDT")
    plan = make_plan(1, market_id=other.pk, price=D(3_000))
    (second,) = write_orders(plans=[plan])

    for one in (order, second):
        book_fills(order=one, fills=[make_fill(one, "7")])
        book_fills(order=one, fills=[make_fill(one, "7")])

    assert list(Fill.objects.order_by("pk").values_list("market__symbol", "venue_trade_id")) == [
        ("BTC/USDT", "7"),
        ("ETH/USDT", "7"),
    ]
    assert Entry.objects.filter(kind="fill").count() == 2


def test_a_round_after_a_restored_backup_books_nothing_twice(
    look, opened_books, make_plan, venue, clock
):
    (order,) = write_orders(plans=[make_plan()], clock=clock)
    submit_orders(order_ids=[order.pk], clock=clock)

    outcomes = [(run.outcome, run.booked_count) for run in (look(), look())]

    assert outcomes == [("clean", 0), ("clean", 0)]
    assert_equal_to(venue, opened_books)
