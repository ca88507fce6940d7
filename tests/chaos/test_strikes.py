"""Counting over the lives of a process that forgets."""

from tests.chaos.strikes import Strikes


def test_what_is_seen_twice_counts_once():
    strikes = Strikes()

    strikes.see("alpha", {"html": 2})
    strikes.see("alpha", {"html": 3, "ban": 1})
    strikes.see("beta", {"html": 1})

    assert strikes.total == {"html": 4, "ban": 1}


def test_a_process_that_began_anew_adds_to_what_was_counted():
    strikes = Strikes()

    strikes.see("alpha", {"html": 5})
    strikes.see("alpha", {})
    strikes.see("alpha", {"html": 2})

    assert strikes.total == {"html": 7}
