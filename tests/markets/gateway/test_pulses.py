"""How long one process leaves a venue alone that has refused its place."""

from typing import Any

import pytest

from markets.domain.health import REFUSALS_MIN, Signal, VenueState
from markets.gateway.pulses import ALONE_MS, PulseCounter


class Watch:
    """A monotonic clock that a test moves [ms]."""

    now_ms = 1_000.0

    def __call__(self) -> float:
        return self.now_ms


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def refused(watch: Watch) -> PulseCounter:
    counter = PulseCounter(watch)
    for _call in range(REFUSALS_MIN):
        counter.note(Signal.REFUSED_PLACE)
    return counter


def test_a_process_of_whose_refusals_nobody_hears_asks_once_more_after_a_while(
    refused: PulseCounter, watch: Watch
) -> None:
    seen = []
    for passed_ms in (ALONE_MS - 1, 1):
        watch.now_ms += passed_ms
        seen.append(refused.is_blocked)
    refused.note(Signal.REFUSED_PLACE)

    assert [*seen, refused.is_blocked] == [True, False, True]


def test_a_block_that_all_know_of_ends_by_a_person_only(
    refused: PulseCounter, watch: Watch
) -> None:
    seen = []
    for since_ms, state in enumerate((VenueState.BLOCKED, VenueState.HEALTHY), 1):
        refused.heed(state, since_ms)
        watch.now_ms += 10 * ALONE_MS
        seen.append(refused.is_blocked)

    assert seen == [True, False]


@pytest.mark.parametrize(("signal", "is_blocked"), [(Signal.ANSWER, False), (Signal.FAILURE, True)])
def test_an_answer_that_was_on_its_way_shows_that_the_place_is_served(
    refused: PulseCounter, signal: Any, is_blocked: bool
) -> None:
    refused.note(signal)

    assert refused.is_blocked is is_blocked
