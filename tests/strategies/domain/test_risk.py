"""What the risk gate refuses, against the same rules written down another way."""

from dataclasses import fields, replace
from decimal import Decimal as D
from fractions import Fraction as F
from string import Formatter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets.domain.orders import Side
from strategies.domain.risk import DENIALS, Limits, RiskFigures, deny
from strategies.models import Reason
from strategies.sdk import ExecutionMode, Intent, LegIntent

SYMBOLS = {"BTC/USDT": ("BTC", "USDT"), "ETH/BTC": ("ETH", "BTC")}
PRICES = {"USDT": D(1), "BTC": D(50_000), "ETH": D(2_500)}
VENUES = ("alpha", "beta")


def leg(venue="alpha", symbol="BTC/USDT", quantity="1", limit_price="50000", side=Side.BUY):
    return LegIntent(venue, symbol, side, D(quantity), D(limit_price), D(0), D(0))


def make_intent(*legs, edge_bps="20", notional="1000", profit_asset="USDT"):
    return Intent(
        summary="test",
        legs=legs or (leg(),),
        mode=ExecutionMode.PARALLEL,
        edge_bps=D(edge_bps),
        notional=D(notional),
        expected_profit=D(1),
        profit_asset=profit_asset,
    )


def code_of(intent=None, figures=None, prices=PRICES, **limits):
    denial = deny(
        intent or make_intent(),
        limits=Limits(**limits),
        figures=replace(figures or RiskFigures(), prices=prices),
        symbols=SYMBOLS,
    )
    return None if denial is None else denial.code


amounts = st.decimals("-1000", "1000", places=2)
positive = st.decimals("0", "100000", places=2)
by_asset = st.dictionaries(st.sampled_from(sorted(PRICES)), amounts)
legs = st.builds(
    LegIntent,
    venue=st.sampled_from(VENUES),
    symbol=st.sampled_from(sorted(SYMBOLS)),
    side=st.sampled_from(Side),
    quantity=st.decimals("0.01", "10", places=2),
    limit_price=st.decimals("0.01", "100000", places=2),
    expected_spent=st.just(D(0)),
    expected_received=st.just(D(0)),
)
intents = st.builds(
    Intent,
    summary=st.just("test"),
    legs=st.lists(legs, min_size=1, max_size=3).map(tuple),
    mode=st.sampled_from(ExecutionMode),
    edge_bps=positive,
    notional=positive,
    expected_profit=st.just(D(1)),
    profit_asset=st.sampled_from(sorted(PRICES)),
)
all_figures = st.builds(
    RiskFigures,
    prices=st.dictionaries(st.sampled_from(sorted(PRICES)), positive),
    day_notional=by_asset,
    open_executions=st.integers(0, 20),
    left_over=by_asset,
    left_over_seconds=by_asset,
    day_result=by_asset,
    open_orders=st.dictionaries(st.sampled_from(VENUES), st.integers(0, 20)),
    held=st.dictionaries(st.sampled_from(VENUES), by_asset),
)
all_limits = st.builds(
    Limits,
    order_notional_max=st.none() | positive,
    day_notional_max=st.none() | positive,
    open_executions_max=st.none() | st.integers(0, 20),
    unhedged_max=st.none() | positive,
    day_loss_max=st.none() | positive,
    venue_share_max=st.none() | st.decimals("0", "1", places=2),
    edge_bps_max=st.none() | positive,
    price_band_bps=st.none() | positive,
    unhedged_seconds_max=st.none() | positive,
    open_orders_max=st.none() | st.integers(0, 20),
    position_max=st.none() | positive,
)


class ByHand:
    """The same rules in fractions, without any order among them; None is what has no price."""

    def __init__(self, intent, figures):
        self.intent = intent
        self.figures = figures
        self.prices = {code: F(price) for code, price in figures.prices.items() if price > 0}

    def worth(self, holdings, size=F):
        held = {code: amount for code, amount in holdings.items() if amount}
        if held.keys() - self.prices.keys():
            return None
        return sum(self.prices[code] * size(amount) for code, amount in held.items())

    def size(self, holdings):
        return self.worth(holdings, lambda amount: abs(F(amount)))

    def order(self, item):
        price = self.prices.get(SYMBOLS[item.symbol][1])
        return price and F(item.quantity * item.limit_price) * price

    def distance(self, item):
        base, quote = (self.prices.get(code) for code in SYMBOLS[item.symbol])
        return base and quote and abs(F(item.limit_price) * quote / base - 1) * 10_000

    def traded(self):
        before = self.size(self.figures.day_notional)
        price = self.prices.get(self.intent.profit_asset)
        return None if before is None or price is None else before + F(self.intent.notional) * price

    def lost(self):
        result = self.worth(self.figures.day_result)
        return None if result is None else -result

    def shares(self):
        held = {venue: self.worth(holdings) for venue, holdings in self.figures.held.items()}
        if None in held.values():
            return [None]
        total = sum(held.values())
        return [F(held.get(item.venue, 0)) / total for item in self.intent.legs if total > 0]

    def orders(self):
        return [
            self.figures.open_orders.get(venue, 0)
            + len([item for item in self.intent.legs if item.venue == venue])
            for venue in {item.venue for item in self.intent.legs}
        ]

    def positions(self):
        for item in self.intent.legs:
            if item.side is Side.BUY:
                base = SYMBOLS[item.symbol][0]
                held = self.figures.held.get(item.venue, {}).get(base, 0)
                price = self.prices.get(base)
                yield price and (F(held) + F(item.quantity)) * price


def codes_by_hand(intent, limits, figures):
    """Return every denial that holds."""
    hand = ByHand(intent, figures)
    figures_by_code = {
        "edge_above_cap": (limits.edge_bps_max, [intent.edge_bps]),
        "open_executions": (limits.open_executions_max, [figures.open_executions + 1]),
        "order_notional": (limits.order_notional_max, map(hand.order, intent.legs)),
        "day_notional": (limits.day_notional_max, [hand.traded()]),
        "unhedged_exposure": (limits.unhedged_max, [hand.size(figures.left_over)]),
        "venue_concentration": (limits.venue_share_max, hand.shares()),
        "price_band": (limits.price_band_bps, map(hand.distance, intent.legs)),
        "unhedged_time": (limits.unhedged_seconds_max, [hand.size(figures.left_over_seconds)]),
        "open_orders": (limits.open_orders_max, hand.orders()),
        "position": (limits.position_max, hand.positions()),
    }
    found = set()
    for code, (limit, values) in figures_by_code.items():
        for value in values if limit is not None else ():
            if value is None or value > limit:
                found.add("price_unknown" if value is None else code)
    if limits.day_loss_max is not None:
        lost = hand.lost()
        if lost is None or 0 < lost >= limits.day_loss_max:
            found.add("price_unknown" if lost is None else "day_loss")
    return found


@given(intent=intents, limits=all_limits, figures=all_figures)
def test_an_intent_passes_exactly_when_no_rule_is_broken(intent, limits, figures):
    expected = codes_by_hand(intent, limits, figures)

    denial = deny(intent, limits=limits, figures=figures, symbols=SYMBOLS)

    assert (denial is None) == (not expected)
    if denial is not None:
        assert denial.code in expected


@given(intent=intents, limits=all_limits, figures=all_figures)
def test_lifting_a_limit_never_forbids_anything(intent, limits, figures):
    if deny(intent, limits=limits, figures=figures, symbols=SYMBOLS) is None:
        for field in fields(Limits):
            lifted = replace(limits, **{field.name: None})
            assert deny(intent, limits=lifted, figures=figures, symbols=SYMBOLS) is None


@given(intent=intents, figures=all_figures)
def test_without_limits_everything_passes(intent, figures):
    assert deny(intent, limits=Limits(), figures=figures, symbols=SYMBOLS) is None


@pytest.mark.parametrize(
    ("limit", "below", "at"),
    [
        ("edge_bps_max", "19.99", "20"),
        ("order_notional_max", "49999.99", "50000"),
        ("day_notional_max", "999.99", "1000"),
    ],
)
def test_a_limit_is_the_last_value_that_passes(limit, below, at):
    assert code_of(**{limit: D(at)}) is None
    assert code_of(**{limit: D(below)}) is not None


def test_the_day_counts_what_was_traded_before():
    figures = RiskFigures(day_notional={"USDT": D(500), "BTC": D("0.1")})

    assert code_of(figures=figures, day_notional_max=D(6_500)) is None
    assert code_of(figures=figures, day_notional_max=D(6_499)) == "day_notional"


def test_as_many_executions_as_are_allowed_may_be_open():
    assert code_of(figures=RiskFigures(open_executions=1), open_executions_max=2) is None
    assert (
        code_of(figures=RiskFigures(open_executions=2), open_executions_max=2) == "open_executions"
    )
    assert code_of(open_executions_max=0) == "open_executions"


def test_exposures_of_either_sign_add_up():
    figures = RiskFigures(left_over={"BTC": D("-0.01"), "ETH": D("0.2")})

    assert code_of(figures=figures, unhedged_max=D(1_000)) is None
    assert code_of(figures=figures, unhedged_max=D(999)) == "unhedged_exposure"


def test_a_loss_counts_left_overs_at_present_prices():
    figures = RiskFigures(day_result={"USDT": D(-600), "BTC": D("0.01")})

    assert code_of(figures=figures, day_loss_max=D(101)) is None
    assert code_of(figures=figures, day_loss_max=D(100)) == "day_loss"
    assert code_of(figures=RiskFigures(day_result={"USDT": D(1)}), day_loss_max=D(0)) is None


def test_only_venues_that_are_traded_on_are_measured():
    figures = RiskFigures(held={"alpha": {"USDT": D(400)}, "beta": {"USDT": D(600)}})

    assert code_of(figures=figures, venue_share_max=D("0.5")) is None
    both = make_intent(leg("alpha"), leg("beta"))
    assert code_of(both, figures, venue_share_max=D("0.5")) == "venue_concentration"
    assert code_of(both, RiskFigures(), venue_share_max=D("0.5")) is None


def test_a_limit_price_stays_near_the_last_price_of_its_pair():
    intent = make_intent(leg(symbol="ETH/BTC", limit_price="0.0505"))

    assert code_of(intent, price_band_bps=D(100)) is None
    assert code_of(intent, price_band_bps=D(99)) == "price_band"


@pytest.mark.parametrize("prices", [{}, {"USDT": D(0), "BTC": D(0)}])
@pytest.mark.parametrize(
    ("limit", "figures"),
    [
        ("order_notional_max", RiskFigures()),
        ("day_notional_max", RiskFigures()),
        ("unhedged_max", RiskFigures(left_over={"BTC": D(1)})),
        ("day_loss_max", RiskFigures(day_result={"BTC": D(1)})),
        ("venue_share_max", RiskFigures(held={"alpha": {"BTC": D(1)}})),
        ("price_band_bps", RiskFigures()),
        ("unhedged_seconds_max", RiskFigures(left_over_seconds={"BTC": D(1)})),
        ("position_max", RiskFigures()),
    ],
)
def test_what_cannot_be_valued_is_refused(limit, figures, prices):
    assert code_of(figures=figures, prices=prices, **{limit: D(10**9)}) == "price_unknown"


def test_a_denial_shows_its_figures_in_plain_digits():
    denial = deny(
        make_intent(leg(quantity="3")),
        limits=Limits(order_notional_max=D("1E+5")),
        figures=RiskFigures(prices={"USDT": D("0.99999999999")}),
        symbols=SYMBOLS,
    )

    assert denial is not None
    assert str(denial.message) == (
        "The order of BTC/USDT on alpha is worth 149999.9999985; one order may be worth 100000."
    )


def test_every_code_is_a_reason_that_an_opportunity_can_bear():
    assert set(DENIALS) <= set(Reason.values)


@given(intent=intents, limits=all_limits, figures=all_figures)
def test_every_sentence_has_its_figures(intent, limits, figures):
    denial = deny(intent, limits=limits, figures=figures, symbols=SYMBOLS)

    if denial is not None:
        names = {name for _, name, _, _ in Formatter().parse(denial.message.template) if name}
        assert names == set(denial.message.context)
        assert "{" not in str(denial.message)
