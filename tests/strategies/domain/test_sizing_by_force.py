"""Cross-venue sizes against every pair of orders there is."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal as D

from hypothesis import given, settings
from hypothesis import strategies as st

from arbplatform.core.decimals import ceil_to_step, floor_to_step, is_multiple
from markets.domain.fees import FeeMode
from markets.domain.orders import Side
from strategies.domain.candidate import UNLIMITED, Terms, Trade
from strategies.domain.chain import FEE_ROUNDING_ALLOWANCE
from strategies.domain.intents import ExecutionMode, Intent, Rejection
from strategies.domain.sizing import reject_at_top
from tests.strategies.builders import cash_flows, make_rules
from tests.strategies.domain.cases import Case, make_case

LOTS = [D("0.3"), D("0.5"), D(1), D("0.7")]
STORED = D("1e-18")


def usable(levels: Iterable[tuple[D, D]], share: D) -> list[tuple[D, D]]:
    return [(price, quantity * share) for price, quantity in levels]


def fee_is_spent(trade: Trade) -> bool:
    mode = trade.rules.fees.mode
    paid_on_top = mode is FeeMode.GIVEN or (mode is FeeMode.QUOTE and trade.side is Side.BUY)
    return paid_on_top and trade.rules.fees.taker > 0


def budget(trade: Trade, terms: Terms) -> D:
    allowance = FEE_ROUNDING_ALLOWANCE if fee_is_spent(trade) else 0
    return trade.free * terms.balance_share - allowance


def orders(trade: Trade, terms: Terms) -> Iterator[tuple[D, D, D]]:
    """Yield quantity, spent and received of every order that the venue and the funds allow."""
    rules, levels = trade.rules, usable(trade.levels, terms.participation)
    depth = sum(quantity for _, quantity in levels)
    quantity = rules.lot
    while quantity <= depth:
        spent, received, worst = cash_flows(levels, trade.side, rules.fees, quantity)
        locked = spent
        if trade.side is Side.BUY:
            locked = quantity * worst * (1 + rules.fees.taker if fee_is_spent(trade) else 1)
        is_allowed = (
            quantity >= rules.quantity_min
            and (rules.quantity_max is None or quantity <= rules.quantity_max)
            and quantity * worst >= rules.notional_min
            and locked <= budget(trade, terms)
            and (trade.side is Side.SELL or locked <= terms.spend_max)
        )
        if is_allowed:
            yield quantity, spent, received
        quantity += rules.lot


def value_of_leftover(trade: Trade) -> D:
    fees = trade.rules.fees
    bid = trade.book.bids[0].price
    return bid / (1 + fees.taker) if fees.mode is FeeMode.GIVEN else bid * (1 - fees.taker)


def try_all(case: Case) -> D:
    """Return the highest profit of all pairs of orders that meet the terms; 0 if none earns."""
    terms = case.terms
    is_exact = not fee_is_spent(case.sell) and (
        fee_is_spent(case.buy) or not case.buy.rules.fees.taker
    )
    allowance = 0 if is_exact else FEE_ROUNDING_ALLOWANCE
    sells = list(orders(case.sell, terms))
    best = D(0)
    for _, cost, base_in in orders(case.buy, terms):
        for _, base_out, proceeds in sells:
            leftover = base_in - base_out
            worth = leftover * value_of_leftover(case.buy)
            profit = proceeds - cost + worth
            if (
                leftover >= allowance
                and worth <= cost * terms.dust_bps_max / 10_000
                and profit >= cost * terms.edge_bps_min / 10_000
            ):
                best = max(best, profit)
    return best


@st.composite
def sides(draw: st.DrawFn, sign: int, top: int) -> list[tuple[D, D]]:
    price, levels = D(top), []
    for step in draw(st.lists(st.integers(0, 3), min_size=2, max_size=4)):
        price += sign * step
        levels.append((price, D(draw(st.integers(1, 60))) / 10))
    return levels


@st.composite
def rules(draw, venue):
    return make_rules(
        venue,
        lot=draw(st.sampled_from(LOTS)),
        fee=draw(st.sampled_from(["0", "0.001", "0.01"])),
        mode=draw(st.sampled_from(FeeMode)),
        quantity_min=draw(st.sampled_from([0, 0, 0, 2])),
        quantity_max=draw(st.sampled_from([None, None, 4])),
        notional_min=draw(st.sampled_from([0, 0, 0, 250])),
    )


@st.composite
def cases(draw):
    return make_case(
        asks=draw(sides(1, 100)),
        bids=draw(sides(-1, draw(st.sampled_from([108, 106, 103])))),
        home_bids=((draw(st.sampled_from([99, 97, 90])), 50),),
        buy_rules=draw(rules("alpha")),
        sell_rules=draw(rules("beta")),
        quote_free=draw(st.sampled_from([1_000_000, 1_000_000, 400])),
        base_free=draw(st.sampled_from([1_000, 1_000, 3])),
        edge_bps_min=draw(st.sampled_from([0, 50, 200])),
        participation=draw(st.sampled_from(["0.5", 1])),
        balance_share=draw(st.sampled_from(["0.9", 1])),
        spend_max=draw(st.sampled_from([UNLIMITED, UNLIMITED, 300])),
        dust_bps_max=draw(st.sampled_from([10_000, 1000, 50])),
        slippage_share=draw(st.sampled_from([0, "0.5"])),
    )


@settings(max_examples=600)
@given(case=cases())
def test_no_pair_of_orders_earns_more_in_any_fee_mode(case):
    outcome = case.solve()

    highest = try_all(case)
    if isinstance(outcome, Rejection):
        assert highest == 0, f"{outcome.code}: {outcome.message}"
    else:
        assert outcome.expected_profit == floor_to_step(highest, STORED)
        assert outcome.sizing["gap"] == "0"


@settings(max_examples=200)
@given(case=cases())
def test_profit_is_the_cash_flow_of_the_orders_and_no_constraint_is_broken(case):
    intent = case.solve()
    if isinstance(intent, Rejection):
        return

    terms = case.terms
    for leg, trade in zip(intent.legs, (case.buy, case.sell), strict=True):
        spent, received, worst = cash_flows(
            usable(trade.levels, terms.participation), trade.side, trade.rules.fees, leg.quantity
        )
        assert leg.expected_spent == ceil_to_step(spent, STORED)
        assert leg.expected_received == floor_to_step(received, STORED)
        assert is_multiple(leg.quantity, trade.rules.lot)
        assert is_multiple(leg.limit_price, trade.rules.tick)
        assert leg.quantity >= trade.rules.quantity_min
        assert leg.quantity * leg.limit_price >= trade.rules.notional_min
        is_reached = (
            leg.limit_price >= worst if trade.side is Side.BUY else leg.limit_price <= worst
        )
        assert is_reached
    buy, sell = intent.legs
    locked = buy.quantity * buy.limit_price * (1 + case.buy.rules.fees.taker)
    if not fee_is_spent(case.buy):
        locked = buy.quantity * buy.limit_price
    assert locked <= min(case.buy.free * terms.balance_share, terms.spend_max)
    assert sell.expected_spent <= case.sell.free * terms.balance_share
    leftover = buy.expected_received - sell.expected_spent
    worth = leftover * value_of_leftover(case.buy)
    assert leftover >= 0
    assert abs(sell.expected_received - buy.expected_spent + worth - intent.expected_profit) < D(
        "1e-15"
    )
    assert intent.edge_bps >= terms.edge_bps_min
    assert (intent.mode, intent.profit_asset) == (ExecutionMode.PARALLEL, "USDT")


@settings(max_examples=100)
@given(case=cases(), more=st.integers(1, 500))
def test_more_funds_never_earn_less(case, more):
    richer = replace(
        case,
        buy=replace(case.buy, free=case.buy.free + more),
        sell=replace(case.sell, free=case.sell.free + more),
    )

    assert profit_of(richer.solve()) >= profit_of(case.solve())


@settings(max_examples=100)
@given(case=cases())
def test_lower_fees_never_earn_less(case):
    case = replace(case, terms=replace(case.terms, dust_bps_max=D(10_000)))
    fee = case.buy.rules.fees
    cheaper_rules = replace(case.buy.rules, fees=replace(fee, taker=fee.taker / 2))
    cheaper = replace(case, buy=replace(case.buy, rules=cheaper_rules))

    assert profit_of(cheaper.solve()) >= profit_of(case.solve())


@settings(max_examples=100)
@given(case=cases())
def test_the_top_of_the_books_refuses_nothing_that_could_be_traded(case):
    refusal = reject_at_top((case.buy, case.sell), case.terms, subject="pair")

    if refusal is not None:
        assert isinstance(case.solve(), Rejection)


def profit_of(outcome: Intent | Rejection) -> D:
    return outcome.expected_profit if isinstance(outcome, Intent) else D(0)
