"""Clocks."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from arbplatform.core.clock import FixedClock, SystemClock, from_ms, to_ms


def test_the_system_clock_speaks_utc_and_agrees_with_itself():
    clock = SystemClock()

    before_ms = clock.now_ms()
    now = clock.now()
    after_ms = clock.now_ms()

    assert now.utcoffset() == timedelta(0)
    assert before_ms <= to_ms(now) <= after_ms


def test_the_monotonic_clock_never_goes_back():
    clock = SystemClock()
    readings = [clock.monotonic_ms() for _ in range(100)]

    assert readings == sorted(readings)


def test_a_fixed_clock_moves_only_when_told_to():
    clock = FixedClock(at_ms=1_000)

    assert (clock.now_ms(), clock.monotonic_ms()) == (1_000, 1_000.0)
    clock.advance_ms(250)

    assert clock.now() == datetime(1970, 1, 1, 0, 0, 1, 250_000, tzinfo=UTC)
    assert (clock.now_ms(), clock.monotonic_ms()) == (1_250, 1_250.0)


@given(st.integers(0, 4_102_444_800_000))
def test_milliseconds_survive_the_way_there_and_back(moment_ms):
    assert to_ms(from_ms(moment_ms)) == moment_ms


def test_fractions_of_a_millisecond_are_cut():
    assert to_ms(datetime(1970, 1, 1, 0, 0, 0, 1_999, tzinfo=UTC)) == 1
