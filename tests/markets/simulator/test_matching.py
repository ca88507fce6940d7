"""The matching engine, example by example."""

from dataclasses import replace
from decimal import Decimal

import pytest

from markets.domain.orders import OrderKind, Side, TimeInForce
from markets.simulator.exchange import accounts
from markets.simulator.exchange.listing import OPEN_ORDERS_MAX, Listing, ListingRules
from markets.simulator.exchange.orders import (
    Execution,
    Order,
    OrderRefused,
    OrderStatus,
    Refusal,
    SelfTrade,
    Ticket,
)
from markets.simulator.exchange.units import UNITS_PER_ONE
from markets.simulator.matching import MatchingEngine

SYMBOL = "BTC/USDT"


@pytest.fixture
def engine():
    """BTC/USDT with 0.1 % maker and 0.2 % taker fee; ann and ben have 10 BTC and 100,000 USDT."""
    rules = ListingRules(
        symbol=SYMBOL,
        tick=Decimal("0.01"),
        lot=Decimal("0.001"),
        quantity_min=Decimal("0.002"),
        quantity_max=Decimal(100),
        notional_min=Decimal(10),
        maker_fee=Decimal("0.001"),
        taker_fee=Decimal("0.002"),
    )
    made = MatchingEngine(["BTC", "USDT"], [rules])
    for owner in ("ann", "ben"):
        made.open_account(owner)
        made.deposit(owner, "BTC", Decimal(10))
        made.deposit(owner, "USDT", Decimal(100_000))
    return made


def send(engine, owner, side, quantity, *how, **more):
    """Send an order; ``how`` is its price, if it has one, and its time in force."""
    price, tif = (*how, None, TimeInForce.GTC)[:2] if len(how) != 1 else (how[0], TimeInForce.GTC)
    ticket = Ticket(
        side=Side(side),
        quantity=None if quantity is None else Decimal(quantity),
        price=None if price is None else Decimal(price),
        kind=OrderKind.LIMIT if price is not None else OrderKind.MARKET,
        time_in_force=tif,
        **more,
    )
    return engine.submit(owner, SYMBOL, ticket, 1_000)


def funds(engine, owner):
    return {
        asset: (engine.free_of(owner, asset), engine.held_of(owner, asset))
        for asset in ("BTC", "USDT")
    }


def test_a_resting_order_holds_what_it_could_spend(engine):
    send(engine, "ann", "buy", "0.5", "10000")
    send(engine, "ann", "sell", "0.25", "12000")

    assert funds(engine, "ann") == {
        "BTC": (Decimal("9.75"), Decimal("0.25")),
        "USDT": (Decimal(95_000), Decimal(5_000)),
    }


def test_a_trade_happens_at_the_resting_price_and_fees_are_taken_from_what_is_received(engine):
    send(engine, "ann", "sell", "1", "10000")

    outcome = send(engine, "ben", "buy", "1", "10100")

    assert outcome.order.status is OrderStatus.FILLED
    [trade] = outcome.trades
    assert (trade.price, trade.quantity) == (1_000_000, 1_000)
    maker, taker = sorted(outcome.executions, key=lambda execution: not execution.is_maker)
    assert (maker.fee_asset, taker.fee_asset) == ("USDT", "BTC")
    assert funds(engine, "ann") == {
        "BTC": (Decimal(9), Decimal(0)),
        "USDT": (Decimal(109_990), Decimal(0)),  # 10,000 less 0.1 % as maker
    }
    assert funds(engine, "ben") == {
        "BTC": (Decimal("10.998"), Decimal(0)),  # 1 less 0.2 % as taker
        "USDT": (Decimal(90_000), Decimal(0)),
    }


def test_a_fee_is_rounded_up_to_eight_places(engine):
    send(engine, "ann", "sell", "0.007", "1428.58")

    send(engine, "ben", "buy", "0.007", "1428.58")

    # 0.007 x 1428.58 = 10.00006 USDT; 0.1 % of that is 0.01000006 exactly
    assert engine.free_of("ann", "USDT") == Decimal(100000) + Decimal("10.00006") - Decimal(
        "0.01000006"
    )
    # 0.2 % of 0.007 BTC is 0.000014 exactly
    assert engine.free_of("ben", "BTC") == Decimal("10.006986")


def test_the_first_order_at_a_price_trades_first(engine):
    first = send(engine, "ann", "sell", "1", "10000").order
    second = send(engine, "ann", "sell", "1", "10000").order
    better = send(engine, "ann", "sell", "1", "9999.99").order

    send(engine, "ben", "buy", "1.5", "10000")

    assert [better.remaining, first.remaining, second.remaining] == [0, 500, 1_000]


def test_an_ioc_order_trades_what_it_can_and_never_rests(engine):
    send(engine, "ann", "sell", "0.4", "10000")

    outcome = send(engine, "ben", "buy", "1", "10000", TimeInForce.IOC)

    assert outcome.order.status is OrderStatus.EXPIRED
    assert outcome.order.executed == 400
    assert engine.held_of("ben", "USDT") == 0
    assert engine.listings[SYMBOL].book.bids.best() is None


def test_a_fok_order_that_does_not_fit_trades_nothing(engine):
    send(engine, "ann", "sell", "0.4", "10000")

    outcome = send(engine, "ben", "buy", "0.5", "10000", TimeInForce.FOK)

    assert (outcome.order.status, outcome.order.executed) == (OrderStatus.EXPIRED, 0)
    assert outcome.trades == []
    assert engine.free_of("ben", "USDT") == 100_000


def test_a_fok_order_that_fits_is_filled_over_several_levels(engine):
    send(engine, "ann", "sell", "0.4", "10000")
    send(engine, "ann", "sell", "0.4", "10001")

    outcome = send(engine, "ben", "buy", "0.6", "10001", TimeInForce.FOK)

    assert outcome.order.status is OrderStatus.FILLED
    assert [trade.price for trade in outcome.trades] == [1_000_000, 1_000_100]


def test_a_fok_order_does_not_count_what_is_beyond_its_limit(engine):
    send(engine, "ann", "sell", "0.4", "10000")
    send(engine, "ann", "sell", "0.4", "10001")

    outcome = send(engine, "ben", "buy", "0.6", "10000", TimeInForce.FOK)

    assert (outcome.order.status, outcome.trades) == (OrderStatus.EXPIRED, [])


def test_a_post_only_order_that_would_trade_is_refused(engine):
    send(engine, "ann", "sell", "1", "10000")

    with pytest.raises(OrderRefused) as refused:
        send(engine, "ben", "buy", "1", "10000", TimeInForce.POST_ONLY)

    assert refused.value.reason is Refusal.WOULD_TAKE
    assert engine.accounts["ben"].orders == {}
    rested = send(engine, "ben", "buy", "1", "9999.99", TimeInForce.POST_ONLY)
    assert rested.order.status is OrderStatus.NEW


def test_a_market_order_by_quote_amount_spends_whole_lots_only(engine):
    send(engine, "ann", "sell", "1", "10000")

    outcome = send(engine, "ben", "buy", None, quote_quantity=Decimal("105.5"))

    assert outcome.order.status is OrderStatus.FILLED
    assert outcome.order.quantity == 10  # 0.010 BTC for 100; 5.50 is less than a lot's 10
    assert engine.free_of("ben", "USDT") == Decimal(99_900)


def test_a_market_sale_by_quote_amount_brings_in_no_more_than_asked(engine):
    send(engine, "ann", "buy", "1", "10000")

    outcome = send(engine, "ben", "sell", None, quote_quantity=Decimal("105.5"))

    assert outcome.order.quantity == 10
    assert engine.free_of("ben", "BTC") == Decimal("9.99")


def test_a_market_order_ends_where_the_book_ends(engine):
    send(engine, "ann", "sell", "0.4", "10000")

    outcome = send(engine, "ben", "buy", "1")

    assert (outcome.order.status, outcome.order.executed) == (OrderStatus.EXPIRED, 400)


def test_a_market_order_needs_someone_on_the_other_side(engine):
    with pytest.raises(OrderRefused) as refused:
        send(engine, "ben", "buy", "1")

    assert refused.value.reason is Refusal.NO_LIQUIDITY


def test_the_resting_order_of_the_same_account_expires_by_default(engine):
    resting = send(engine, "ann", "sell", "1", "10000").order
    send(engine, "ben", "sell", "1", "10000")

    outcome = send(engine, "ann", "buy", "1", "10000")

    assert resting.status is OrderStatus.EXPIRED_IN_MATCH
    assert outcome.expired == [resting]
    assert outcome.order.status is OrderStatus.FILLED
    assert [trade.maker.account.label for trade in outcome.trades] == ["ben"]
    assert engine.held_of("ann", "BTC") == 0


def test_a_market_order_is_priced_without_the_own_orders_that_it_would_make_expire(engine):
    send(engine, "ann", "buy", "9", "10000")  # 10,000 USDT stay free
    send(engine, "ann", "sell", "1", "10000.01")
    send(engine, "ben", "sell", "1", "20000")

    with pytest.raises(OrderRefused) as refused:
        send(engine, "ann", "buy", "1")

    assert refused.value.reason is Refusal.INSUFFICIENT_BALANCE
    assert send(engine, "ann", "buy", "0.5").order.cost == 10_000 * UNITS_PER_ONE
    assert engine.free_of("ann", "USDT") == 0


def test_a_market_order_that_would_meet_only_its_own_account_is_refused(engine):
    resting = send(engine, "ann", "sell", "1", "10000").order

    with pytest.raises(OrderRefused) as refused:
        send(engine, "ann", "buy", "0.5")

    assert refused.value.reason is Refusal.NO_LIQUIDITY
    assert resting.status is OrderStatus.NEW


@pytest.mark.parametrize(
    ("rule", "executed"),
    [
        (SelfTrade.EXPIRE_MAKER, 1_000),
        (SelfTrade.EXPIRE_TAKER, 0),
        (SelfTrade.EXPIRE_BOTH, 0),
        (SelfTrade.NONE, 1_000),
    ],
)
def test_a_fok_order_counts_own_orders_as_its_self_trade_rule_says(engine, rule, executed):
    send(engine, "ben", "sell", "0.5", "9999")
    send(engine, "ann", "sell", "0.5", "10000")
    send(engine, "ben", "sell", "0.5", "10001")

    order = send(engine, "ann", "buy", "1", "10001", TimeInForce.FOK, self_trade=rule).order

    assert order.executed == executed


@pytest.mark.parametrize(
    ("rule", "maker_status", "taker_status"),
    [
        (SelfTrade.EXPIRE_TAKER, OrderStatus.NEW, OrderStatus.EXPIRED_IN_MATCH),
        (SelfTrade.EXPIRE_BOTH, OrderStatus.EXPIRED_IN_MATCH, OrderStatus.EXPIRED_IN_MATCH),
        (SelfTrade.NONE, OrderStatus.FILLED, OrderStatus.FILLED),
    ],
)
def test_the_other_self_trade_rules_do_what_they_say(engine, rule, maker_status, taker_status):
    resting = send(engine, "ann", "sell", "1", "10000").order

    outcome = send(engine, "ann", "buy", "1", "10000", self_trade=rule)

    assert (resting.status, outcome.order.status) == (maker_status, taker_status)
    assert engine.total_of("BTC") == 20
    assert engine.total_of("USDT") == 200_000


def test_a_cancelled_order_gives_back_what_it_held_and_cannot_be_cancelled_twice(engine):
    order = send(engine, "ann", "buy", "1", "10000").order

    assert engine.cancel(order, 2_000) is True
    assert engine.cancel(order, 3_000) is False

    assert (order.status, order.updated_ms) == (OrderStatus.CANCELED, 2_000)
    assert funds(engine, "ann")["USDT"] == (Decimal(100_000), Decimal(0))
    assert engine.listings[SYMBOL].book.bids.best() is None


@pytest.mark.parametrize(
    ("quantity", "price", "reason"),
    [
        ("0.5", "10000.001", Refusal.PRICE_FILTER),
        ("0.5", "0", Refusal.PRICE_FILTER),
        ("0.5001", "10000", Refusal.LOT_SIZE),
        ("0.001", "10000", Refusal.LOT_SIZE),
        ("100.001", "10000", Refusal.LOT_SIZE),
        ("0", "10000", Refusal.LOT_SIZE),
        ("0.002", "4999.99", Refusal.NOTIONAL),
        ("10", "10000.01", Refusal.INSUFFICIENT_BALANCE),
        ("1e30", "10000", Refusal.LOT_SIZE),
    ],
)
def test_an_order_that_breaks_a_rule_is_refused_and_changes_nothing(
    engine, quantity, price, reason
):
    before = funds(engine, "ann")

    with pytest.raises(OrderRefused) as refused:
        send(engine, "ann", "buy", quantity, price)

    assert refused.value.reason is reason
    assert funds(engine, "ann") == before
    assert engine.accounts["ann"].orders == {}


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_market_order_beyond_the_funds_is_refused(engine, side):
    send(engine, "ann", "sell", "10", "20000")
    send(engine, "ann", "buy", "9", "10000")

    with pytest.raises(OrderRefused) as refused:
        send(engine, "ben", side, "10.001")

    assert refused.value.reason is Refusal.INSUFFICIENT_BALANCE


def test_a_market_order_that_is_too_small_is_refused(engine):
    send(engine, "ann", "sell", "1", "1000")

    with pytest.raises(OrderRefused) as by_quantity:
        send(engine, "ben", "buy", "0.002")
    with pytest.raises(OrderRefused) as by_quote:
        send(engine, "ben", "buy", None, quote_quantity=Decimal("0.5"))

    assert by_quantity.value.reason is Refusal.NOTIONAL
    assert by_quote.value.reason is Refusal.LOT_SIZE


def test_a_client_id_is_refused_for_ever_even_after_its_order_ended(engine):
    order = send(engine, "ann", "buy", "1", "10000", client_id="mine").order
    engine.cancel(order, 0)

    with pytest.raises(OrderRefused) as refused:
        send(engine, "ann", "buy", "1", "10000", client_id="mine")

    assert refused.value.reason is Refusal.DUPLICATE_CLIENT_ID
    assert send(engine, "ben", "buy", "1", "10000", client_id="mine").order.id == order.id + 1


def test_open_orders_are_limited_for_each_account(engine):
    for _ in range(OPEN_ORDERS_MAX):
        send(engine, "ann", "buy", "0.002", "5000")

    with pytest.raises(OrderRefused) as refused:
        send(engine, "ann", "buy", "0.002", "5000")

    assert refused.value.reason is Refusal.MAX_NUM_ORDERS
    assert send(engine, "ann", "buy", "0.002", "5000", TimeInForce.IOC).order.executed == 0
    assert send(engine, "ben", "buy", "0.002", "5000").order.status is OrderStatus.NEW


def test_the_house_keeps_unchanged_levels_and_replaces_changed_ones(engine):
    listing = engine.listings[SYMBOL]
    engine.quote(listing, {999_900: 500}, {1_000_100: 500, 1_000_200: 500}, 0)
    kept = listing.house[1][1_000_100]

    engine.quote(listing, {999_800: 700}, {1_000_100: 500, 1_000_200: 600}, 0)

    assert listing.house[1][1_000_100] is kept
    assert listing.book.bids.depth(5) == [(999_800, 700)]
    assert listing.book.asks.depth(5) == [(1_000_100, 500), (1_000_200, 600)]


def test_a_house_quote_that_crosses_a_customers_order_trades_at_the_customers_price(engine):
    listing = engine.listings[SYMBOL]
    order = send(engine, "ann", "buy", "1", "10000").order

    outcome = engine.quote(listing, {}, {990_000: 400}, 5)

    assert (order.status, order.remaining) == (OrderStatus.PARTIALLY_FILLED, 600)
    [execution] = outcome.executions
    assert (execution.is_maker, execution.price) == (True, 1_000_000)
    assert listing.book.asks.best() is None


def test_ended_orders_beyond_the_bound_are_forgotten_and_live_ones_never(engine, monkeypatch):
    monkeypatch.setattr(accounts, "ORDERS_KEPT_MAX", 3)
    live = send(engine, "ann", "buy", "0.002", "5000", client_id="live").order
    ended = [
        send(engine, "ann", "buy", "0.002", "5000", TimeInForce.IOC, client_id=f"c{index}").order
        for index in range(6)
    ]

    account = engine.accounts["ann"]
    assert account.orders[live.id] is live
    assert account.by_client_id["live"] is live
    assert len(account.orders) <= 4
    assert ended[0].id not in account.orders
    assert "c0" not in account.by_client_id
    with pytest.raises(OrderRefused):
        send(engine, "ann", "buy", "0.002", "5000", client_id="c0")


def test_old_executions_are_forgotten_beyond_the_bound(engine, monkeypatch):
    monkeypatch.setattr(accounts, "TRADES_KEPT_MAX", 4)
    send(engine, "ann", "sell", "1", "10000")
    for _ in range(6):
        send(engine, "ben", "buy", "0.002", "10000", TimeInForce.IOC)

    kept = engine.accounts["ben"].trades["BTCUSDT"]
    assert [execution.id for execution in kept] == [3, 4, 5, 6]


def test_what_is_kept_of_trades_is_bounded_over_all_markets_together(engine, monkeypatch):
    monkeypatch.setattr(accounts, "TRADES_KEPT_MAX", 4)
    account = engine.accounts["ben"]
    other = Listing(replace(engine.listings[SYMBOL].rules, symbol="ETH/USDT"))
    for number in range(1, 6):
        listing = other if number % 2 else engine.listings[SYMBOL]
        order = Order(number, account, listing, True, 1, 1, 0, 0, 0)
        account.remember_execution(Execution(number, order, 1, 1, 1, 0, False, 0))

    kept = {market: [one.id for one in trades] for market, trades in account.trades.items()}
    assert kept == {"ETHUSDT": [3, 5], "BTCUSDT": [4]}
    assert account.trade_count == 3


def test_old_client_ids_are_forgotten_beyond_the_bound(engine, monkeypatch):
    monkeypatch.setattr(accounts, "CLIENT_IDS_KEPT_MAX", 2)
    for name in ("a", "b", "c"):
        send(engine, "ann", "buy", "0.002", "5000", TimeInForce.IOC, client_id=name)

    assert list(engine.accounts["ann"].client_ids) == ["b", "c"]


def test_a_market_finer_than_the_units_is_refused():
    rules = ListingRules(
        symbol=SYMBOL,
        tick=Decimal("1e-10"),
        lot=Decimal("1e-10"),
        quantity_min=Decimal("1e-10"),
        quantity_max=Decimal(1),
        notional_min=Decimal(0),
        maker_fee=Decimal(0),
        taker_fee=Decimal(0),
    )

    with pytest.raises(ValueError, match="finer than 18 decimal places"):
        MatchingEngine(["BTC", "USDT"], [rules])
