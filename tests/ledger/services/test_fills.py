"""Every execution is booked once, exactly, in whatever state its order is."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal as D

import pytest
from django.db import IntegrityError

from ledger.domain.orders import OrderState
from ledger.errors import Unbookable
from ledger.models import Entry, EntryKind, Fill, LateFee, LogEntry, Order, Posting
from ledger.selectors import imbalances, list_total_errors, order_movements, wallet_balances
from ledger.services.fills import book_fills
from ledger.services.journal import write_orders
from ledger.services.openings import ensure_opened
from markets.domain.funds import Wallet
from markets.domain.orders import Side
from markets.models import Asset
from tests.ledger.fakes import make_fill


def events():
    return [entry.event for entry in LogEntry.objects.order_by("pk")]


def test_a_purchase_books_fill_entry_and_lines(order, account):
    (fill,) = book_fills(order=order, fills=[make_fill(order)])

    fill.refresh_from_db()
    assert (fill.price, fill.quantity, fill.cost, fill.fee) == (
        D(60_000),
        D("0.5"),
        D(30_000),
        D("0.0005"),
    )
    assert (str(fill.fee_asset), fill.is_maker, fill.strategy_id) == (
        "BTC",
        False,
        order.strategy_id,
    )
    assert fill.executed_at == datetime(2026, 1, 1, tzinfo=UTC)
    entry = fill.entry
    assert (entry.kind, entry.occurred_at) == (EntryKind.FILL, fill.executed_at)
    assert (entry.strategy_id, entry.execution_id) == (order.strategy_id, order.execution_id)
    fields = ("book", "account_id", "wallet", "asset__code", "amount")
    assert list(entry.postings.values_list(*fields)) == [
        ("wallet", account.pk, "spot", "BTC", D("0.5")),
        ("trading", account.pk, "", "BTC", D("-0.5")),
        ("wallet", account.pk, "spot", "USDT", D(-30_000)),
        ("trading", account.pk, "", "USDT", D(30_000)),
        ("wallet", account.pk, "spot", "BTC", D("-0.0005")),
        ("trading_fees", account.pk, "", "BTC", D("0.0005")),
    ]  # fmt: skip
    order.refresh_from_db()
    assert (order.filled_quantity, order.filled_cost) == (D("0.5"), D(30_000))
    assert imbalances() == list_total_errors() == {}


def test_a_sale_pays_its_fee_in_what_it_brings(make_plan):
    (order,) = write_orders(plans=[make_plan(side=Side.SELL)])

    book_fills(order=order, fills=[make_fill(order)])

    assert order_movements(order.pk) == {"BTC": D("-0.5"), "USDT": D(29_970)}


def test_a_fee_in_a_third_asset_is_booked_in_that_asset(order, venue, account):
    venue.balances[Wallet.SPOT]["BNB"] = D(1)
    ensure_opened(account_id=account.pk)
    book_fills(order=order, fills=[make_fill(order, fee=D("0.013"), fee_asset="BNB")])

    assert order_movements(order.pk) == {
        "BTC": D("0.5"),
        "USDT": D(-30_000),
        "BNB": D("-0.013"),
    }
    assert Asset.objects.filter(code="BNB").count() == 1


def test_a_rebate_is_an_income(order):
    book_fills(order=order, fills=[make_fill(order, fee=D("-0.0001"))])

    assert order_movements(order.pk)["BTC"] == D("0.5001")


def test_the_venues_own_cost_is_the_cost(order):
    book_fills(order=order, fills=[make_fill(order, cost=D("30000.00000001"))])

    assert order_movements(order.pk)["USDT"] == D("-30000.00000001")


@pytest.mark.parametrize("times", [2, 5])
def test_a_repeated_report_is_booked_once(order, times):
    fill = make_fill(order, quantity=D("0.2"))

    booked = [len(book_fills(order=order, fills=[fill, fill])) for _ in range(times)]

    assert booked == [1] + [0] * (times - 1)
    assert (Fill.objects.count(), Entry.objects.count()) == (1, 1)
    assert wallet_balances()["USDT"] == D(-12_000)


def test_one_trade_id_on_two_markets_is_two_trades(make_plan, account):
    other = account.venue.markets.get(symbol="ETH/USDT")
    orders = write_orders(plans=[make_plan(0), make_plan(1, market_id=other.pk)])

    for order in orders:
        book_fills(order=order, fills=[make_fill(order, "same")])

    assert Fill.objects.count() == 2


def test_both_halves_of_a_trade_with_oneself_are_booked(make_plan):
    orders = write_orders(plans=[make_plan(0), make_plan(1, side=Side.SELL)])

    for order in orders:
        book_fills(order=order, fills=[make_fill(order, "same", fee=D(0))])

    assert Fill.objects.count() == 2
    assert wallet_balances() == {}


def test_one_trade_cannot_belong_to_two_orders(make_plan):
    orders = write_orders(plans=[make_plan(0), make_plan(1)])
    book_fills(order=orders[0], fills=[make_fill(orders[0], "same")])

    with pytest.raises(IntegrityError):
        book_fills(order=orders[1], fills=[make_fill(orders[1], "same")])


@pytest.mark.parametrize("change", [{"price": D(60_001)}, {"quantity": D("0.4")}])
def test_a_report_that_contradicts_a_booked_one_is_told_and_not_booked(order, change):
    fill = make_fill(order)
    book_fills(order=order, fills=[fill])

    assert book_fills(order=order, fills=[replace(fill, **change)]) == []

    assert events() == ["fill_conflict"]
    assert Fill.objects.get().price == D(60_000)


@pytest.mark.parametrize("change", [{"symbol": "ETH/USDT"}, {"side": Side.SELL}])
def test_an_execution_of_another_order_is_told_and_not_booked(order, change):
    assert book_fills(order=order, fills=[make_fill(order, **change)]) == []

    assert events() == ["fill_stranger"]
    assert not Entry.objects.exists()


@pytest.mark.parametrize("state", OrderState)
def test_executions_are_booked_in_every_state(order, state):
    Order.objects.filter(pk=order.pk).update(state=state)

    assert len(book_fills(order=order, fills=[make_fill(order)])) == 1


def test_more_than_was_ordered_is_booked_and_told(order):
    book_fills(order=order, fills=[make_fill(order, quantity=D("0.6"))])

    assert events() == ["order_overfilled"]
    assert wallet_balances()["USDT"] == D(-36_000)


def test_an_unusual_fee_is_told_and_booked_only_once_it_is_proven(order):
    book_fills(order=order, fills=[make_fill(order, fee=D("0.011"))])

    assert events() == ["fee_suspicious"]
    assert "0.011 BTC" in str(LogEntry.objects.get().to_message())
    assert order_movements(order.pk)["BTC"] == D("0.5")

    book_fills(order=order, fills=[make_fill(order, fee=D("0.011"))], is_fee_proven=True)

    assert events() == ["fee_suspicious"]
    assert order_movements(order.pk)["BTC"] == D("0.489")


def test_an_amount_that_cannot_be_stored_exactly_is_refused_whole(order):
    fills = [make_fill(order, "one"), make_fill(order, "two", quantity=D("1e-19"))]

    with pytest.raises(Unbookable):
        book_fills(order=order, fills=fills)

    assert not Entry.objects.exists()
    assert not Posting.objects.exists()
    order.refresh_from_db()
    assert order.filled_quantity == 0


# fees that come late --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "unknown", [{"fee": None, "fee_asset": None}, {"fee": D(1), "fee_asset": None}]
)
def test_a_fee_that_is_not_known_is_left_out_and_completed_by_its_own_entry(order, unknown):
    without = make_fill(order, **unknown)

    book_fills(order=order, fills=[without])
    assert (Fill.objects.get().fee, order_movements(order.pk)["BTC"]) == (None, D("0.5"))

    book_fills(order=order, fills=[without])
    assert not LateFee.objects.exists()

    for _ in range(2):
        assert book_fills(order=order, fills=[make_fill(order)]) == []

    late = LateFee.objects.get()
    assert (late.amount, str(late.asset), late.entry.kind) == (D("0.0005"), "BTC", "fee")
    assert late.entry.key == f"{late.fill.entry.key}:fee"
    assert (late.entry.strategy_id, late.entry.execution_id) == (
        order.strategy_id,
        order.execution_id,
    )
    fill = Fill.objects.get()
    assert (fill.fee, fill.known_fee, str(fill.known_fee_asset)) == (None, D("0.0005"), "BTC")
    assert order_movements(order.pk) == {"BTC": D("0.4995"), "USDT": D(-30_000)}
    assert imbalances() == list_total_errors() == {}


def test_a_late_fee_of_nothing_is_known_from_then_on(order):
    book_fills(order=order, fills=[make_fill(order, fee=None, fee_asset=None)])
    book_fills(order=order, fills=[make_fill(order, fee=D(0), fee_asset=None)])

    assert (LateFee.objects.get().amount, Fill.objects.get().known_fee) == (D(0), D(0))
    assert Posting.objects.count() == 4
