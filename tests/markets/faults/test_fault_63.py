"""Connections that were lost come back after pauses of random and growing length, and never more of
them than the venue's share in a minute; meanwhile REST shows the books, and nothing is decided on
them."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from markets.feed.pace import Backoff, DialBudget
from markets.gateway import stream_facts
from markets.gateway.stream_facts import StreamFacts
from tests.markets.feed.stage import SYMBOL, followed, move, reason_of, spec_of


@given(st.integers(0, 2**32), st.integers(1, 40))
def test_pauses_grow_up_to_a_limit_and_no_two_are_alike(seed, failures):
    backoff = Backoff(Random(seed), first_ms=500, longest_ms=60_000)  # noqa: S311

    pauses = [backoff.next_ms() for _ in range(failures)]

    limits = [min(60_000, 500 * 2**number) for number in range(failures)]
    assert all(limit / 2 <= pause <= limit for pause, limit in zip(pauses, limits, strict=True))
    assert len(set(pauses)) == failures


def test_a_connection_that_stood_starts_anew_with_the_shortest_pause():
    backoff = Backoff(Random(1), first_ms=500)  # noqa: S311
    for _ in range(9):
        backoff.next_ms()

    backoff.reset()

    assert backoff.next_ms() <= 500


@given(
    st.integers(1, 30),
    st.lists(st.floats(0, 5_000), min_size=1, max_size=120),
)
def test_no_minute_has_more_dials_than_allowed(per_minute, gaps):
    budget, now_ms, turns = DialBudget(per_minute), 0.0, []

    for gap in gaps:
        now_ms += gap
        turns.append(now_ms + budget.reserve_ms(now_ms))

    for turn in turns:
        assert sum(1 for other in turns if turn <= other < turn + 59_999.9) <= per_minute


async def test_however_often_all_are_cut_a_venue_is_dialled_within_its_share(
    simulator, monkeypatch
):
    facts = StreamFacts(batch=1, per_line=1, dials_per_minute=5, pause_ms=1)
    monkeypatch.setitem(stream_facts._TABLE, "binance", facts)

    async with followed(spec_of(simulator), symbols=(SYMBOL, "ETH/BTC")) as told:
        await told.until_state("healthy")
        await told.until_state("stale", symbol="ETH/BTC")
        simulator.control.add_fault("alpha", "ws_disconnect", times=None)
        lines = list(told.hub._venues["alpha"]._lines)

        for price in (50_001, 50_002, 50_003, 50_004):
            await told.until_state("healthy")
            move(simulator, price)
            await told.until_state("down")

        # REST shows the books meanwhile; they are marked, and no ground to decide.
        await told.until(lambda: any(status.is_polled for status in told.hub.statuses()))
        [status] = [one for one in told.hub.statuses() if one.symbol == SYMBOL]
        assert (status.state.value, status.is_polled) == ("down", True)
        assert told.hub.book("alpha", SYMBOL) is None
        assert reason_of(told) == "The venue closed the connection."
        assert sum(line.open_count for line in lines) == 5
        assert told.is_never_open_when_closed
