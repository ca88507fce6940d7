"""The reconciler over real HTTP, against two simulated venues in one process."""

import time
from decimal import Decimal as D

import pytest

from ledger.models import Discrepancy, Entry, Fill, Order, TradingHalt
from ledger.selectors import imbalances, list_holdings, list_total_errors
from ledger.services.journal import submit_orders, write_orders
from ledger.services.reconciler import reconcile_account
from markets.domain.orders import Side, TimeInForce
from markets.simulator.settlement import deposit_address
from tests.ledger.over_http import plan
from tests.markets.simulator.worlds import KEYS, RawClient


@pytest.fixture
def by_hand(simulator):
    """A person with the venue's own web page, at each venue."""
    clients = {code: RawClient(simulator.url, code, key) for code, key in KEYS.items()}
    yield clients
    for client in clients.values():
        client.close()


def trade(account, side, quantity, price, **fields):
    (order,) = write_orders(plans=[plan(account, side, quantity, price, **fields)])
    return submit_orders(order_ids=[order.pk])[0]


def reconcile(account):
    run = reconcile_account(account_id=account.pk)
    assert run.error == ""
    return run.outcome, run.booked_count


def assert_exact(simulator, account):
    rows = simulator.control.statement(account.venue.code, "ours")["balances"]
    stated = {
        (wallet, asset): total
        for wallet, assets in rows.items()
        for asset, row in assets.items()
        if (total := D(row["free"]) + D(row["held"]))
    }
    assert {(row.wallet, row.asset): row.amount for row in list_holdings(account.pk)} == stated
    assert imbalances() == list_total_errors() == {}


def test_what_the_platform_trades_is_clean(simulator, opened):
    trade(opened["alpha"], Side.BUY, "1.2", "50010.5")
    trade(opened["alpha"], Side.BUY, "0.5", "50005", time_in_force=TimeInForce.GTC)

    assert reconcile(opened["alpha"]) == ("clean", 0)
    assert not Discrepancy.objects.exists()


def test_a_resting_order_that_fills_unseen_is_booked(simulator, opened):
    order = trade(opened["alpha"], Side.BUY, "0.5", "50005", time_in_force=TimeInForce.GTC)
    simulator.control.set_book("alpha", "BTC/USDT", [("50000", "1")], [("50005", "0.2")])

    assert reconcile(opened["alpha"]) == ("clean", 1)

    assert Order.objects.get(pk=order.pk).filled_quantity == D("0.2")
    assert Fill.objects.get().order_id == order.pk
    assert_exact(simulator, opened["alpha"])


def test_a_person_trades_beside_the_platform(simulator, opened, by_hand):
    trade(opened["alpha"], Side.BUY, "0.5", "50010")
    status, _answer = by_hand["alpha"].order(
        side="SELL", quantity="0.7", price="49000", timeInForce="IOC"
    )
    assert status == 200

    assert reconcile(opened["alpha"]) == ("clean", 1)

    found = Discrepancy.objects.get()
    assert (found.kind, found.state) == ("external_trade", "booked")
    assert Fill.objects.count() == 1
    assert_exact(simulator, opened["alpha"])
    assert reconcile(opened["alpha"]) == ("clean", 0)


def test_a_deposit_and_a_withdrawal_by_hand_are_explained(simulator, opened, by_hand):
    status, _answer = by_hand["beta"].call(
        "POST",
        "sapi/v1/capital/withdraw/apply",
        coin="BTC",
        amount="0.5",
        address=deposit_address("alpha", "ours", "BTC"),
    )
    assert status == 200
    deadline = time.monotonic() + 30
    while by_hand["alpha"].get("sapi/v1/capital/deposit/hisrec")[1] == []:
        assert time.monotonic() < deadline
        time.sleep(0.02)

    assert reconcile(opened["beta"]) == ("clean", 1)
    assert reconcile(opened["alpha"]) == ("clean", 1)

    kinds = Discrepancy.objects.order_by("pk").values_list("kind", "state", "stated")
    assert list(kinds) == [
        ("external_withdrawal", "booked", D("-0.5")),
        ("external_deposit", "booked", D("0.4999")),
    ]
    for account in opened.values():
        assert_exact(simulator, account)


def test_an_unreadable_answer_is_no_empty_account(simulator, opened):
    simulator.control.add_fault("alpha", "html", path="api/v3/openOrders")

    run = reconcile_account(account_id=opened["alpha"].pk)

    assert run.outcome == "failed"
    assert not Discrepancy.objects.exists()
    assert not TradingHalt.objects.exists()
    assert Entry.objects.count() == 2
    assert reconcile(opened["alpha"]) == ("clean", 0)
