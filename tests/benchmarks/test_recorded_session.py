"""The recorded session of Binance: our books are the venue's own, and nothing is worth trading."""

import pytest

from benchmarks.recorded_session import TICKS, Pair, follow
from tests.markets.fakes.recordings import recorded_ticks

LINES = 15_000


@pytest.mark.parametrize("name", TICKS)
def test_the_book_equals_the_venues_own_best_prices_at_every_update_id(name):
    follower = follow(recorded_ticks(name), LINES)

    compared, equal = follower.compare()
    assert compared > 100
    assert equal == compared
    assert follower.keeper.is_current


def test_a_book_that_lost_a_message_is_not_called_equal():
    follower = follow(recorded_ticks("spot_btcusdt_20240808.gz"), LINES)
    number = next(iter(follower.ours.keys() & follower.theirs.keys()))

    follower.ours[number] = None

    compared, equal = follower.compare()
    assert equal == compared - 1


@pytest.mark.parametrize("asset", ["btc", "eth"])
def test_spot_and_perpetual_differ_always_and_are_never_worth_their_fees(asset):
    spot = recorded_ticks(f"spot_{asset}usdt_20240808.gz")
    perpetual = recorded_ticks(f"usdm_{asset}usdt_20240808.gz")

    pair = Pair(f"{asset.upper()}/USDT").run(spot, perpetual, LINES)

    assert pair.looks > 1_000
    assert pair.gross > 0.99 * pair.looks
    assert pair.net == 0
