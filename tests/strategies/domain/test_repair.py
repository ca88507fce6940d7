"""The leg table: every cell, dust, and a bounded loss on fresh depth."""

from dataclasses import replace
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.domain.reservations import most_spent
from markets.domain.fees import FeeMode, FeeSchedule
from markets.domain.orders import Side
from strategies.domain.repair import Action, LegState, Situation, find_exposures, find_routes, judge
from strategies.domain.repricing import Means, decide
from strategies.domain.states import ExecutionEvent
from tests.strategies.builders import cash_flows, make_book, make_rules

FEE = D("0.001")
BUY_PRICE, SELL_PRICE = D(100), D(101)
FILLS = {"none": D(0), "partial": D(4), "filled": D(10)}
RICH = {"BTC": D(1000), "ETH": D(1000), "USDT": D(1_000_000)}


def make_leg(index, venue, side, *, filled, price, symbol="BTC/USDT", **rules):
    """A leg that was filled at its limit price, with the fee in the received asset."""
    quantity = filled or D(10)
    base, quote = quantity, quantity * price
    spent, received = (quote, base) if side is Side.BUY else (base, quote)
    defaults = {"lot": "0.001", "quantity_min": "0.001", "notional_min": 10}
    return LegState(
        index=index,
        rules=make_rules(venue, symbol, **{**defaults, **rules}),
        side=side,
        limit_price=price,
        spent=spent,
        received=received * (1 - FEE),
    )


def make_pair(bought, sold, *, matched=False, **rules):
    """Buy at alpha, sell at beta; ``matched`` counts without the fee that base is paid in."""
    legs = [
        make_leg(0, "alpha", Side.BUY, filled=bought, price=BUY_PRICE, **rules),
        make_leg(1, "beta", Side.SELL, filled=sold, price=SELL_PRICE, **rules),
    ]
    base = bought * (1 if matched else 1 - FEE) - sold
    quote = sold * SELL_PRICE * (1 - FEE) - bought * BUY_PRICE
    return Situation(
        legs=legs,
        movements={"BTC": base, "USDT": quote},
        profit_asset="USDT",
        is_empty=not (bought or sold),
    )


def make_means(*, alpha=(99, 100), beta=(101, 102), depth=50, limit=50, free=RICH, refused=()):
    books = {}
    for index, prices in enumerate((alpha, beta)):
        if prices is not None:
            bid, ask = prices
            books[index] = make_book(bids=[(bid, depth)], asks=[(ask, depth)])
    return Means(
        books=books,
        free={0: free, 1: free},
        max_loss_bps=D(limit),
        refused=frozenset(refused),
    )


def look(situation, means):
    """Decide; untyped, so that a test may take an order for granted."""
    return decide(situation, means)


CELLS = {
    ("none", "none"): Action.DONE,
    ("none", "partial"): Action.PROCEED,
    ("none", "filled"): Action.PROCEED,
    ("partial", "none"): Action.PROCEED,
    ("partial", "partial"): Action.DONE,
    ("partial", "filled"): Action.PROCEED,
    ("filled", "none"): Action.PROCEED,
    ("filled", "partial"): Action.PROCEED,
    ("filled", "filled"): Action.DONE,
}


@pytest.mark.parametrize("cell", CELLS, ids="-".join)
def test_while_prices_last_every_uneven_cell_is_completed(cell):
    bought, sold = (FILLS[name] for name in cell)

    verdict = look(make_pair(bought, sold, matched=True), make_means())

    assert verdict.action is CELLS[cell]
    if verdict.action is Action.PROCEED:
        assert verdict.loss_bps < 0
        leg, side = (1, Side.SELL) if bought > sold else (0, Side.BUY)
        assert (verdict.order.leg_index, verdict.order.side) == (leg, side)
        gross = abs(bought - sold) / (1 if bought > sold else 1 - FEE)
        assert gross - D("0.001") < verdict.order.quantity <= gross


@pytest.mark.parametrize("cell", CELLS, ids="-".join)
def test_when_the_other_venue_has_moved_every_uneven_cell_is_reversed(cell):
    bought, sold = (FILLS[name] for name in cell)
    # completing would lose 2 %; going back costs two fees and a narrow spread
    means = make_means(alpha=("99.95", 103), beta=(98, "101.05"))

    verdict = look(make_pair(bought, sold, matched=True), means)

    if CELLS[cell] is Action.DONE:
        assert verdict.action is Action.DONE
        return
    assert verdict.action is Action.REVERSE
    leg, side = (0, Side.SELL) if bought > sold else (1, Side.BUY)
    assert (verdict.order.leg_index, verdict.order.side) == (leg, side)
    assert 20 < verdict.loss_bps < 30


@pytest.mark.parametrize("cell", CELLS, ids="-".join)
def test_when_both_ways_lose_too_much_every_uneven_cell_is_held(cell):
    bought, sold = (FILLS[name] for name in cell)
    means = make_means(alpha=(90, 110), beta=(90, 110))

    verdict = look(make_pair(bought, sold, matched=True), means)

    assert verdict.action is (Action.DONE if CELLS[cell] is Action.DONE else Action.HOLD)
    assert verdict.order is None


@pytest.mark.parametrize("cell", CELLS, ids="-".join)
def test_nothing_is_sent_while_the_end_of_any_leg_is_unknown(cell):
    bought, sold = (FILLS[name] for name in cell)
    situation = replace(make_pair(bought, sold), is_live=True)

    verdict = look(situation, make_means())

    assert (verdict.action, verdict.order) == (Action.WAIT, None)
    assert judge(situation) is ExecutionEvent.LOSE_TRACK


def test_less_than_the_venues_take_is_dust():
    # 0.09 at 100 is below the least notional of 10
    situation = make_pair(D(4), D("3.906"))

    assert look(situation, make_means()).action is Action.DUST
    assert judge(situation) is ExecutionEvent.COMPLETE
    assert judge(replace(situation, is_reversed=True)) is ExecutionEvent.UNWIND


def test_the_least_that_a_venue_takes_is_no_dust():
    situation = make_pair(D(4), D("3.896"))  # 0.1 at 100 and 101

    assert judge(situation) is ExecutionEvent.FALL_SHORT
    assert look(situation, make_means()).order.quantity == D("0.1")


def test_what_has_become_too_little_at_present_prices_is_dust():
    # worth 10.05 at the plan's prices, and 9.9 now
    situation = make_pair(D(4), D("3.8965"), lot="0.0001")
    means = make_means(alpha=("98.9", 99), beta=("98.9", 99))

    assert judge(situation) is ExecutionEvent.FALL_SHORT
    assert look(situation, means).action is Action.DUST


@pytest.mark.parametrize(("sold", "action"), [("3.496", Action.HOLD), ("4.496", Action.PROCEED)])
def test_an_exposure_is_no_dust_because_only_bids_far_below_are_left(sold, action):
    # half a coin too much, or too little, at 100
    situation = make_pair(D(4), D(sold))
    means = make_means(alpha=(5, 100), beta=(5, 102))

    assert look(situation, means).action is action


def test_legs_filled_as_planned_are_done_whatever_the_lots_left_over():
    situation = replace(make_pair(D(10), D(9)), is_as_planned=True)

    assert look(situation, make_means()).action is Action.DONE
    assert judge(situation) is ExecutionEvent.COMPLETE


def short_of(amount, planned=0):
    situation = replace(make_pair(D(10), D(9)), is_as_planned=True, planned={"BTC": D(planned)})
    return replace(situation, movements={**situation.movements, "BTC": D(amount)})


@pytest.mark.parametrize(
    ("amount", "planned", "missing"),
    [
        ("-0.2", "0", "-0.2"),
        # what the plan left over covers a part of it
        ("-0.2", "0.01", "-0.2"),
        # what the plan itself was short of is not missing
        ("-0.5", "-0.3", "-0.2"),
    ],
)
def test_legs_filled_as_planned_that_lost_more_than_planned_fell_short(amount, planned, missing):
    situation = short_of(amount, planned)

    assert [(row.asset, row.amount) for row in find_exposures(situation)] == [("BTC", D(missing))]
    assert judge(situation) is ExecutionEvent.FALL_SHORT
    assert look(situation, make_means()).action is Action.PROCEED


@pytest.mark.parametrize(
    ("amount", "planned"),
    # less than a venue takes, as much as the plan said, and more than is there at the plan's end
    [("-0.09", "0"), ("-0.3", "-0.3"), ("-0.3", "-0.25"), ("0.2", "0.9")],
)
def test_legs_filled_as_planned_are_done_when_too_little_is_missing(amount, planned):
    situation = short_of(amount, planned)

    assert find_exposures(situation) == []
    assert judge(situation) is ExecutionEvent.COMPLETE


def test_no_fill_at_all_is_a_failure():
    assert judge(make_pair(D(0), D(0))) is ExecutionEvent.FAIL


def test_a_coin_that_only_fees_are_paid_in_is_a_cost_and_no_exposure():
    situation = make_pair(D(10), D(10), matched=True)
    situation.movements["BNB"] = D(-1)

    assert find_exposures(situation) == []


def test_only_the_depth_within_the_limit_is_taken():
    book = make_book(bids=[("99.9", 2), ("99.8", 3), (90, 100)])
    means = replace(make_means(), books={0: book})

    verdict = look(make_pair(D(10), D(0)), means)

    assert verdict.action is Action.REVERSE
    assert (verdict.order.quantity, verdict.order.limit_price) == (D(5), D("99.8"))
    assert verdict.loss_bps <= 50


def test_an_order_never_exceeds_what_the_account_can_pay():
    poor = {"BTC": D("1.2345"), "USDT": D(150)}

    long = look(make_pair(D(10), D(0)), make_means(free=poor))
    short = look(make_pair(D(0), D(10)), make_means(free=poor))

    assert long.order.quantity == D("1.234")
    assert short.order.quantity == D("1.5")


@pytest.mark.parametrize("alpha", [(90, 100), ("99.95", 100)], ids=["one way", "both ways"])
def test_for_want_of_funds_alone_it_is_said_which_and_not_that_the_loss_is_too_great(alpha):
    sold_elsewhere = {"BTC": D(0), "USDT": D(10_000)}

    verdict = look(make_pair(D(10), D(0)), make_means(alpha=alpha, free=sold_elsewhere))

    assert (verdict.action, verdict.order) == (Action.HOLD, None)
    assert "too little {assets} is free" in verdict.reason.template
    assert verdict.reason.context == {"assets": "BTC"}


def test_a_short_exposure_that_cannot_be_paid_for_lacks_the_quote_asset():
    verdict = look(make_pair(D(0), D(10)), make_means(free={"BTC": D(100), "USDT": D(0)}))

    assert verdict.reason.context == {"assets": "USDT"}


def test_where_neither_books_nor_funds_allow_it_the_loss_is_named():
    means = make_means(alpha=(90, 100), beta=(90, 110), free={"BTC": D(0), "USDT": D(0)})

    verdict = look(make_pair(D(10), D(0)), means)

    assert "within a loss of {limit} bps" in verdict.reason.template


def test_no_order_exceeds_what_the_market_takes_at_once():
    verdict = look(make_pair(D(10), D(0), quantity_max="2.5"), make_means())

    assert verdict.order.quantity == D("2.5")


def test_a_venue_that_has_refused_is_left_out():
    means = make_means(alpha=("99.95", 100), refused=[(1, Side.SELL)])

    assert look(make_pair(D(10), D(0)), means).action is Action.REVERSE


def test_without_a_book_there_is_no_way_out():
    verdict = look(make_pair(D(10), D(0)), make_means(alpha=None, beta=None))

    assert verdict.action is Action.HOLD
    assert "No order book" in verdict.reason.template


def test_of_two_equal_losses_completing_comes_first():
    situation = make_pair(D(10), D(0))

    verdict = look(situation, make_means(alpha=("99.95", 100), beta=("99.95", 101)))

    assert verdict.action is Action.PROCEED
    assert "no more than reversing" in verdict.reason.template


@pytest.mark.parametrize(
    ("room", "limit_price"),
    # bought at 100 and two fees of a thousandth: 50 bps are lost when it is sold at 99.6993
    [(D(0), "100.19"), (D(1) / 3, "100.03"), (D(1), "99.70")],
)
def test_the_more_room_an_order_has_the_nearer_its_limit_comes_to_the_loss_allowed(
    room, limit_price
):
    situation = make_pair(D(10), D(0))
    means = make_means(alpha=(90, 110), beta=("100.19", 101))

    verdict = look(situation, replace(means, room=room))

    assert verdict.order.limit_price == D(limit_price)
    # what is expected is what was seen
    assert verdict.loss_bps == look(situation, means).loss_bps


def test_what_an_order_may_cost_at_its_limit_is_what_has_to_be_there():
    situation = make_pair(D(0), D(10))
    means = make_means(alpha=(90, 100), beta=(90, 110), free={"USDT": D(1000)})

    seen, widest = (look(situation, replace(means, room=D(room))).order for room in (0, 1))

    assert seen.limit_price == 100
    assert widest.limit_price > 100
    assert seen.quantity * 100 <= 1000 < (seen.quantity + D("0.001")) * 100
    assert widest.quantity == D(1000) / widest.limit_price // D("0.001") * D("0.001")


@pytest.mark.parametrize(("maker", "taker"), [("0.002", "0.001"), ("0", "-0.001")])
def test_an_order_is_no_larger_than_what_is_set_aside_for_it_allows(maker, taker):
    fees = FeeSchedule(D(maker), D(taker), FeeMode.QUOTE)
    situation = make_pair(D(0), D(10))
    legs = [replace(leg, rules=replace(leg.rules, fees=fees)) for leg in situation.legs]
    means = make_means(alpha=(90, 100), beta=(90, 110), free={"USDT": D(500)})

    order = look(replace(situation, legs=legs), means).order

    spent = most_spent(side=order.side, quantity=order.quantity, price=order.limit_price, fees=fees)
    assert spent is not None
    assert spent <= 500 < spent + 1


def test_an_order_that_its_room_would_make_too_small_for_the_venue_has_none():
    situation = make_pair(D(10), D(0), notional_min=1000)
    means = make_means(alpha=(90, 110), beta=("100.2", 101))

    verdict = look(situation, replace(means, room=D(1)))

    assert verdict.order.limit_price == D("100.2")


def make_triangle(after, amount):
    """USDT → BTC → ETH → USDT; everything is in the asset that leg ``after`` brought."""
    legs = [
        make_leg(0, "alpha", Side.BUY, filled=D(1), price=D(50_000)),
        make_leg(
            1,
            "alpha",
            Side.BUY,
            filled=D(20),
            price=D("0.049"),
            symbol="ETH/BTC",
            tick="0.000001",
            notional_min="0.0001",
        ),
        make_leg(2, "alpha", Side.SELL, filled=D(0), price=D(2480), symbol="ETH/USDT"),
    ]
    return Situation(
        legs=legs, movements={after: D(amount), "USDT": D(-50_000)}, profit_asset="USDT"
    )


def triangle_means(*, btc=(49990, 50000), cross=("0.0489", "0.049"), eth=(2483, 2485), limit=50):
    quotes = dict(enumerate((btc, cross, eth)))
    return Means(
        books={
            index: make_book(bids=[(quote[0], 500)], asks=[(quote[1], 500)])
            for index, quote in quotes.items()
        },
        free=dict.fromkeys(quotes, RICH),
        max_loss_bps=D(limit),
    )


@pytest.mark.parametrize(
    ("after", "amount", "means", "action", "order"),
    [
        ("BTC", "0.999", {}, Action.PROCEED, (1, Side.BUY)),
        ("ETH", "19.98", {}, Action.PROCEED, (2, Side.SELL)),
        ("BTC", "0.999", {"eth": (2400, 2485)}, Action.REVERSE, (0, Side.SELL)),
        ("ETH", "19.98", {"eth": (2400, 2485), "limit": 80}, Action.REVERSE, (1, Side.SELL)),
        ("ETH", "19.98", {"eth": (2400, 2485)}, Action.HOLD, None),
        ("BTC", "0.999", {"eth": (2400, 2485), "btc": (49000, 50000)}, Action.HOLD, None),
    ],
)
def test_after_each_leg_of_a_triangle_it_goes_on_turns_back_or_holds(
    after, amount, means, action, order
):
    verdict = look(make_triangle(after, amount), triangle_means(**means))

    assert verdict.action is action
    sent = verdict.order
    assert (None if sent is None else (sent.leg_index, sent.side)) == order


def test_a_shortage_in_the_middle_of_a_chain_is_held_unless_one_trade_buys_it_back():
    situation = make_triangle("ETH", "-1")

    routes = find_routes(situation, find_exposures(situation)[0])

    assert [(route.action, len(route.hops)) for route in routes] == [(Action.REVERSE, 1)]
    gone = replace(situation, legs=situation.legs[:2])
    assert look(gone, triangle_means()).action is Action.HOLD


positive = st.decimals(min_value=D("0.5"), max_value=D(30), places=3)
prices = st.decimals(min_value=D(95), max_value=D(106), places=2)
levels = st.lists(st.tuples(prices, positive), min_size=0, max_size=4)


@given(
    bought=positive | st.just(D(0)),
    sold=positive | st.just(D(0)),
    alpha=st.tuples(levels, levels),
    beta=st.tuples(levels, levels),
    lot=st.sampled_from(["0.001", "0.1", "0.25"]),
    notional_min=st.sampled_from([0, 10, 100]),
    limit=st.sampled_from([0, 10, 50, 300]),
    room=st.sampled_from([D(0), D(1) / 3, D(1)]),
    mode=st.sampled_from(FeeMode),
)
def test_no_order_breaks_a_rule_the_limit_or_the_exposure(
    *, bought, sold, alpha, beta, lot, notional_min, limit, room, mode
):
    situation = make_pair(
        bought, sold, lot=lot, quantity_min=lot, notional_min=notional_min, mode=mode
    )
    books = {
        index: make_book(bids=sorted(bids, reverse=True), asks=sorted(asks))
        for index, (bids, asks) in enumerate((alpha, beta))
    }
    means = Means(books=books, free={0: RICH, 1: RICH}, max_loss_bps=D(limit), room=room)

    verdict = look(situation, means)

    exposure = situation.movements["BTC"]
    if verdict.order is None:
        return
    order = verdict.order
    rules = situation.legs[order.leg_index].rules
    assert order.quantity % D(lot) == 0
    assert order.quantity * order.limit_price >= notional_min
    assert (order.side is Side.SELL) is (exposure > 0)
    book = books[order.leg_index]
    taken = book.asks if order.side is Side.BUY else book.bids
    out, into, worst = cash_flows(taken, order.side, rules.fees, order.quantity)
    given_away = order.limit_price - worst if order.side is Side.BUY else worst - order.limit_price
    assert given_away >= 0
    assert room or not given_away
    at_limit = [(order.limit_price, order.quantity)]
    most_out, least_into, _worst = cash_flows(at_limit, order.side, rules.fees, order.quantity)
    # what moves is never more than what was exposed, and loses no more than is allowed
    share = D(limit) / 10_000
    if exposure > 0:
        cost = BUY_PRICE / (1 - FEE)
        assert out <= exposure
        assert least_into >= most_out * cost * (1 - share)
        loss = 1 - into / (out * cost)
    else:
        gain = SELL_PRICE * (1 - FEE)
        assert into <= -exposure
        assert most_out <= least_into * gain * (1 + share)
        loss = out / (into * gain) - 1
    assert abs(verdict.loss_bps - loss * 10_000) < D("1e-9")
