"""A gap in a stream closes the gate before anything can be decided, until a snapshot, or the
message that was only overtaken, has filled it."""

from tests.markets.feed.stage import SYMBOL, followed, move, reason_of, spec_of, struck


async def test_a_lost_message_closes_the_gate_until_a_snapshot_has_come(simulator):
    async with followed(spec_of(simulator)) as told:
        await told.until_state("healthy")
        simulator.control.add_fault("alpha", "ws_gap", symbol=SYMBOL)

        move(simulator, "50001")
        await struck(simulator, "ws_gap")
        move(simulator, "50002")
        await told.until_bid(50002.0)

        # Nothing was told between the gap and the snapshot, which holds what was lost.
        assert told.diary == ["resyncing", "healthy", 50000.0, "resyncing", "healthy", 50002.0]
        assert told.is_never_open_when_closed
        [status] = told.hub.statuses()
        assert (status.gap_count, status.reconnect_count) == (1, 0)


async def test_the_reason_says_what_is_missing(simulator):
    async with followed(spec_of(simulator)) as told:
        await told.until_state("healthy")
        state = told.hub.book("alpha", SYMBOL).sequence
        simulator.control.add_fault("alpha", "ws_gap", symbol=SYMBOL)
        simulator.control.add_fault("alpha", "refuse", endpoint="depth", times=None)

        move(simulator, "50001")
        await struck(simulator, "ws_gap")
        move(simulator, "50002")
        await told.until_state("resyncing")

        assert told.hub.book("alpha", SYMBOL) is None
        assert f"after number {state} came what changes {state + 1}" in reason_of(told)


async def test_an_overtaken_message_closes_the_gate_until_it_comes(simulator):
    async with followed(spec_of(simulator)) as told:
        await told.until_state("healthy")
        # no snapshot can help: only the message that comes late
        simulator.control.add_fault("alpha", "refuse", endpoint="depth", times=None)
        simulator.control.add_fault("alpha", "ws_reorder", symbol=SYMBOL)

        move(simulator, "50001")
        await struck(simulator, "ws_reorder")
        move(simulator, "50002")
        await told.until_bid(50002.0)

        assert told.diary[3] == "resyncing"
        assert told.diary[-2:] == ["healthy", 50002.0]
        assert told.is_never_open_when_closed


async def test_a_message_that_comes_twice_changes_nothing_the_second_time(simulator):
    async with followed(spec_of(simulator)) as told:
        await told.until_state("healthy")
        simulator.control.add_fault("alpha", "ws_double", symbol=SYMBOL)

        move(simulator, "50001")
        await struck(simulator, "ws_double")
        move(simulator, "50002")
        await told.until_bid(50002.0)

        assert told.diary[2:] == [50000.0, 50001.0, 50002.0]
        [status] = told.hub.statuses()
        assert (status.gap_count, status.reconnect_count) == (0, 0)


async def test_a_snapshot_that_is_older_than_the_messages_is_not_believed(simulator):
    async with followed(spec_of(simulator)) as told:
        await told.until_state("healthy")
        simulator.control.add_fault("alpha", "ws_gap", symbol=SYMBOL)
        old = simulator.control.add_fault("alpha", "old_snapshot", symbol=SYMBOL)

        move(simulator, "50001")
        await struck(simulator, "ws_gap")
        move(simulator, "50002")
        await struck(simulator, "old_snapshot")
        await told.until(lambda: told.states_of()[-1] == "resyncing")
        closed = told.hub.book("alpha", SYMBOL)
        simulator.control.remove_fault("alpha", old)
        await told.until_bid(50002.0)

        assert closed is None
        assert 50001.0 not in told.diary
        assert told.diary[-2:] == ["healthy", 50002.0]


async def test_a_crossed_book_closes_the_gate_for_as_long_as_it_is_crossed(simulator):
    async with followed(spec_of(simulator)) as told:
        await told.until_state("healthy")
        crossed = simulator.control.add_fault("alpha", "crossed_book", symbol=SYMBOL)

        move(simulator, "50001")
        await told.until_state("resyncing")
        reason = reason_of(told)
        simulator.control.remove_fault("alpha", crossed)
        move(simulator, "50002")
        await told.until_bid(50002.0)

        assert reason == "The book is crossed."
        assert all(ask > bid for _, _, bid, ask in told.books)
        assert told.is_never_open_when_closed
