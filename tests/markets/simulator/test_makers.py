"""Synthetic makers."""

from itertools import pairwise

import pytest

from arbplatform.core.clock import FixedClock
from markets.domain.orders import Side, TimeInForce
from markets.simulator.demo import demo_config
from markets.simulator.exchange.orders import Ticket
from tests.markets.simulator.worlds import KEYS, new_world, two_venues

START_MS = 1_767_225_600_000
PRICES = {"BTC": "50000", "ETH": "2500", "USDT": "1"}
FEES = 0.001


def make_world(clock, **makers):
    config = two_venues(makers={"prices": PRICES, "history_minutes": 0, "flow_every_s": 0} | makers)
    return new_world(config, clock)


def play(world, clock, rounds, step_ms=200):
    for _ in range(rounds):
        clock.advance_ms(step_ms)
        for makers in world.makers.values():
            for _market in makers.rounds(clock.now_ms()):
                pass


def best(world, venue, symbol):
    """Return best bid and ask as floats."""
    listing = world.venues[venue].engine.listings[symbol]
    sides = (listing.book.bids.best(), listing.book.asks.best())
    return tuple(price * float(listing.rules.tick) for price, _ in sides)


def test_the_same_seed_makes_the_same_world(clock):
    def books(seed):
        start = FixedClock(clock.at_ms)
        config = demo_config(seed=seed, keys={code: (code, "s") for code in ("alpha", "beta")})
        world = new_world(config, start)
        play(world, start, 30)
        return [
            listing.book.bids.depth(5) + listing.book.asks.depth(5)
            for venue in world.venues.values()
            for listing in venue.listings.values()
        ]

    assert books(7) == books(7)
    assert books(7) != books(8)


def test_books_have_depth_are_never_crossed_and_stay_near_the_fair_price(clock):
    world = make_world(clock, dislocation_bps=(40, 60), dislocation_every_s=3, levels=7)

    for _ in range(50):
        play(world, clock, 1)
        for venue in world.venues.values():
            for listing in venue.listings.values():
                bids, asks = listing.book.bids.depth(50), listing.book.asks.depth(50)
                assert 5 <= len(bids) <= 7
                assert 5 <= len(asks) <= 7
                assert bids[0][0] < asks[0][0]
        bid, ask = best(world, "alpha", "BTC/USDT")
        assert 49_000 < bid < ask < 51_000


def test_cross_rates_are_consistent_without_dislocations(clock):
    world = make_world(clock, noise_bps=20, noise_half_life_s=1, spread_bps=2)

    for _ in range(100):
        play(world, clock, 1)
        bid, ask = best(world, "alpha", "BTC/USDT")
        cross_bid, cross_ask = best(world, "alpha", "ETH/BTC")
        assert cross_bid * bid < 2_500 * 1.02
        # ETH bought with BTC and ETH's own deviation are the venue's, whatever the noise is
        eth = (cross_bid + cross_ask) / 2 * (bid + ask) / 2
        assert eth == pytest.approx(2_500, rel=0.02)


def test_venue_noise_sets_venues_apart_and_no_noise_keeps_them_together(clock):
    together = make_world(clock, noise_bps=0)
    play(together, clock, 10)
    apart = make_world(clock, noise_bps=20, noise_half_life_s=1)
    play(apart, clock, 10)

    assert best(together, "alpha", "BTC/USDT") == best(together, "beta", "BTC/USDT")
    assert best(apart, "alpha", "BTC/USDT") != best(apart, "beta", "BTC/USDT")


def test_dislocations_come_and_go(clock):
    world = make_world(
        clock,
        noise_bps=0,
        volatility_bps=0,
        dislocation_bps=(50, 50),
        dislocation_every_s=10,
        dislocation_lasts_s=(2, 3),
    )
    quiet = {symbol: best(world, "alpha", symbol) for symbol in ("BTC/USDT", "ETH/BTC")}
    shifted = []
    for _ in range(500):
        play(world, clock, 1)
        shifted.append(any(best(world, "alpha", symbol) != quiet[symbol] for symbol in quiet))

    changes = sum(shifted[index] != shifted[index - 1] for index in range(1, len(shifted)))
    assert 10 <= changes <= 40
    assert 0.1 < sum(shifted) / len(shifted) < 0.5


def test_the_demo_opens_edges_of_both_kinds_soon_and_again_and_again(clock):
    config = demo_config(seed=7, keys={code: (code, "s") for code in ("alpha", "beta", "gamma")})
    world = new_world(config, clock)
    cross, triangular = [], []
    for _ in range(60 * 5):
        play(world, clock, 1)
        prices = {
            code: {symbol: best(world, code, symbol) for symbol in venue.engine.listings}
            for code, venue in world.venues.items()
        }
        cross.append(_best_cross_edge(prices) > 0.0005)
        triangular.append(max(_best_triangle(tops) for tops in prices.values()) > 0)

    assert any(cross[: 15 * 5])
    assert any(triangular[: 15 * 5])
    assert 0.2 < sum(cross) / len(cross) < 0.95
    assert 0.2 < sum(triangular) / len(triangular) < 0.95


def _best_cross_edge(prices):
    return max(
        sell[symbol][0] * (1 - FEES) / (buy[symbol][1] / (1 - FEES)) - 1
        for buy in prices.values()
        for sell in prices.values()
        for symbol in buy
    )


def _best_triangle(tops):
    edges = []
    for asset in ("ETH", "SOL"):
        btc, cross, own = tops["BTC/USDT"], tops[f"{asset}/BTC"], tops[f"{asset}/USDT"]
        edges.append(1 / btc[1] / cross[1] * own[0] * (1 - FEES) ** 3 - 1)
        edges.append(1 / own[1] * cross[0] * btc[0] * (1 - FEES) ** 3 - 1)
    return max(edges)


def test_what_is_taken_comes_back_slowly(clock):
    world = make_world(clock, noise_bps=0, volatility_bps=0, levels=1)
    venue = world.venues["alpha"]
    listing = venue.engine.listings["BTC/USDT"]
    price, before = listing.book.asks.best()
    ticket = Ticket(
        Side.BUY,
        before * listing.rules.lot,
        price * listing.rules.tick,
        time_in_force=TimeInForce.IOC,
    )
    venue.place(venue.engine.accounts["ours"], listing, ticket)
    assert listing.book.asks.best() is None

    totals = []
    for _ in range(60):
        play(world, clock, 1)
        top = listing.book.asks.best()
        totals.append(top[1] if top else 0)

    assert totals[0] < before * 0.5
    assert totals[-1] > before * 0.7


def test_anonymous_takers_make_prints(clock):
    world = make_world(clock, flow_every_s=1)

    play(world, clock, 50)

    tape = world.venues["alpha"].tapes["BTCUSDT"]
    assert 5 <= len(tape.trades) <= 20
    assert world.venues["alpha"].engine.total_of("USDT") == 100_000 * 2


def test_the_past_is_invented_up_to_the_present_price(clock):
    world = make_world(clock, history_minutes=100)

    candles = world.venues["alpha"].tapes["BTCUSDT"].candles("1m", clock.now_ms())

    assert len(candles) == 101
    assert candles[-2].close == pytest.approx(500_000, rel=0.01)
    for earlier, later in pairwise(candles[:-1]):
        assert earlier.low <= min(earlier.open, earlier.close)
        assert earlier.high >= max(earlier.open, earlier.close)
        assert later.open == earlier.close


def test_a_venue_without_makers_has_none():
    config = two_venues()
    config["venues"][0]["makers"] = {"prices": PRICES}

    world = new_world(config, FixedClock(START_MS))

    assert list(world.makers) == ["alpha"]
    assert set(KEYS) == set(world.venues)
