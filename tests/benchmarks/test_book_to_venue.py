"""What is made of the moments that the stopwatch saw."""

import time
from threading import Thread

import pytest

from benchmarks.book_to_venue import Passage, judge, rows_of
from benchmarks.parts.stopwatch import Stopwatch


def test_a_round_lasts_from_the_first_update_to_the_first_two_orders_of_the_account():
    orders = [(9_000_000, "bare-alpha"), (12_500_000, "main-beta"), (12_000_000, "main-alpha")]
    seen = {"updates": [10_000_000, 11_000_000], "orders": orders}
    assert judge(seen, "main") == Passage(2.0, 0.5)
    assert judge(seen, "bare") is None
    assert judge({**seen, "updates": []}, "main") is None


def test_a_round_without_orders_counts_as_long_as_it_was_waited_for():
    bare = [Passage(1.0, 0.2)] * 10
    p50, p99, second = rows_of("sqlite", [Passage(1.5, 0.3)] * 98 + [None] * 2, bare)
    assert (p50.figure, p50.is_met) == (1.5, True)
    assert (p99.figure, p99.is_met) == (1_000, False)
    assert (second.figure, second.reference, second.is_met) == (0.3, 0.2, True)
    assert p50.note == ("2 of 100 rounds without two orders in time, 0 of 10 of the reference")


def test_without_any_order_there_are_no_figures():
    with pytest.raises(SystemExit, match="no round"):
        rows_of("sqlite", [None], [Passage(1.0, 0.2)])


def test_the_stopwatch_waits_for_the_orders_of_one_account_only():
    stopwatch = Stopwatch()
    stopwatch.note_order("main-alpha")
    stopwatch.note_order("bare-alpha")
    began = time.monotonic()
    stopwatch.wait("main", 2, 0.01)
    assert time.monotonic() - began >= 0.01

    stopwatch.start()
    assert stopwatch.orders == []
    waiting = Thread(target=stopwatch.wait, args=("main", 2, 60))
    waiting.start()
    for key in ("main-beta", "bare-beta", "main-alpha"):
        stopwatch.note_order(key)
    waiting.join(10)
    assert not waiting.is_alive()
