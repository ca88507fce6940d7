"""The journal and the books over real HTTP, against two simulated venues in one process."""

import time
from contextlib import contextmanager
from decimal import Decimal as D

import pytest

from accounts.errors import FundsReserved
from accounts.services.requests import request_transfer
from accounts.services.transfers import poll_transfer, submit_transfer
from arbplatform.core.clock import SYSTEM_CLOCK
from ledger.domain.orders import OrderState
from ledger.domain.postings import Book, Line, Purse
from ledger.models import EntryKind, Fill, Order
from ledger.selectors import imbalances, in_transit, list_holdings, list_total_errors, pnl_by_asset
from ledger.services.entries import book_entry, reverse_entry
from ledger.services.journal import (
    cancel_order,
    resolve_unknown,
    submit_orders,
    write_orders,
)
from ledger.services.reconciliation import compare_with_venue
from ledger.services.transfers import book_transfer
from markets.domain.funds import Wallet
from markets.domain.orders import Side, TimeInForce
from markets.errors import InsufficientFunds, OutcomeUnknown
from markets.gateway.ccxt_rest import CcxtRestGateway
from tests.ledger.over_http import plan

S = OrderState


def trade(*plans):
    orders = write_orders(plans=plans)
    return submit_orders(order_ids=[order.pk for order in orders])


def assert_exact(simulator, accounts):
    """Books, running totals and the venues' own statements agree to the last digit."""
    for code, account in accounts.items():
        assert compare_with_venue(account_id=account.pk) == []
        stated = {
            (wallet, asset): D(row["free"]) + D(row["held"])
            for wallet, rows in simulator.control.statement(code, "ours")["balances"].items()
            for asset, row in rows.items()
            if D(row["free"]) + D(row["held"])
        }
        booked = {(row.wallet, row.asset): row.amount for row in list_holdings(account.pk)}
        assert booked == stated
    assert imbalances() == list_total_errors() == {}


@contextmanager
def replies_lost(monkeypatch):
    """Let orders reach the venue and their answers get lost."""
    submit = CcxtRestGateway.submit_order

    def lose(self, request):
        submit(self, request)
        raise OutcomeUnknown(venue=self.venue, cause="the answer was cut off")

    with monkeypatch.context() as patch:
        patch.setattr(CcxtRestGateway, "submit_order", lose)
        yield


def test_both_legs_of_an_arbitrage_are_booked_as_the_venues_state_them(simulator, opened):
    simulator.control.set_book("beta", "BTC/USDT", [("50400.1", "2")], [("50500", "1")])

    buy, sell = trade(
        plan(opened["alpha"], Side.BUY, "1.5001", "50010.5"),
        plan(opened["beta"], Side.SELL, "1.5", "50400.1"),
    )

    assert (buy.state, sell.state) == (S.FILLED, S.FILLED)
    assert Fill.objects.count() == 3  # two levels on alpha, one on beta
    assert {str(fill.fee_asset) for fill in Fill.objects.all()} == {"BTC", "USDT"}
    assert_exact(simulator, opened)
    # bought 1 at 50,010 and 0.5001 at 50,010.5; sold 1.5 at 50,400.1; 0.1 % each
    assert pnl_by_asset() == {
        "BTC": D("0.0001") - D("0.0015001"),
        "USDT": D("1.5") * D("50400.1") * D("0.999") - (D(50_010) + D("0.5001") * D("50010.5")),
    }


def test_a_partly_filled_ioc_order_ends_with_what_it_got(simulator, opened):
    (order,) = trade(plan(opened["alpha"], Side.BUY, "1.9", "50010"))

    assert (order.state, order.filled_quantity) == (S.CANCELED, D(1))
    assert_exact(simulator, opened)


def test_too_large_an_order_does_not_leave(simulator, opened):
    with pytest.raises(FundsReserved):
        trade(plan(opened["alpha"], Side.BUY, "100", "50010"))

    assert Order.objects.count() == 0
    assert_exact(simulator, opened)


def test_what_the_venue_has_no_funds_for_is_refused_with_its_cause(simulator, opened):
    """The books hold what the venue does not: a withdrawal that they do not know of yet."""
    purse = Purse(opened["alpha"].pk)
    surplus = book_entry(
        key="surplus",
        kind=EntryKind.EXTERNAL,
        lines=[
            purse.line("USDT", D(10_000_000)),
            Line(Book.EXTERNAL, "USDT", D(-10_000_000), purse.account_id),
        ],
        occurred_at=SYSTEM_CLOCK.now(),
    )
    (order,) = trade(plan(opened["alpha"], Side.BUY, "100", "50010"))
    reverse_entry(entry_id=surplus.pk, memo="found")

    assert (order.state, order.error_code) == (S.REJECTED, InsufficientFunds.code)
    assert_exact(simulator, opened)


def test_a_resting_order_is_followed_cancelled_and_booked(simulator, opened):
    (order,) = trade(plan(opened["alpha"], Side.BUY, "0.5", "50005", time_in_force=TimeInForce.GTC))
    assert order.state == S.OPEN
    assert_exact(simulator, opened)  # what the order holds is still ours
    simulator.control.set_book("alpha", "BTC/USDT", [("50000", "1")], [("50005", "0.2")])
    followed = resolve_unknown(order_id=order.pk)
    assert (followed.state, followed.filled_quantity) == (S.OPEN, D("0.2"))

    done = cancel_order(order_id=order.pk)

    assert (done.state, done.filled_quantity) == (S.CANCELED, D("0.2"))
    assert Fill.objects.get().is_maker is True
    assert_exact(simulator, opened)


def test_a_lost_answer_is_looked_up_by_our_id_and_booked_once(simulator, opened, monkeypatch):
    with replies_lost(monkeypatch):
        (order,) = trade(plan(opened["alpha"], Side.BUY, "0.7", "50010"))
    assert (order.state, Fill.objects.count()) == (S.UNKNOWN, 0)

    done = resolve_unknown(order_id=order.pk)
    resolve_unknown(order_id=order.pk)
    submit_orders(order_ids=[order.pk])

    assert (done.state, done.filled_quantity, Fill.objects.count()) == (S.FILLED, D("0.7"), 1)
    assert_exact(simulator, opened)


def test_an_order_that_arrived_before_is_adopted(simulator, opened, monkeypatch):
    """A journal that forgot its claim, as after restoring an old backup of the database."""
    with replies_lost(monkeypatch):
        (order,) = trade(plan(opened["alpha"], Side.SELL, "0.7", "50000"))
    Order.objects.update(state=S.PENDING)

    (done,) = submit_orders(order_ids=[order.pk])

    assert (done.state, done.filled_quantity, Fill.objects.count()) == (S.FILLED, D("0.7"), 1)
    assert_exact(simulator, opened)


def test_a_transfer_between_venues_is_booked_as_it_travels(simulator, opened):
    transfer = request_transfer(
        from_account_id=opened["alpha"].pk,
        to_account_id=opened["beta"].pk,
        from_wallet=Wallet.SPOT,
        to_wallet=Wallet.SPOT,
        asset="BTC",
        amount=D("0.5"),
        idempotency_key="one",
    )
    submit_transfer(transfer_id=transfer.pk)
    book_transfer(transfer_id=transfer.pk)
    assert sum(in_transit().values()) in {D("0.5"), D("0.4999")}

    deadline = time.monotonic() + 30
    while poll_transfer(transfer_id=transfer.pk).state != "arrived":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    book_transfer(transfer_id=transfer.pk)

    assert in_transit() == {}
    assert_exact(simulator, opened)
    assert pnl_by_asset() == {}
