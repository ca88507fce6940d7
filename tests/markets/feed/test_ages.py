"""Ages are told by a clock that nobody sets: a wall clock that jumps neither opens nor closes."""

import pytest

from tests.markets.feed.stage import (
    FAST,
    NOW_MS,
    SYMBOL,
    Clocks,
    followed,
    reason_of,
    spec_of,
)

HOUR_MS = 3_600_000


def test_a_reading_becomes_a_moment_as_the_wall_clock_counts_now():
    clocks = Clocks()
    read_ms = clocks.ages.now_ms()
    clocks.steady_ms += 1_000.5

    assert clocks.ages.to_wall_ms(read_ms) == NOW_MS - 1_001
    clocks.wall.at_ms -= HOUR_MS
    assert clocks.ages.to_wall_ms(read_ms) == NOW_MS - HOUR_MS - 1_001


@pytest.mark.parametrize("ccxt_id", ["binance", "binanceus"])
async def test_a_wall_clock_that_is_set_back_keeps_no_dead_feed_alive(simulator, ccxt_id):
    clocks = Clocks()
    async with followed(spec_of(simulator, "alpha", ccxt_id), ages=clocks.ages) as told:
        await told.until_state("healthy")

        clocks.wall.at_ms -= HOUR_MS
        moved = told.hub.book("alpha", SYMBOL).to_book(1).received_at_ms
        clocks.steady_ms += FAST.stale_after_ms + 1
        book = told.hub.book("alpha", SYMBOL)

        assert NOW_MS - HOUR_MS - 1 <= moved <= NOW_MS - HOUR_MS
        assert book is None
        assert told.states_of()[-1] == "stale"
        assert "nothing proves" in reason_of(told)


async def test_a_wall_clock_that_jumps_forward_closes_no_living_feed(simulator):
    clocks = Clocks()
    async with followed(spec_of(simulator), ages=clocks.ages) as told:
        await told.until_state("healthy")

        clocks.wall.at_ms += HOUR_MS
        book = told.hub.book("alpha", SYMBOL)
        [status] = told.hub.statuses()

        assert book.to_book(1).age_ms(clocks.wall.now_ms()) <= 1
        assert status.since_ms >= NOW_MS + HOUR_MS - 1
