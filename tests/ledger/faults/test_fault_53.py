"""A fee beyond two percent of its trade is taken for a wrong unit: the trade is booked, the fee
only when the balance shows exactly it. So is one in a third coin that is worth too much.
"""

from dataclasses import replace
from decimal import Decimal as D

import pytest
from django.utils import timezone

from ledger.models import AssetPrice, Discrepancy, Fill, LogEntry, TradingHalt
from ledger.services.journal import submit_orders, write_orders
from markets.domain.funds import Wallet
from markets.models import Asset
from tests.ledger.reconciled import assert_equal_to

TAKEN = D("0.0005")


@pytest.fixture
def odd_fee(opened_books, make_plan, venue, clock):
    """The venue takes 0.0005 BTC, and states 30 BTC: the quote's figure under the base's name."""

    def misstate(request):
        venue.fills[:] = [replace(fill, fee=D(15)) for fill in venue.fills]

    venue.after_submit, venue.sends_fills = misstate, False
    (order,) = write_orders(plans=[make_plan()], clock=clock)
    submit_orders(order_ids=[order.pk], clock=clock)
    return order


def test_the_trade_is_booked_and_the_wrong_fee_is_not(look, odd_fee, venue):
    look()

    assert [fill.known_fee for fill in Fill.objects.all()] == [None, None]
    assert LogEntry.objects.filter(event="fee_suspicious").count() == 2
    kinds = set(Discrepancy.objects.values_list("kind", flat=True))
    assert kinds == {"balance", "fee"}


def test_it_is_booked_when_it_is_corrected(look, odd_fee, opened_books, venue):
    look()
    venue.fills[:] = [replace(fill, fee=TAKEN / 2) for fill in venue.fills]

    assert look().outcome == "clean"
    assert {fill.known_fee for fill in Fill.objects.all()} == {TAKEN / 2}
    assert_equal_to(venue, opened_books)


def test_it_is_booked_when_the_balance_shows_it(look, odd_fee, opened_books, venue):
    """A venue that really charges so much, for instance a smallest fee on a tiny trade."""
    venue.fills[:] = [replace(fill, fee=D("0.01")) for fill in venue.fills]
    venue.balances[Wallet.SPOT]["BTC"] -= D("0.02") - TAKEN

    assert look().outcome == "clean"
    assert {fill.known_fee for fill in Fill.objects.all()} == {D("0.01")}
    assert_equal_to(venue, opened_books)


@pytest.fixture
def priced(assets):
    """Prices of what is traded and of a third coin, in the reporting asset."""
    Asset.objects.get_or_create(code="BNB")
    codes = {asset.code: asset for asset in Asset.objects.all()}
    for code, price in (("BNB", 600), ("BTC", 60_000)):
        AssetPrice.objects.create(
            asset=codes[code],
            reporting_asset=codes["USDT"],
            price=D(price),
            source="test",
            priced_at=timezone.now(),
        )


@pytest.fixture
def trade(make_plan, venue, clock):
    """Buy 0.5 BTC for 30,000 in two trades; each states a fee in a third coin."""

    def run(fee):
        def state(request):
            venue.fills[:] = [replace(row, fee=D(fee), fee_asset="BNB") for row in venue.fills]

        venue.after_submit, venue.sends_fills, venue.fee_asset = state, False, "BNB"
        (order,) = write_orders(plans=[make_plan()], clock=clock)
        submit_orders(order_ids=[order.pk], clock=clock)
        clock.advance_ms(120_000)
        return [fill.known_fee for fill in Fill.objects.all()]

    return run


@pytest.fixture
def purse(venue):
    """What the account holds, before its books are opened."""
    purse = venue.balances[Wallet.SPOT]
    purse["BNB"] = D(20)
    return purse


@pytest.mark.parametrize(
    ("fee", "is_believed"), [("2.5", True), ("2.51", False), ("1000000", False)]
)
@pytest.mark.usefixtures("opened_books", "priced")
def test_a_fee_in_a_third_coin_is_believed_up_to_a_tenth_of_the_trades_value(
    trade, fee, is_believed
):
    assert trade(fee) == [D(fee) if is_believed else None] * 2

    lines = LogEntry.objects.filter(event="fee_suspicious")
    assert lines.count() == (0 if is_believed else 2)
    assert is_believed or "worth more than 10 %" in str(lines[0].to_message())


@pytest.mark.parametrize(("fee", "is_believed"), [("20", True), ("20.01", False)])
@pytest.mark.usefixtures("purse", "opened_books")
def test_without_a_price_it_is_believed_up_to_what_the_account_holds(trade, fee, is_believed):
    assert trade(fee) == [D(fee) if is_believed else None] * 2


@pytest.mark.usefixtures("purse", "opened_books", "priced")
def test_one_that_is_not_believed_is_a_doubt_until_it_is_stated_right(trade, look, venue):
    trade("1000000")

    look()

    assert set(Discrepancy.objects.filter(kind="fee").values_list("state", "asset")) == {
        ("open", "BNB")
    }
    assert "worth more than 10 %" in str(Discrepancy.objects.filter(kind="fee")[0].to_message())
    venue.fills[:] = [replace(row, fee=D("0.01")) for row in venue.fills]
    assert look().outcome == "clean"
    assert {fill.known_fee for fill in Fill.objects.all()} == {D("0.01")}


@pytest.mark.usefixtures("purse", "opened_books", "priced")
def test_one_that_the_balance_shows_is_booked(purse, trade, look):
    """A venue that really takes so much."""
    trade("8")
    purse["BNB"] -= D(16) - D("0.02")

    assert look().outcome == "clean"
    assert {fill.known_fee for fill in Fill.objects.all()} == {D(8)}


def test_a_doubt_that_stays_raises_an_alarm(look, odd_fee):
    for _round in range(6):
        look()

    assert "alarmed" in set(Discrepancy.objects.values_list("state", flat=True))
    assert TradingHalt.objects.exists()
