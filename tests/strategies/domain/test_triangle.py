from dataclasses import replace
from decimal import Decimal as D
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from arbplatform.core.decimals import floor_to_step, is_multiple
from markets.domain.fees import FeeMode
from markets.domain.orders import Side
from strategies.domain.candidate import UNLIMITED, Terms, Trade
from strategies.domain.chain import FEE_ROUNDING_ALLOWANCE
from strategies.domain.cycles import Cycle, Hop
from strategies.domain.intents import ExecutionMode, Intent, Rejection
from strategies.domain.triangle import size_triangle, top_rates, trades_of, value_in
from tests.strategies.builders import cash_flows, make_book, make_rules

STORED = D("1e-18")
NO_TERMS = Terms()

# USDT buys X, X buys Y, Y is sold for USDT: one Y costs 10 X, one X costs 10 USDT
FORWARD = Cycle(
    (
        Hop("X/USDT", Side.BUY, "USDT", "X"),
        Hop("Y/X", Side.BUY, "X", "Y"),
        Hop("Y/USDT", Side.SELL, "Y", "USDT"),
    )
)
BACKWARD = Cycle(
    (
        Hop("Y/USDT", Side.BUY, "USDT", "Y"),
        Hop("Y/X", Side.SELL, "Y", "X"),
        Hop("X/USDT", Side.SELL, "X", "USDT"),
    )
)


def make_trades(cycle, books, rules, free):
    return trades_of(
        cycle,
        books={book.symbol: book for book in books},
        rules={item.symbol: item for item in rules},
        free={asset: D(amount) for asset, amount in free.items()},
    )


def solve(trades: tuple[Trade, ...], *, terms: Terms = NO_TERMS) -> Any:
    return size_triangle(trades, terms=terms, subject="cycle")


# --- brute force: every lot of every order ----------------------------------------------------


def is_fee_on_top(trade: Trade) -> bool:
    mode = trade.rules.fees.mode
    is_spent = mode is FeeMode.GIVEN or (mode is FeeMode.QUOTE and trade.side is Side.BUY)
    return is_spent and trade.rules.fees.taker > 0


def orders(trade: Trade, terms: Terms, *, is_first: bool) -> list[tuple[D, D, D]]:
    """Return spent, received and what must be there for every order that the venue takes."""
    rules = trade.rules
    levels = [(price, quantity * terms.participation) for price, quantity in trade.levels]
    depth = sum(quantity for _, quantity in levels)
    funds = trade.free * terms.balance_share
    found = []
    quantity = rules.lot
    while quantity <= depth:
        spent, received, worst = cash_flows(levels, trade.side, rules.fees, quantity)
        locked = spent
        if trade.side is Side.BUY:
            locked = quantity * worst * (1 + rules.fees.taker if is_fee_on_top(trade) else 1)
        is_accepted = (
            quantity >= rules.quantity_min
            and (rules.quantity_max is None or quantity <= rules.quantity_max)
            and quantity * worst >= rules.notional_min
        )
        if is_first:
            budget = funds - FEE_ROUNDING_ALLOWANCE if is_fee_on_top(trade) else funds
            is_accepted = is_accepted and locked <= min(budget, terms.spend_max)
            needed = locked
        else:
            needed = spent if trade.side is Side.SELL else max(spent, locked - funds)
        if is_accepted:
            found.append((spent, received, needed))
        quantity += rules.lot
    return found


def allowance_between(before: Trade, after: Trade) -> D:
    is_taken = before.rules.fees.taker > 0 and not is_fee_on_top(before)
    return FEE_ROUNDING_ALLOWANCE if is_taken or is_fee_on_top(after) else D(0)


def try_all(trades: tuple[Trade, ...], terms: Terms) -> D:
    """Return the highest profit of all triples of orders that meet the terms; 0 if none earns."""
    first, second, third = (
        orders(trade, terms, is_first=index == 0) for index, trade in enumerate(trades)
    )
    gaps = [allowance_between(trades[0], trades[1]), allowance_between(trades[1], trades[2])]
    best = D(0)
    for start, brought_1, _ in first:
        for _, brought_2, needed_2 in second:
            if needed_2 + gaps[0] > brought_1:
                continue
            for _, end, needed_3 in third:
                if needed_3 + gaps[1] > brought_2:
                    continue
                profit = end - start
                if profit >= start * terms.edge_bps_min / 10_000:
                    best = max(best, profit)
    return best


@st.composite
def sides(draw: st.DrawFn, sign: int, top: str, size: int) -> list[tuple[D, D]]:
    price, levels = D(top), []
    for step in draw(st.lists(st.integers(0, 60), min_size=1, max_size=2)):
        price += sign * D(top) * step / 1000
        levels.append((price, D(draw(st.integers(2 * size, 8 * size))) / 10))
    return levels


@st.composite
def rules(draw, symbol, lots):
    return make_rules(
        symbol=symbol,
        tick="0.001",
        lot=draw(st.sampled_from(lots)),
        fee=draw(st.sampled_from(["0", "0.001", "0.01"])),
        mode=draw(st.sampled_from(FeeMode)),
        quantity_min=draw(st.sampled_from([0, 0, 0, lots[-1] * 2])),
        quantity_max=draw(st.sampled_from([None, None, lots[-1] * 5])),
        notional_min=draw(st.sampled_from([0, 0, 0, 3])),
    )


@st.composite
def cases(draw):
    """Draw a cycle with an edge of up to 20 %, entered anywhere."""
    cycle = draw(st.sampled_from([FORWARD, BACKWARD]))
    fair = D(draw(st.sampled_from([12, 11, 12])))  # USDT for X where X is sold, X for Y likewise
    books = [
        make_book(
            symbol="X/USDT", bids=draw(sides(-1, str(fair), 10)), asks=draw(sides(1, "10", 10))
        ),
        make_book(symbol="Y/X", bids=draw(sides(-1, "10", 1)), asks=draw(sides(1, "10", 1))),
        make_book(
            symbol="Y/USDT", bids=draw(sides(-1, str(fair * 10), 1)), asks=draw(sides(1, "100", 1))
        ),
    ]
    wide, narrow = [D("0.5"), D("0.7"), D(1)], [D("0.02"), D("0.03"), D("0.05")]
    market_rules = [
        draw(rules("X/USDT", wide)),
        draw(rules("Y/X", narrow)),
        draw(rules("Y/USDT", narrow)),
    ]
    funds = st.sampled_from([100_000, 100_000, 0, 20])
    free = {asset: draw(funds) for asset in ("USDT", "X", "Y")}
    start = draw(st.sampled_from(["USDT", "X", "Y"]))
    free[start] = draw(st.sampled_from([100_000, 40]))
    terms = Terms(
        edge_bps_min=D(draw(st.sampled_from([0, 100]))),
        participation=D(draw(st.sampled_from(["1", "0.5"]))),
        balance_share=D(draw(st.sampled_from(["1", "0.9"]))),
        spend_max=D(draw(st.sampled_from([UNLIMITED, UNLIMITED, D(30)]))),
        slippage_share=D(draw(st.sampled_from([0, "0.5"]))),
    )
    return make_trades(cycle.starting_at(start), books, market_rules, free), terms


@settings(max_examples=600)
@given(case=cases())
def test_no_triple_of_orders_earns_more_in_any_fee_mode(case):
    trades, terms = case

    outcome = solve(trades, terms=terms)

    highest = try_all(trades, terms)
    if isinstance(outcome, Rejection):
        assert highest == 0, f"{outcome.code}: {outcome.message}"
    else:
        assert outcome.expected_profit == floor_to_step(highest, STORED)
        assert outcome.sizing["gap"] == "0"


@settings(max_examples=200)
@given(case=cases())
def test_every_order_is_paid_and_accepted_even_at_its_limit_price(case):
    trades, terms = case
    intent = solve(trades, terms=terms)
    if isinstance(intent, Rejection):
        return

    at_hand = min(trades[0].free * terms.balance_share, terms.spend_max)
    for leg, trade in zip(intent.legs, trades, strict=True):
        price = leg.limit_price if trade.side is Side.BUY else D(1)
        locked = leg.quantity * price * (1 + trade.rules.fees.taker if is_fee_on_top(trade) else 1)
        assert locked <= at_hand
        assert leg.expected_spent <= at_hand
        assert is_multiple(leg.quantity, trade.rules.lot)
        assert is_multiple(leg.limit_price, trade.rules.tick)
        assert leg.quantity * leg.limit_price >= trade.rules.notional_min
        at_hand = leg.expected_received
        if leg is not intent.legs[-1]:
            nxt = trades[intent.legs.index(leg) + 1]
            assert intent.legs[intent.legs.index(leg) + 1].expected_spent <= at_hand
            at_hand += nxt.free * terms.balance_share
    gained = intent.legs[-1].expected_received - intent.legs[0].expected_spent
    assert abs(gained - intent.expected_profit) < D("1e-15")
    assert (intent.mode, intent.profit_asset) == (
        ExecutionMode.SEQUENTIAL,
        trades[0].spent_asset,
    )


def simple_books(*, ask_x="10", size_x=1000, ask_y="10", size_y=100, bid_y="100.7", size_end=100):
    return [
        make_book(symbol="X/USDT", bids=[(9, 1)], asks=[(ask_x, size_x)]),
        make_book(symbol="Y/X", bids=[(9, 1)], asks=[(ask_y, size_y)]),
        make_book(symbol="Y/USDT", bids=[(bid_y, size_end)], asks=[(200, 1)]),
    ]


def simple_rules(fee="0.001", **lots):
    return [
        make_rules(symbol="X/USDT", fee=fee, lot=lots.get("x", "0.001")),
        make_rules(symbol="Y/X", fee=fee, lot=lots.get("yx", "0.001")),
        make_rules(symbol="Y/USDT", fee=fee, lot=lots.get("y", "0.0001")),
    ]


def test_sizes_are_counted_back_from_the_coarsest_lot():
    """Start amounts in even steps end short: they buy a part of a lot that cannot be used."""
    trades = make_trades(
        FORWARD, simple_books(), simple_rules(yx="0.1"), {"USDT": 100_000, "X": 10_000}
    )

    intent = solve(trades)

    buy_x, buy_y, sell_y = intent.legs
    assert buy_y.quantity == D("99.8"), "998 lots of 0.1"
    assert buy_x.quantity == D("998.999"), "the fewest that bring what 998 lots cost"
    assert 0 < buy_x.expected_received - buy_y.expected_spent < D("0.001")
    assert 0 < buy_y.expected_received - sell_y.expected_spent < D("0.0002")


def naive_profit(start: int) -> D:
    """Go forward from a round start amount, as many do: what is not a whole lot is lost."""
    x = floor_to_step(D(start) / 10, D("0.001")) * D("0.999")
    y = floor_to_step(x / 10, D("0.1")) * D("0.999")
    return floor_to_step(y, D("0.0001")) * D("100.7") * D("0.999") - start


def test_round_start_amounts_lose_where_counted_back_ones_earn():
    trades = make_trades(FORWARD, simple_books(), simple_rules(yx="0.1"), {"USDT": 1000, "X": 100})

    intent = solve(trades)

    assert intent.expected_profit > 3
    assert all(naive_profit(start) < 0 for start in range(100, 1001, 100))
    assert max(naive_profit(start) for start in range(10, 1001, 10)) < intent.expected_profit


def test_profit_is_maximised_and_not_percent():
    books = simple_books()
    books[2] = make_book(symbol="Y/USDT", bids=[("104", 1), ("101", 99)])
    trades = make_trades(FORWARD, books, simple_rules(fee=0), {"USDT": 100_000})

    intent = solve(trades)

    assert intent.legs[2].quantity == 100, "the first Y earns 4 %, the other 99 earn 1 % each"
    assert intent.expected_profit == 4 + 99


def test_three_fees_are_multiplied():
    """Gross 30.03 bps less 3 x 10 bps would be an edge; what is left of it is not."""
    trades = make_trades(FORWARD, simple_books(bid_y="100.3003"), simple_rules(), {"USDT": 100_000})
    exact = D("1.003003") * D("0.999") ** 3 - 1
    assert exact < D("0.003003") - D("0.003") == D("0.000003")

    refusal = solve(trades, terms=Terms(edge_bps_min=D("0.03")))

    assert (refusal.code, refusal.edge_bps < D("0.03")) == ("edge_below_min", True)


def test_later_legs_use_what_arrives_after_the_fee():
    trades = make_trades(FORWARD, simple_books(), simple_rules(), {"USDT": 1000})

    intent = solve(trades)

    for before, after in zip(intent.legs, intent.legs[1:], strict=False):
        assert before.expected_received - after.expected_spent >= FEE_ROUNDING_ALLOWANCE
    assert D("999.8") < intent.legs[0].expected_spent <= 1000


def test_the_least_notional_of_every_leg_is_checked():
    for poor in range(3):
        rules = simple_rules(fee=0)
        rules[poor] = replace(rules[poor], notional_min=D(20_000))
        trades = make_trades(FORWARD, simple_books(), rules, {"USDT": 100_000, "X": 9})

        refusal = solve(trades)

        assert (refusal.code, refusal.message.context["base"]) == (
            "size_below_min",
            rules[poor].base,
        )


def test_the_other_way_around_the_same_markets_is_no_edge():
    books, rules, free = simple_books(), simple_rules(), {"USDT": 1000}
    outcomes = [solve(make_trades(cycle, books, rules, free)) for cycle in (FORWARD, BACKWARD)]

    assert isinstance(outcomes[0], Intent)
    assert outcomes[1].code == "edge_below_min"
    assert outcomes[1].edge_bps < -5000, "each leg takes the other side of its book"


def test_an_intermediate_purchase_is_payable_at_its_limit_although_nothing_is_in_stock():
    books = simple_books()
    books[1] = make_book(symbol="Y/X", asks=[(10, 1), ("10.01", 99)])
    poor = make_trades(FORWARD, books, simple_rules(fee=0), {"USDT": 1000})
    rich = make_trades(FORWARD, books, simple_rules(fee=0), {"USDT": 1000, "X": 1})

    sizes = [solve(trades).legs[1].quantity for trades in (poor, rich)]

    assert sizes == [D("9.990"), D("9.991")], "100 X at 10.01, or at what they cost on average"


def test_top_rates_are_units_received_per_unit_spent():
    book = make_book(symbol="X/USDT", bids=[(8, 1)], asks=[(10, 1)])

    rates = top_rates(book, make_rules(symbol="X/USDT", fee="0.1"))

    assert rates == {Side.BUY: 0.09, Side.SELL: 7.2}


def test_an_empty_or_worthless_side_has_no_rate():
    book = make_book(symbol="X/USDT", bids=[(0, 1)], asks=[])

    assert top_rates(book, make_rules(symbol="X/USDT")) == {}


def test_an_amount_is_valued_at_the_price_it_could_be_sold_for():
    books = {
        "X/USDT": make_book(symbol="X/USDT", bids=[(8, 1)], asks=[(10, 1)]),
        "Y/X": make_book(symbol="Y/X"),
    }
    rules = {symbol: make_rules(symbol=symbol) for symbol in ("Z/X", "X/USDT", "Y/X")}

    def value(asset, target):
        return value_in(D(4), asset, target, books=books, rules=rules)

    assert value("USDT", "USDT") == 4
    assert value("X", "USDT") == 32, "at the bid"
    assert value("USDT", "X") == D("0.4"), "at the ask"
    assert value("Y", "X") is None, "an empty book"
    assert value("X", "Y") is None
    assert value("Z", "X") is None, "no book"
