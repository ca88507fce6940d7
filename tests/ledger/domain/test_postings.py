"""Every event balances, to the last decimal."""

from collections import defaultdict
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.domain.postings import (
    Book,
    Line,
    Purse,
    arrival_lines,
    check_balanced,
    departure_lines,
    external_lines,
    fee_lines,
    fill_lines,
    opening_lines,
    reversal_lines,
    stored_cost,
    wallet_move_lines,
)
from ledger.errors import Imbalanced, Unbookable
from markets.domain.funds import Wallet
from markets.domain.orders import Side

SPOT = Purse(1)
FUNDING = Purse(1, Wallet.FUNDING)
OTHER = Purse(2)

amounts = st.decimals(D("0.00000001"), D(10**9), places=8)
fees = st.one_of(st.none(), st.decimals(D(-(10**6)), D(10**6), places=8))
sides = st.sampled_from(Side)
assets = st.sampled_from(["BTC", "USDT", "BNB"])


def by_book(lines):
    totals: defaultdict[tuple[Book, str], D] = defaultdict(D)
    for line in lines:
        totals[line.book, line.asset] += line.amount
    return dict(totals)


def wallet_of(lines, asset):
    return sum((x.amount for x in lines if x.book is Book.WALLET and x.asset == asset), D(0))


def fill(side=Side.BUY, fee="0.001", fee_asset="BTC"):
    return fill_lines(
        purse=SPOT,
        base="BTC",
        quote="USDT",
        side=side,
        quantity=D("0.5"),
        cost=D("30000.5"),
        fee=None if fee is None else D(fee),
        fee_asset=fee_asset,
    )


def test_a_buy_brings_base_and_costs_quote_and_fee():
    assert fill() == (
        Line(Book.WALLET, "BTC", D("0.5"), 1, Wallet.SPOT),
        Line(Book.TRADING, "BTC", D("-0.5"), 1),
        Line(Book.WALLET, "USDT", D("-30000.5"), 1, Wallet.SPOT),
        Line(Book.TRADING, "USDT", D("30000.5"), 1),
        Line(Book.WALLET, "BTC", D("-0.001"), 1, Wallet.SPOT),
        Line(Book.TRADING_FEES, "BTC", D("0.001"), 1),
    )


def test_a_sale_costs_base_and_brings_quote():
    lines = fill(Side.SELL, "30.0005", "USDT")

    assert by_book(lines) == {
        (Book.WALLET, "BTC"): D("-0.5"),
        (Book.TRADING, "BTC"): D("0.5"),
        (Book.WALLET, "USDT"): D("29970.4995"),
        (Book.TRADING, "USDT"): D("-30000.5"),
        (Book.TRADING_FEES, "USDT"): D("30.0005"),
    }


@pytest.mark.parametrize(("fee", "asset"), [(None, None), ("0", "BTC"), ("0", None)])
def test_a_fee_that_is_nothing_or_not_known_yet_makes_no_line(fee, asset):
    assert len(fill(fee=fee, fee_asset=asset)) == 4


def test_a_late_fee_is_what_the_fill_left_out():
    assert fill() == (
        *fill(fee=None),
        *fee_lines(purse=SPOT, fee=D("0.001"), fee_asset="BTC"),
    )
    assert fee_lines(purse=SPOT, fee=D(0), fee_asset="BTC") == ()


def test_a_rebate_comes_in():
    lines = fee_lines(purse=SPOT, fee=D("-0.2"), fee_asset="BNB")

    assert wallet_of(lines, "BNB") == D("0.2")


@given(quantity=amounts, cost=amounts, fee=fees, fee_asset=assets, side=sides)
def test_every_fill_balances(quantity, cost, fee, fee_asset, side):
    lines = fill_lines(
        purse=SPOT, base="BTC", quote="USDT", side=side,
        quantity=quantity, cost=cost, fee=fee, fee_asset=fee_asset,
    )  # fmt: skip

    check_balanced("fill", lines)
    sign = 1 if side is Side.BUY else -1
    expected = {"BTC": sign * quantity, "USDT": -sign * cost, "BNB": D(0)}
    expected[fee_asset] -= fee or 0
    assert {asset: wallet_of(lines, asset) for asset in expected} == expected


def test_an_opening_takes_over_what_is_there_and_leaves_out_nothing_else():
    lines = opening_lines(
        account_id=1,
        holdings={
            (Wallet.SPOT, "BTC"): D("0.1"),
            (Wallet.FUNDING, "BTC"): D(2),
            (Wallet.SPOT, "ETH"): D(0),
        },
    )

    assert lines == [
        Line(Book.WALLET, "BTC", D("0.1"), 1, Wallet.SPOT),
        Line(Book.CAPITAL, "BTC", D("-0.1"), 1),
        Line(Book.WALLET, "BTC", D(2), 1, Wallet.FUNDING),
        Line(Book.CAPITAL, "BTC", D(-2), 1),
    ]


def test_a_departure_with_a_known_fee():
    lines = departure_lines(source=SPOT, asset="BTC", amount=D(1), fee=D("0.0001"))

    assert by_book(lines) == {
        (Book.WALLET, "BTC"): D(-1),
        (Book.IN_TRANSIT, "BTC"): D("0.9999"),
        (Book.NETWORK_FEES, "BTC"): D("0.0001"),
    }


@pytest.mark.parametrize("fee", [None, D(0)])
def test_a_departure_without_a_fee(fee):
    assert by_book(departure_lines(source=SPOT, asset="BTC", amount=D(1), fee=fee)) == {
        (Book.WALLET, "BTC"): D(-1),
        (Book.IN_TRANSIT, "BTC"): D(1),
    }


@given(
    amount=amounts,
    fee=st.one_of(st.none(), st.just(D(0)), amounts),
    lost=st.one_of(st.just(D(0)), amounts),
)
def test_a_journey_balances_and_leaves_nothing_in_transit(amount, fee, lost):
    out = departure_lines(source=SPOT, asset="BTC", amount=amount, fee=fee)
    in_transit = by_book(out)[Book.IN_TRANSIT, "BTC"]
    arrived = in_transit - lost
    back = arrival_lines(destination=OTHER, asset="BTC", in_transit=in_transit, arrived=arrived)

    check_balanced("out", out)
    check_balanced("in", back)
    totals = by_book([*out, *back])
    assert totals[Book.IN_TRANSIT, "BTC"] == 0
    assert totals.get((Book.NETWORK_FEES, "BTC"), D(0)) == amount - arrived


@given(amount=amounts)
def test_moves_external_movements_and_reversals_balance(amount):
    move = wallet_move_lines(source=SPOT, destination=FUNDING, asset="BTC", amount=amount)
    external = external_lines(purse=SPOT, asset="BTC", amount=-amount)

    for lines in (move, external, reversal_lines(move)):
        check_balanced("key", lines)
    assert by_book([*external, *reversal_lines(external)]) == {
        (Book.WALLET, "BTC"): D(0),
        (Book.EXTERNAL, "BTC"): D(0),
    }


def test_lines_that_do_not_balance_are_refused_with_the_asset_and_the_rest():
    lines = [SPOT.line("BTC", D(1)), Line(Book.TRADING, "BTC", D(-1)), SPOT.line("ETH", D("0.1"))]

    with pytest.raises(Imbalanced) as caught:
        check_balanced("fill:7", lines)

    assert caught.value.message.context == {"key": "fill:7", "asset": "ETH", "total": D("0.1")}


@given(amount=amounts, missing=amounts)
def test_any_gap_is_refused(amount, missing):
    with pytest.raises(Imbalanced):
        check_balanced("key", [SPOT.line("BTC", amount), OTHER.line("BTC", missing - amount)])


def test_assets_do_not_make_up_for_each_other():
    with pytest.raises(Imbalanced):
        check_balanced("key", [SPOT.line("USDT", D(1)), SPOT.line("USDC", D(-1))])


@pytest.mark.parametrize("amount", ["1e-19", "1.0000000000000000001", "1e22", "-1e22"])
def test_an_amount_that_a_column_would_round_is_refused(amount):
    lines = [SPOT.line("BTC", D(amount)), OTHER.line("BTC", -D(amount))]

    with pytest.raises(Unbookable):
        check_balanced("key", lines)


def test_the_largest_and_the_smallest_amount_can_be_booked():
    for amount in (D("9999999999999999999999.999999999999999999"), D("1e-18")):
        check_balanced("key", [SPOT.line("BTC", amount), OTHER.line("BTC", -amount)])


@pytest.mark.parametrize(
    ("side", "expected"),
    [(Side.BUY, "0.000000000000000002"), (Side.SELL, "0.000000000000000001")],
)
def test_a_cost_too_fine_to_store_is_rounded_against_us(side, expected):
    assert stored_cost(side=side, price=D("1e-9"), quantity=D("1.5e-9")) == D(expected)


@given(price=amounts, quantity=amounts, side=sides)
def test_a_cost_that_can_be_stored_is_exact(price, quantity, side):
    assert stored_cost(side=side, price=price, quantity=quantity) == price * quantity
