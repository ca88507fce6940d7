import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets.gateway.limiter import (
    BACKGROUND_RESERVE_MS,
    BURST_MS,
    RESERVE_MS,
    WAIT_MS_MAX,
    RateLimiter,
    TooManyRequests,
    Urgency,
    in_background,
    reserve_of,
)


class FakeTime:
    def __init__(self) -> None:
        self.at_ms = 1_000_000.0
        self.slept_ms: list[float] = []

    def now_ms(self) -> float:
        return self.at_ms

    def sleep(self, seconds: float) -> None:
        self.slept_ms.append(seconds * 1_000)
        self.at_ms += seconds * 1_000


def _limiter(unit_ms: float = 100.0) -> tuple[RateLimiter, FakeTime]:
    clock = FakeTime()
    return RateLimiter(unit_ms, now_ms=clock.now_ms, sleep=clock.sleep), clock


def test_a_burst_goes_through_without_waiting() -> None:
    limiter, clock = _limiter()

    for _request in range(BURST_MS // 100):
        limiter.acquire()

    assert clock.slept_ms == []


def test_after_the_burst_requests_keep_the_pace() -> None:
    limiter, clock = _limiter()
    for _request in range(BURST_MS // 100):
        limiter.acquire()

    limiter.acquire()
    limiter.acquire(2)

    assert clock.slept_ms == pytest.approx([100, 200])


def test_a_turn_that_would_come_too_late_is_refused_and_reserves_nothing() -> None:
    limiter, clock = _limiter()
    limiter.acquire(BURST_MS / 100)

    with pytest.raises(TooManyRequests) as refusal:
        limiter.acquire(WAIT_MS_MAX / 100 + 1)

    assert refusal.value.wait_ms == pytest.approx(WAIT_MS_MAX + 100)
    limiter.acquire()
    assert clock.slept_ms == pytest.approx([100])


def test_no_request_goes_while_the_venue_wants_silence() -> None:
    limiter, clock = _limiter()
    limiter.silence(60_000)

    with pytest.raises(TooManyRequests):
        limiter.acquire()

    clock.at_ms += 60_000
    limiter.acquire()
    assert clock.slept_ms == []


def test_a_short_silence_is_waited_for_and_a_shorter_one_does_not_end_it() -> None:
    limiter, clock = _limiter()
    limiter.silence(1_500)
    limiter.silence(10)

    limiter.acquire()

    assert clock.slept_ms == pytest.approx([1_500])


@given(st.lists(st.floats(0.5, 20), min_size=1, max_size=60), st.floats(1, 200))
def test_in_any_span_the_cost_stays_below_burst_plus_pace(
    costs: list[float], unit_ms: float
) -> None:
    limiter, clock = _limiter(unit_ms)
    started_ms, spent = clock.at_ms, 0.0

    for cost in costs:
        try:
            limiter.acquire(cost)
        except TooManyRequests:
            clock.at_ms += 10_000
        else:
            spent += cost

    assert spent * unit_ms <= BURST_MS + (clock.at_ms - started_ms) + 1e-6


def test_parallel_callers_wait_together_not_in_a_row() -> None:
    waits: list[float] = []
    lock = threading.Lock()

    def sleep(seconds: float) -> None:
        with lock:
            waits.append(seconds)

    limiter = RateLimiter(100, now_ms=lambda: 0.0, sleep=sleep)
    limiter.acquire(BURST_MS / 100)

    threads = [threading.Thread(target=limiter.acquire) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(waits) == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])


def test_what_nobody_waits_for_leaves_more_to_all_others() -> None:
    limiter, clock = _limiter()
    with in_background():
        for _request in range((BURST_MS - BACKGROUND_RESERVE_MS) // 100):
            limiter.acquire(urgency=Urgency.READ)
        assert clock.slept_ms == []
        limiter.acquire(urgency=Urgency.READ)  # it waits until the reserve is there again
    assert sum(clock.slept_ms) == pytest.approx(100)

    for _request in range((BACKGROUND_RESERVE_MS - RESERVE_MS) // 100):
        limiter.acquire(urgency=Urgency.READ)

    assert sum(clock.slept_ms) == pytest.approx(100)


def test_the_reserve_fits_beside_the_cost() -> None:
    assert reserve_of(Urgency.READ, 2_000) == reserve_of(Urgency.READ, 3_000) == RESERVE_MS
    assert reserve_of(Urgency.READ, 3_001) == 0
    with in_background():
        assert reserve_of(Urgency.READ, 1_500) == BACKGROUND_RESERVE_MS
        assert reserve_of(Urgency.READ, 1_501) == RESERVE_MS
        assert reserve_of(Urgency.READ, 3_001) == 0
    assert reserve_of(Urgency.READ, 1_500) == RESERVE_MS
