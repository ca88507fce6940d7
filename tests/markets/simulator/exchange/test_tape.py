"""Candles and the last day's figures."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets.simulator.exchange.accounts import Account
from markets.simulator.exchange.listing import Listing, ListingRules
from markets.simulator.exchange.orders import Order, Trade
from markets.simulator.exchange.tape import (
    DAY_MS,
    INTERVALS_MS,
    MINUTE_MS,
    MINUTES_KEPT_MAX,
    TRADES_KEPT_MAX,
    Candle,
    Tape,
    open_of,
)

START_MS = 1_767_225_600_000  # Thursday 2026-01-01 00:00 UTC
LISTING = Listing(
    ListingRules(
        symbol="BTC/USDT",
        tick=Decimal("0.01"),
        lot=Decimal("0.001"),
        quantity_min=Decimal("0.001"),
        quantity_max=Decimal(100),
        notional_min=Decimal(0),
        maker_fee=Decimal(0),
        taker_fee=Decimal(0),
    )
)
OWNER = Account("ann", ["BTC", "USDT"])


def trade(number, at_ms, price, quantity=1, *, is_buy=True):
    orders = [
        Order(number, OWNER, LISTING, side, price, 1, 0, 0, 0) for side in (not is_buy, is_buy)
    ]
    return Trade(number, orders[0], orders[1], price, quantity, price * quantity, at_ms)


def test_a_candle_sums_up_its_trades():
    tape = Tape()
    tape.record(
        [
            trade(1, START_MS, 100, 2),
            trade(2, START_MS + 59_999, 90, 3, is_buy=False),
            trade(3, START_MS + 60_000, 95),
        ]
    )

    first, second = tape.candles("1m", START_MS + 60_000)

    assert first == Candle(
        START_MS,
        open=100,
        high=100,
        low=90,
        close=90,
        volume=5,
        cost=470,
        trades=2,
        taker_volume=2,
        taker_cost=200,
        first_id=1,
        last_id=2,
    )
    assert (second.opened_ms, second.open, second.trades) == (START_MS + 60_000, 95, 1)


def test_minutes_without_trades_are_flat_at_the_last_close():
    tape = Tape()
    tape.record([trade(1, START_MS, 100), trade(2, START_MS + 3 * MINUTE_MS, 120)])

    candles = tape.candles("1m", START_MS + 5 * MINUTE_MS)

    assert [candle.close for candle in candles] == [100, 100, 100, 120, 120, 120]
    assert [candle.trades for candle in candles] == [1, 0, 0, 1, 0, 0]
    assert [candle.opened_ms - START_MS for candle in candles] == [
        index * MINUTE_MS for index in range(6)
    ]


def test_nothing_was_traded_yet():
    tape = Tape()

    assert tape.candles("1h", START_MS) == []
    assert tape.current("1m", START_MS) is None
    assert tape.day(START_MS) is None
    assert tape.last_price() == 0


def test_the_present_candle_is_flat_when_its_time_has_seen_no_trade():
    tape = Tape()
    tape.record([trade(1, START_MS, 100), trade(2, START_MS + 1_000, 110)])

    traded = tape.current("1m", START_MS + 30_000)
    later = tape.current("1m", START_MS + MINUTE_MS)

    assert traded is not None
    assert later is not None
    assert (traded.open, traded.close, traded.trades) == (100, 110, 2)
    assert later == Candle(START_MS + MINUTE_MS, 110, 110, 110, 110)


def test_the_last_day_forgets_what_is_older_and_is_made_twice_a_second_at_most():
    tape = Tape()
    tape.record([trade(1, START_MS, 100), trade(2, START_MS + DAY_MS, 200)])
    now_ms = START_MS + DAY_MS + MINUTE_MS

    day = tape.day(now_ms)
    tape.record([trade(3, now_ms, 300)])
    soon, later = tape.day(now_ms + 499), tape.day(now_ms + 500)

    assert day is not None
    assert later is not None
    assert (day.open, day.trades) == (200, 1)
    assert soon is day
    assert (later.close, later.trades) == (300, 2)


def test_a_day_without_trades_is_flat():
    tape = Tape()
    tape.record([trade(1, START_MS, 100)])

    day = tape.day(START_MS + 3 * DAY_MS)

    assert day is not None
    assert (day.open, day.close, day.trades) == (100, 100, 0)


@pytest.mark.parametrize(
    ("interval", "moment", "opened"),
    [
        ("1m", START_MS + 61_000, START_MS + 60_000),
        ("1d", START_MS + DAY_MS - 1, START_MS),
        ("1w", START_MS, START_MS - 3 * DAY_MS),  # Monday 2025-12-29
        ("1M", START_MS + 20 * DAY_MS, START_MS),
        ("1M", START_MS - 1, START_MS - 31 * DAY_MS),
    ],
)
def test_candles_open_on_the_calendars_grid(interval, moment, opened):
    assert open_of(interval, moment) == opened


def test_the_tape_is_bounded():
    tape = Tape()
    tape.record(trade(number, START_MS, 100) for number in range(TRADES_KEPT_MAX + 5))

    assert [tape.trades[0].id, tape.trades[-1].id] == [5, TRADES_KEPT_MAX + 4]


def test_invented_minutes_stand_before_the_first_trade():
    tape = Tape()
    past = [Candle(START_MS - age * MINUTE_MS, 90, 95, 85, 92, volume=1) for age in (2, 1)]
    tape.begin_with(past)
    tape.record([trade(1, START_MS, 100)])

    assert [candle.close for candle in tape.candles("1m", START_MS)] == [92, 92, 100]


def test_invented_minutes_are_part_of_the_hour_that_is_traded_in():
    tape = Tape()
    past = [Candle(START_MS + minute * MINUTE_MS, 90, 95, 85, 92, volume=1) for minute in (58, 61)]
    tape.begin_with(past)
    tape.record([trade(1, START_MS + 62 * MINUTE_MS, 100)])

    first, second = tape.candles("1h", START_MS + 62 * MINUTE_MS)

    assert (first.opened_ms, first.close, first.volume) == (START_MS, 92, 1)
    assert (second.open, second.high, second.low, second.close) == (90, 100, 85, 100)
    assert (second.volume, second.trades) == (2, 1)


def test_hours_reach_back_further_than_minutes():
    minutes = MINUTES_KEPT_MAX + 90
    tape = Tape()
    tape.record(trade(number, START_MS + number * MINUTE_MS, 100) for number in range(minutes))
    now_ms = START_MS + (minutes - 1) * MINUTE_MS

    assert len(tape.candles("1m", now_ms)) == MINUTES_KEPT_MAX
    assert [tape.candles("1m", now_ms)[0].opened_ms, tape.candles("1h", now_ms)[0].opened_ms] == [
        START_MS + 90 * MINUTE_MS,
        START_MS,
    ]
    assert sum(candle.trades for candle in tape.candles("1d", now_ms)) == minutes


ticks = st.lists(
    st.tuples(st.integers(0, 90_000), st.integers(1, 1000), st.integers(1, 50)), min_size=1
)


@given(found=ticks, interval=st.sampled_from(["3m", "15m", "1h", "4h"]))
def test_wider_candles_are_what_a_brute_force_grouping_says(found, interval):
    rows = sorted((START_MS + at_s * 1_000, price, quantity) for at_s, price, quantity in found)
    tape = Tape()
    tape.record(trade(number, *row) for number, row in enumerate(rows))
    groups: dict[int, list[tuple[int, int, int]]] = {}
    for row in rows:
        groups.setdefault(row[0] - row[0] % INTERVALS_MS[interval], []).append(row)

    made = {candle.opened_ms: candle for candle in tape.candles(interval, rows[-1][0])}

    assert {opened for opened, candle in made.items() if candle.trades} == set(groups)
    for opened, group in groups.items():
        candle = made[opened]
        prices = [price for _, price, _ in group]
        assert (candle.open, candle.close) == (prices[0], prices[-1])
        assert (candle.high, candle.low) == (max(prices), min(prices))
        assert candle.volume == sum(quantity for _, _, quantity in group)
        assert candle.cost == sum(price * quantity for _, price, quantity in group)
