"""A market that is silent on a living connection is compared with REST; if it has moved there, the
gate is closed until the stream speaks again."""

from dataclasses import replace

from tests.markets.feed.stage import (
    FAST,
    SYMBOL,
    Clocks,
    followed,
    move,
    reason_of,
    spec_of,
    struck,
)

COMPARING = replace(FAST, silence_ms=300, suspect_ms=600_000)


async def test_a_frozen_stream_is_found_and_its_gate_closed_until_it_speaks(simulator):
    async with followed(spec_of(simulator), timing=COMPARING) as told:
        await told.until_state("healthy")
        silence = simulator.control.add_fault("alpha", "ws_silence", symbol=SYMBOL, stream="market")

        move(simulator, "50001")
        await told.until_state("stale")
        reason = reason_of(told)
        # A fresh snapshot is no proof that the stream goes on: the gate stays closed with it.
        feed = next(iter(told.hub.feeds()))
        await told.until_so(lambda: feed.book.best_bid == 50001.0)
        still_closed = told.hub.book("alpha", SYMBOL) is None
        simulator.control.remove_fault("alpha", silence)
        move(simulator, "50002")
        await told.until_bid(50002.0)

        assert reason == "The stream said nothing although the market has moved."
        assert still_closed
        assert 50001.0 not in told.diary
        assert told.is_never_open_when_closed


async def test_a_stream_that_stays_frozen_gets_another_connection_once(simulator):
    timing = replace(COMPARING, suspect_ms=100)
    async with followed(spec_of(simulator), timing=timing) as told:
        await told.until_state("healthy")
        simulator.control.add_fault("alpha", "ws_silence", symbol=SYMBOL, stream="market")
        move(simulator, "50001")
        await told.until_state("stale")

        # With a new connection and a new snapshot it is believed again, but only after the market
        # was seen to stand still for as long as silence is allowed to last.
        await told.until_bid(50001.0)

        closed_again = told.states_of()[2:]
        assert closed_again[:2] == ["stale", "down"]
        assert closed_again[-1] == "healthy"
        [status] = told.hub.statuses()
        assert status.reconnect_count == 1
        assert told.is_never_open_when_closed


async def test_a_market_that_has_not_moved_may_be_silent(simulator):
    async with followed(spec_of(simulator), timing=COMPARING) as told:
        await told.until_state("healthy")
        feed = next(iter(told.hub.feeds()))
        heard_ms = feed.heard_at_ms

        await told.until_compared(feed, times=3)

        assert feed.heard_at_ms == heard_ms
        assert told.diary == ["resyncing", "healthy", 50000.0]


async def test_a_comparison_that_fails_proves_nothing(simulator):
    async with followed(spec_of(simulator), timing=COMPARING) as told:
        await told.until_state("healthy")
        simulator.control.add_fault("alpha", "ws_silence", symbol=SYMBOL, stream="market")
        simulator.control.add_fault("alpha", "refuse", endpoint="depth", times=None)
        move(simulator, "50001")
        await struck(simulator, "refuse", times=3)

        assert told.states_of() == ["resyncing", "healthy"]


async def test_a_connection_that_says_nothing_at_all_proves_nothing(simulator):
    # nobody asks for signs of life here, and a silent market sends none
    clocks, timing = Clocks(), replace(FAST, ping_after_ms=600_000)
    async with followed(spec_of(simulator), timing=timing, ages=clocks.ages) as told:
        await told.until_state("healthy")
        clocks.steady_ms += FAST.stale_after_ms + 1
        await told.until_state("stale")
        assert told.hub.book("alpha", SYMBOL) is None
        assert "nothing proves that the book is still current" in reason_of(told)

        clocks.steady_ms += FAST.dead_after_ms - FAST.stale_after_ms
        await told.until(lambda: "down" in told.states_of())
        await told.until(lambda: told.states_of().count("healthy") >= 2)

        assert told.is_never_open_when_closed


async def test_signs_of_life_prove_a_quiet_book_current(simulator):
    async with followed(spec_of(simulator)) as told:
        await told.until_state("healthy")
        first_ms = told.hub.book("alpha", SYMBOL).to_book(1).received_at_ms
        version = told.hub.book("alpha", SYMBOL).version

        await told.until_so(
            lambda: told.hub.book("alpha", SYMBOL).to_book(1).received_at_ms > first_ms
        )

        assert told.hub.book("alpha", SYMBOL).version == version
        assert told.states_of() == ["resyncing", "healthy"]
