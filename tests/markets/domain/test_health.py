"""How a venue is follows from what calls met, in pure code."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets.domain.health import (
    FAILURES_MIN,
    NEWS_MS,
    NOTICE_MS,
    RECOVERIES_MIN,
    REFUSALS_MIN,
    SILENCE_MS_MIN,
    Pulse,
    Signal,
    VenueState,
    Verdict,
    judge,
)

S, G = VenueState, Signal
NOW = 1_767_225_600_000


def after(*signals: Signal) -> Pulse:
    pulse = Pulse()
    for signal in signals:
        pulse = pulse.after(signal, NOW, "the cause")
    return pulse


def state_of(pulse: Pulse, state: VenueState = S.HEALTHY, **more: object) -> VenueState:
    facts: dict[str, object] = {"silent_ms": 0.0, "clock_offset_ms": None, "now_ms": NOW} | more
    verdict = judge(pulse, state=state, **facts)  # type: ignore[arg-type]
    return state if verdict is None else verdict.state


def test_failures_in_a_row_make_it_degraded_and_one_answer_between_does_not() -> None:
    assert state_of(after(*[G.FAILURE] * (FAILURES_MIN - 1))) is S.HEALTHY
    assert state_of(after(*[G.FAILURE] * FAILURES_MIN)) is S.DEGRADED
    assert state_of(after(*[G.FAILURE] * (FAILURES_MIN - 1), G.ANSWER, G.FAILURE)) is S.HEALTHY


def test_answers_in_a_row_make_it_well_again() -> None:
    assert state_of(after(*[G.ANSWER] * (RECOVERIES_MIN - 1)), S.DEGRADED) is S.DEGRADED
    assert state_of(after(*[G.ANSWER] * RECOVERIES_MIN), S.DEGRADED) is S.HEALTHY
    assert state_of(after(G.ANSWER, G.ANSWER, G.FAILURE, G.ANSWER), S.DEGRADED) is S.DEGRADED


@pytest.mark.parametrize(
    ("signal", "state"), [(G.MAINTENANCE, S.MAINTENANCE), (G.CANCEL_ONLY, S.CANCEL_ONLY)]
)
def test_what_it_says_counts_at_once_and_outlives_answers(
    signal: Signal, state: VenueState
) -> None:
    pulse = after(signal, *[G.ANSWER] * RECOVERIES_MIN)

    assert state_of(after(signal)) is state
    assert state_of(pulse, state, now_ms=NOW + NOTICE_MS - 1) is state
    assert state_of(pulse, state, now_ms=NOW + NOTICE_MS) is S.HEALTHY
    assert state_of(after(signal), state, now_ms=NOW + NOTICE_MS) is state


def test_refusals_of_our_place_block_for_good() -> None:
    assert state_of(after(*[G.REFUSED_PLACE] * (REFUSALS_MIN - 1))) is S.HEALTHY
    assert state_of(after(*[G.REFUSED_PLACE] * REFUSALS_MIN)) is S.BLOCKED
    assert state_of(after(G.REFUSED_PLACE, G.REFUSED_PLACE, G.FAILURE, G.REFUSED_PLACE)) is (
        S.HEALTHY
    )
    assert state_of(after(*[G.ANSWER] * 9), S.BLOCKED) is S.BLOCKED


def test_a_long_silence_is_a_ban_with_an_end() -> None:
    verdict = judge(Pulse(), state=S.HEALTHY, silent_ms=90_000.4, clock_offset_ms=None, now_ms=NOW)

    assert state_of(Pulse(), silent_ms=SILENCE_MS_MIN - 1) is S.HEALTHY
    assert verdict is not None
    assert (verdict.state, verdict.until_ms) == (S.BANNED, NOW + 90_000)


def test_a_clock_that_differs_too_much_is_named() -> None:
    verdict = judge(Pulse(), state=S.HEALTHY, silent_ms=0, clock_offset_ms=1_500, now_ms=NOW)

    assert verdict is not None
    assert verdict.state is S.DEGRADED
    assert "our clock is 1500 ms ahead" in str(verdict.reason)


@given(signals=st.lists(st.sampled_from(Signal), max_size=30), state=st.sampled_from(VenueState))
def test_counts_are_those_of_the_end_of_the_list(signals: list[Signal], state: VenueState) -> None:
    pulse = after(*signals)
    newest_first = list(reversed(signals))
    answers = next((i for i, s in enumerate(newest_first) if s is not G.ANSWER), len(signals))

    assert pulse.answers == answers
    assert pulse.failures <= len(signals)
    if state is S.BLOCKED:
        assert state_of(pulse, state) is S.BLOCKED


def test_a_healthy_venue_has_no_reason() -> None:
    assert str(Verdict().reason) == ""


def test_what_another_process_met_makes_it_ill_but_never_well() -> None:
    mine = after(*[G.ANSWER] * RECOVERIES_MIN)
    failing, refused = after(*[G.FAILURE] * FAILURES_MIN), after(*[G.REFUSED_PLACE] * REFUSALS_MIN)

    assert state_of(mine, others=[failing]) is S.DEGRADED
    assert state_of(mine, S.DEGRADED, others=[failing]) is S.DEGRADED
    assert state_of(mine, others=[after(G.MAINTENANCE)]) is S.MAINTENANCE
    assert state_of(mine, others=[failing, refused]) is S.BLOCKED
    assert state_of(mine, others=[after(G.FAILURE)]) is S.HEALTHY
    assert state_of(Pulse(), S.DEGRADED, others=[mine]) is S.DEGRADED


def test_a_pulse_is_told_of_while_it_is_news_and_a_block_for_good() -> None:
    failing, refused = after(*[G.FAILURE] * FAILURES_MIN), after(*[G.REFUSED_PLACE] * REFUSALS_MIN)
    later = NOW + NOTICE_MS

    assert failing.tells_of_illness(NOW + NEWS_MS - 1)
    assert not failing.tells_of_illness(NOW + NEWS_MS)
    assert after(G.CANCEL_ONLY, G.ANSWER).tells_of_illness(later - 1)
    assert not after(G.CANCEL_ONLY, G.ANSWER).tells_of_illness(later)
    assert refused.tells_of_illness(later)
    assert not after(*[G.FAILURE] * (FAILURES_MIN - 1)).tells_of_illness(NOW)
    assert not after(G.ANSWER).tells_of_illness(NOW)


def test_of_a_pulse_only_the_notice_is_left_that_brought_a_new_state_about() -> None:
    pulse = after(G.MAINTENANCE, G.FAILURE, G.ANSWER)

    assert pulse.left_under(S.MAINTENANCE) == after(G.MAINTENANCE)
    assert pulse.left_under(S.HEALTHY) == Pulse()
    assert after(*[G.FAILURE] * FAILURES_MIN).left_under(S.DEGRADED) == Pulse()
