from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR
from decimal import Decimal as D

import pytest

from markets.domain.fees import FeeMode
from strategies.domain import sizing
from tests.strategies.builders import make_rules
from tests.strategies.domain.cases import make_case

STORED = D("1e-18")


def test_profit_is_maximised_and_not_percent():
    case = make_case(asks=[(100, 1), (101, 50)], bids=[(103, 100)])

    intent = case.solve()

    assert intent.legs[0].quantity == 51, "the first unit has the best percentage: 3 %"
    assert intent.expected_profit == 3 + 50 * 2


def test_the_average_price_counts_and_not_the_best():
    case = make_case(asks=[(100, 1), (104, 50)], bids=[(103, 100)])

    intent = case.solve()

    assert intent.legs[0].quantity == 1, "the second level costs more than the sale brings"
    assert (intent.expected_profit, intent.sizing["limited_by"]) == (3, "edge")


def test_the_purchase_is_grossed_up_when_its_fee_is_taken_from_the_bought_coin():
    rules = make_rules("alpha", lot="0.001", fee="0.001")
    case = make_case(
        asks=[(100, 50)], bids=[(103, 10)], buy_rules=rules, sell_rules=make_rules("beta", lot=1)
    )

    intent = case.solve()

    buy, sell = intent.legs
    assert (buy.quantity, sell.quantity) == (D("10.011"), D(10))
    assert buy.expected_received == D("10.011") * D("0.999") > 10
    assert D("10.010") * D("0.999") < 10, "one lot less would not cover the sale"


def test_a_fee_on_top_of_the_sold_coin_is_bought_and_must_be_in_stock():
    sell_rules = make_rules("beta", lot="0.1", fee="0.01", mode=FeeMode.GIVEN)
    case = make_case(
        asks=[(100, 50)], bids=[(103, 50)], sell_rules=sell_rules, base_free="10.1000001"
    )

    intent = case.solve()

    buy, sell = intent.legs
    assert (buy.quantity, sell.quantity) == (D("10.2"), D(10))
    assert sell.expected_spent == D("10.1"), "what is sold and its fee"
    short = replace(case, sell=replace(case.sell, free=D("10.1"))).solve()
    assert short.legs[1].quantity == D("9.9"), "a rounded fee must not exceed the stock"


def test_the_price_that_may_have_to_be_paid_limits_the_size():
    case = make_case(asks=[(100, 1), (102, 50)], bids=[(110, 50)], quote_free=1020)

    intent = case.solve()

    buy = intent.legs[0]
    assert buy.quantity == 10, "10 x 102 is set aside although 1018 is the expected cost"
    assert buy.expected_spent == 1018
    assert intent.sizing["limited_by"] == "balance:alpha"


@pytest.mark.parametrize("poor", ["alpha", "beta"])
def test_the_least_notional_of_both_venues_is_checked_before_anything_is_sent(poor):
    rules = {
        venue: make_rules(venue, lot="0.1", fee=0, notional_min=1000 if venue == poor else 0)
        for venue in ("alpha", "beta")
    }
    case = make_case(
        asks=[(100, 5)], bids=[(103, 5)], buy_rules=rules["alpha"], sell_rules=rules["beta"]
    )

    refusal = case.solve()

    assert (refusal.code, refusal.message.context["venue"]) == ("size_below_min", poor)


def test_the_least_notional_is_met_at_the_limit_price_of_the_sale():
    sell_rules = make_rules("beta", lot=1, fee=0, notional_min=1020)
    case = make_case(asks=[(100, 10)], bids=[(103, 10)], sell_rules=sell_rules, slippage_share=1)

    sell = case.solve().legs[1]

    assert sell.quantity * sell.limit_price == 1020, "the edge would allow to sell at 101.50"


def test_limit_prices_keep_the_least_profit():
    case = make_case(
        asks=[(100, 10)], bids=[(103, 10)], profit_min=20, slippage_share=1, dust_bps_max=0
    )

    buy, sell = case.solve().legs

    at_limits = sell.quantity * sell.limit_price - buy.quantity * buy.limit_price
    assert (buy.limit_price, sell.limit_price) == (D("100.48"), D("102.50"))
    assert 20 <= at_limits < 21, "of the expected 30"


def test_lots_that_are_no_multiples_of_each_other_are_matched_within_the_dust_tolerance():
    case = make_case(
        asks=[(100, 50)],
        bids=[(103, 50)],
        buy_rules=make_rules("alpha", lot="0.7", fee=0),
        sell_rules=make_rules("beta", lot="0.3", fee=0),
        base_free=5,
        dust_bps_max=0,
    )

    intent = case.solve()

    assert [leg.quantity for leg in intent.legs] == [D("4.2"), D("4.2")], "the common multiple"


def test_a_leftover_counts_at_the_bid_where_it_was_bought():
    case = make_case(
        asks=[(100, 1)],
        bids=[(110, 50)],
        home_bids=[(90, 1)],
        buy_rules=make_rules("alpha", lot=1, fee=0),
        sell_rules=make_rules("beta", lot="0.6", fee=0),
    )

    intent = case.solve()

    assert intent.expected_profit == D("0.6") * 110 - 100 + D("0.4") * 90
    assert intent.sizing["leftover_value"] == "36"


def test_a_leftover_counts_nothing_where_nobody_bids():
    case = make_case(
        asks=[(100, 1)],
        bids=[(180, 50)],
        home_bids=(),
        buy_rules=make_rules("alpha", lot=1, fee=0),
        sell_rules=make_rules("beta", lot="0.6", fee=0),
    )

    assert case.solve().expected_profit == D("0.6") * 180 - 100


def test_levels_off_the_tick_grid_are_reached_by_the_limits():
    case = make_case(
        asks=[("100.003", 5)],
        bids=[("103.007", 5)],
        buy_rules=make_rules("alpha", lot=1, fee=0),
        sell_rules=make_rules("beta", lot=1, fee=0),
    )

    buy, sell = case.solve().legs

    assert (buy.limit_price, sell.limit_price) == (D("100.01"), D("103.00"))
    assert (buy.expected_spent, sell.expected_received) == (D("500.05"), D(515))


def test_only_a_part_of_each_level_is_counted_on():
    case = make_case(asks=[(100, 4), (101, 4)], bids=[(103, 50)], participation="0.25")

    intent = case.solve()

    assert intent.legs[0].quantity == 2
    assert intent.legs[0].expected_spent == 201


def test_only_the_first_levels_are_looked_at():
    case = make_case(asks=[(100, 1), (101, 1), (102, 1)], bids=[(110, 50)])
    case = replace(case, terms=replace(case.terms, depth=2))

    assert case.solve().legs[0].quantity == 2


def test_the_largest_order_of_a_venue_limits_both():
    rules = make_rules("beta", lot="0.1", fee=0, quantity_max=3)
    case = make_case(asks=[(100, 9)], bids=[(103, 9)], sell_rules=rules)

    intent = case.solve()

    assert [leg.quantity for leg in intent.legs] == [3, 3]
    assert intent.sizing["limited_by"] == "quantity_max:beta"


def test_amounts_with_more_decimals_than_the_books_keep_are_rounded_against_us():
    rules = make_rules("alpha", tick="1e-12", lot="1e-9", fee="0.00123", mode=FeeMode.QUOTE)
    case = make_case(
        asks=[("1.000000000001", "0.123456789")],
        bids=[("1.100000000001", 5)],
        buy_rules=rules,
        sell_rules=replace(rules, venue="beta"),
        home_bids=(),
    )

    intent = case.solve()
    buy, sell = intent.legs

    exact = D("1.000000000001") * D("0.123456789") * D("1.00123")
    assert exact < buy.expected_spent < exact + STORED
    assert buy.expected_spent.as_tuple().exponent == -18
    assert intent.notional == buy.expected_spent
    exact = D("1.100000000001") * D("0.123456789") * D("0.99877")
    assert exact - STORED < sell.expected_received < exact


def test_what_only_a_division_made_uneven_is_not_rounded_by_a_whole_step():
    third = D(1) / 3  # our precision ends somewhere

    assert third * 3 != 1
    assert sizing._stored(third * 3, ROUND_FLOOR) == 1
    assert sizing._stored(2 - third * 3, ROUND_CEILING) == 1
    assert sizing._stored(third, ROUND_FLOOR) == D("0.333333333333333333")
    assert sizing._stored(third, ROUND_CEILING) == D("0.333333333333333334")
