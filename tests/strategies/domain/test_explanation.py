from decimal import Decimal as D
from typing import Any

import pytest

from markets.domain.fees import FeeMode
from strategies.domain.intents import Rejection
from strategies.domain.sizing import reject_at_top
from tests.strategies.builders import make_rules
from tests.strategies.domain.cases import make_case


def shown(refusal: Rejection) -> tuple[str, str]:
    return refusal.code, str(refusal.message)


def test_says_how_large_the_edge_was_and_what_fees_took():
    case = make_case(
        asks=[(100, 1)],
        bids=[("100.15", 1)],
        buy_rules=make_rules("alpha", fee="0.001"),
        sell_rules=make_rules("beta", fee="0.001"),
        edge_bps_min=5,
    )

    refusal: Any = reject_at_top((case.buy, case.sell), case.terms, subject="pair")

    assert shown(refusal) == (
        "edge_below_min",
        (
            "The edge of -5.02 bps is below the minimum of 5 bps: prices differ by 15 bps, "
            "fees take 20.01 bps."
        ),
    )
    assert refusal.edge_bps == D("-5.01998500")


def test_an_edge_of_nothing_is_refused_even_without_a_minimum():
    case = make_case(asks=[(100, 1)], bids=[(100, 1)])

    refusal: Any = reject_at_top((case.buy, case.sell), case.terms, subject="x")

    assert refusal.code == "edge_below_min"


def test_says_that_an_edge_is_too_good_to_be_true():
    refusal = make_case(asks=[(100, 1)], bids=[(150, 1)], edge_bps_max=500).solve()

    assert refusal.code == "edge_too_good"
    assert refusal.edge_bps == 5000


def test_says_that_the_profit_is_too_small():
    refusal = make_case(asks=[(100, 1)], bids=[(101, 1)], profit_min="1.5").solve()

    assert shown(refusal) == (
        "profit_below_min",
        "The best size earns 1 USDT (100 bps of 100); the minimum is 1.5 USDT.",
    )


def test_says_which_balance_is_too_low_and_what_would_be_needed():
    rules = make_rules("alpha", lot="0.1", fee=0, notional_min=50)
    refusal = make_case(
        asks=[(100, 1)], bids=[(103, 1)], buy_rules=rules, quote_free="12.3456789123"
    ).solve()

    assert shown(refusal) == (
        "balance_too_low",
        (
            "Only 12.345678 USDT may be used on alpha; the smallest possible order takes about "
            "50 USDT. Move funds there."
        ),
    )


def test_what_is_needed_includes_the_fee_on_top():
    rules = make_rules("alpha", lot="0.1", fee="0.01", mode=FeeMode.QUOTE, notional_min=50)
    case = make_case(asks=[(100, 1)], bids=[(103, 1)], buy_rules=rules, quote_free=50)

    assert case.solve().message.context["needed"] == "50.5"


def test_a_negative_balance_is_none_at_all():
    refusal = make_case(asks=[(100, 1)], bids=[(103, 1)], quote_free=-5).solve()

    assert (refusal.code, refusal.message.context["free"]) == ("balance_too_low", "0")


def test_says_that_the_base_to_sell_is_missing():
    refusal = make_case(asks=[(100, 1)], bids=[(103, 1)], base_free=0).solve()

    assert (refusal.code, refusal.message.context["asset"]) == ("balance_too_low", "BTC")


def test_says_that_one_balance_is_too_low_for_the_smallest_order_of_the_other_venue():
    sell_rules = make_rules("beta", lot="0.1", fee=0, notional_min=100)
    refusal = make_case(
        asks=[(100, 5)], bids=[(103, 5)], sell_rules=sell_rules, quote_free=55
    ).solve()

    assert shown(refusal) == (
        "balance_too_low",
        (
            "Only 55 USDT may be used on alpha; the smallest possible order takes about 100 USDT. "
            "Move funds there."
        ),
    )


def test_says_that_the_own_limit_is_below_the_smallest_order():
    rules = make_rules("alpha", lot="0.1", fee=0, notional_min=50)
    refusal = make_case(asks=[(100, 1)], bids=[(103, 1)], buy_rules=rules, spend_max=20).solve()

    assert refusal.code == "limit_too_low"
    assert refusal.message.context == {
        "limit": "20",
        "needed": "50",
        "asset": "USDT",
        "venue": "alpha",
    }


def test_says_that_the_profitable_part_of_a_book_is_too_small():
    rules = make_rules("beta", lot="0.1", fee=0, quantity_min=2)
    refusal = make_case(asks=[(100, 9)], bids=[(103, 1), (90, 9)], sell_rules=rules).solve()

    assert shown(refusal) == (
        "size_below_min",
        "Only 1 BTC can be traded at a profit on beta; its smallest order is 2 BTC.",
    )


def test_says_that_rounding_to_lots_takes_the_edge():
    refusal = make_case(
        asks=[(100, 9)],
        bids=[("100.5", "1.4")],
        home_bids=[(90, 1)],
        buy_rules=make_rules("alpha", lot=1, fee=0),
        sell_rules=make_rules("beta", lot="0.7", fee=0),
    ).solve()

    assert refusal.code == "edge_lost_to_lots"
    assert refusal.edge_bps == 50


@pytest.mark.parametrize(
    ("asks", "bids", "code"),
    [([(100, 0)], [(103, 1)], "book_without_asks"), ([(100, 1)], [(103, 0)], "book_without_bids")],
)
def test_says_that_a_book_offers_nothing(asks, bids, code):
    assert make_case(asks=asks, bids=bids).solve().code == code
