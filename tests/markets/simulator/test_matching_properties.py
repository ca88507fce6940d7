"""The engine against a brute-force exchange, and what must hold whatever happens."""

from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markets.domain.orders import OrderKind, Side, TimeInForce
from markets.simulator.exchange.listing import ListingRules
from markets.simulator.exchange.orders import LIVE_STATUSES, Order, OrderRefused, Refusal, Ticket
from markets.simulator.exchange.units import from_units
from markets.simulator.matching import MatchingEngine
from tests.markets.simulator.naive_exchange import NaiveExchange, NaiveOrder, Refused

OWNERS = ("ann", "ben", "cleo")
SYMBOL = "BASE/QUOTE"
ASSETS = ("BASE", "QUOTE")
FUNDS = {"BASE": Decimal("0.7"), "QUOTE": Decimal(6)}
REFUSALS = {
    "notional": Refusal.NOTIONAL,
    "balance": Refusal.INSUFFICIENT_BALANCE,
    "would take": Refusal.WOULD_TAKE,
    "no liquidity": Refusal.NO_LIQUIDITY,
}


@dataclass(frozen=True)
class Place:
    owner: str
    side: str
    kind: str
    price: Decimal
    quantity: Decimal


@dataclass(frozen=True)
class Cancel:
    index: int


places = st.builds(
    Place,
    owner=st.sampled_from(OWNERS),
    side=st.sampled_from(["buy", "sell"]),
    kind=st.sampled_from(["gtc", "gtc", "gtc", "gtc", "ioc", "fok", "fok", "post_only", "market"]),
    price=st.one_of(st.integers(9_900, 10_100), st.integers(4_000, 20_000)).map(
        lambda ticks: ticks * Decimal("0.001")
    ),
    quantity=st.integers(1, 120).map(lambda lots: lots * Decimal("0.0007")),
)
scripts = st.lists(
    st.one_of(places, places, places, st.builds(Cancel, st.integers(0, 30))), max_size=40
)
fees = st.sampled_from(["0", "0.001", "0.00075", "0.01"]).map(Decimal)


def make_engine(maker_fee, taker_fee):
    rules = ListingRules(
        symbol=SYMBOL,
        tick=Decimal("0.001"),
        lot=Decimal("0.0007"),
        quantity_min=Decimal("0.0007"),
        quantity_max=Decimal(1000),
        notional_min=Decimal("0.05"),
        maker_fee=maker_fee,
        taker_fee=taker_fee,
    )
    engine = MatchingEngine(ASSETS, [rules])
    for owner in OWNERS:
        engine.open_account(owner)
        for asset, amount in FUNDS.items():
            engine.deposit(owner, asset, amount)
    return engine


def make_naive(maker_fee, taker_fee):
    naive = NaiveExchange(
        tick=Decimal("0.001"),
        lot=Decimal("0.0007"),
        notional_min=Decimal("0.05"),
        maker_fee=maker_fee,
        taker_fee=taker_fee,
    )
    naive.totals = {(owner, asset): FUNDS[asset] for owner in OWNERS for asset in ASSETS}
    return naive


def ticket_of(step):
    is_market = step.kind == "market"
    return Ticket(
        side=Side(step.side),
        quantity=step.quantity,
        price=None if is_market else step.price,
        kind=OrderKind.MARKET if is_market else OrderKind.LIMIT,
        time_in_force=TimeInForce.GTC if is_market else TimeInForce(step.kind),
    )


def play(script, maker_fee, taker_fee):
    """Play a script on both exchanges, comparing every answer; return both and the orders."""
    engine, naive = make_engine(maker_fee, taker_fee), make_naive(maker_fee, taker_fee)
    pairs: list[tuple[Order, NaiveOrder]] = []
    for step in script:
        if isinstance(step, Cancel):
            if pairs:
                order, shadow = pairs[step.index % len(pairs)]
                assert engine.cancel(order, 0) == naive.cancel(shadow)
            continue
        try:
            shadow = naive.place(step.owner, step.side, step.kind, step.price, step.quantity)
        except Refused as refusal:
            expect_refusal(engine, step, REFUSALS[str(refusal)])
            continue
        outcome = engine.submit(step.owner, SYMBOL, ticket_of(step), 0)
        pairs.append((outcome.order, shadow))
    return engine, naive, pairs


def expect_refusal(engine, step, reason):
    with pytest.raises(OrderRefused) as raised:
        engine.submit(step.owner, SYMBOL, ticket_of(step), 0)
    assert raised.value.reason is reason


@given(script=scripts, maker_fee=fees, taker_fee=fees)
@settings(max_examples=300, deadline=None)
def test_every_order_ends_as_on_the_brute_force_exchange(script, maker_fee, taker_fee):
    engine, naive, pairs = play(script, maker_fee, taker_fee)

    lot = Decimal("0.0007")
    for order, shadow in pairs:
        assert order.status.value == shadow.status
        assert order.remaining * lot == shadow.left
        assert from_units(order.cost) == shadow.cost
    for owner in OWNERS:
        for asset in ASSETS:
            assert engine.free_of(owner, asset) == naive.free(owner, asset)
            assert engine.held_of(owner, asset) == naive.held(owner, asset)
    for asset in ASSETS:
        assert from_units(engine.fees[asset]) == naive.fees[asset]


@given(script=scripts, maker_fee=fees, taker_fee=fees)
@settings(max_examples=200, deadline=None)
def test_nothing_is_created_or_lost_and_nobody_owes_anything(script, maker_fee, taker_fee):
    engine, _, _ = play(script, maker_fee, taker_fee)

    for asset in ASSETS:
        assert engine.total_of(asset) == FUNDS[asset] * len(OWNERS)
        for owner in OWNERS:
            assert engine.free_of(owner, asset) >= 0
            assert engine.held_of(owner, asset) >= 0


@given(script=scripts)
@settings(max_examples=200, deadline=None)
def test_what_is_held_is_what_open_orders_could_spend(script):
    engine, _, pairs = play(script, Decimal(0), Decimal("0.001"))

    for owner in OWNERS:
        held = dict.fromkeys(ASSETS, 0)
        for order, _ in pairs:
            if order.account.label == owner and order.status in LIVE_STATUSES:
                held["QUOTE" if order.is_buy else "BASE"] += order.held
        assert held == engine.accounts[owner].held


@given(script=scripts)
@settings(max_examples=200, deadline=None)
def test_the_book_is_sorted_never_crossed_and_adds_up(script):
    engine, naive, _ = play(script, Decimal(0), Decimal(0))

    book = engine.listings[SYMBOL].book
    bids, asks = book.bids.depth(1000), book.asks.depth(1000)
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert not (bids and asks) or bids[0][0] < asks[0][0]
    for side, levels in (("buy", bids), ("sell", asks)):
        wanted: dict[Decimal, Decimal] = {}
        for order in naive.resting:
            if order.side == side:
                wanted[order.price] = wanted.get(order.price, Decimal(0)) + order.left
        tick, lot = Decimal("0.001"), Decimal("0.0007")
        assert {price * tick: lots * lot for price, lots in levels} == wanted


@given(script=scripts)
@settings(max_examples=100, deadline=None)
def test_trades_happen_in_price_time_priority(script):
    engine, naive = make_engine(Decimal(0), Decimal(0)), make_naive(Decimal(0), Decimal(0))
    number_of = {}
    seen = []
    for step in script:
        if isinstance(step, Cancel):
            continue
        try:
            shadow = naive.place(step.owner, step.side, step.kind, step.price, step.quantity)
        except Refused:
            continue
        outcome = engine.submit(step.owner, SYMBOL, ticket_of(step), 0)
        number_of[outcome.order.id] = shadow.number
        seen += [
            (
                number_of[trade.maker.id],
                number_of[trade.taker.id],
                trade.price * Decimal("0.001"),
                trade.quantity * Decimal("0.0007"),
            )
            for trade in outcome.trades
        ]

    assert seen == naive.trades


levels = st.dictionaries(st.integers(9_900, 9_990), st.integers(1, 50), max_size=6)


@given(script=st.lists(st.one_of(places, st.tuples(levels, levels)), max_size=30))
@settings(max_examples=200, deadline=None)
def test_the_house_quotes_from_nothing_and_still_nothing_is_lost(script):
    engine = make_engine(Decimal("0.001"), Decimal("0.001"))
    listing = engine.listings[SYMBOL]
    for step in script:
        if isinstance(step, Place):
            try:
                engine.submit(step.owner, SYMBOL, ticket_of(step), 0)
            except OrderRefused:
                continue
        else:
            bids, asks = step
            engine.quote(listing, bids, {price + 100: lots for price, lots in asks.items()}, 0)

        bids, asks = listing.book.bids, listing.book.asks
        assert not (bids.keys and asks.keys) or bids.keys[-1] < -asks.keys[-1]
        for asset in ASSETS:
            assert engine.total_of(asset) == FUNDS[asset] * len(OWNERS)
            assert all(engine.free_of(owner, asset) >= 0 for owner in OWNERS)
            assert all(engine.held_of(owner, asset) >= 0 for owner in OWNERS)
