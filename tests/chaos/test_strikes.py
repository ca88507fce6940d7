"""Counting over the lives of a process that forgets."""

from tests.chaos.strikes import Strikes


def row(number, struck):
    return {"id": number, "struck": struck, "fault": {"kind": "html"}}


def test_what_is_seen_twice_counts_once_and_by_what_it_was_armed_for():
    strikes = Strikes()
    for venue, number, kind in (
        ("alpha", 1, "page"),
        ("alpha", 2, "page, late"),
        ("beta", 1, "page"),
    ):
        strikes.arm(venue, number, kind)

    strikes.see("alpha", [row(1, 2)])
    strikes.see("alpha", [row(1, 3), row(2, 1)])
    strikes.see("beta", [row(1, 1)])

    assert strikes.total == {"page": 4, "page, late": 1}


def test_a_process_that_began_anew_adds_to_what_was_counted():
    strikes = Strikes()

    strikes.arm("alpha", 1, "page")
    strikes.see("alpha", [row(1, 5)])
    strikes.see("alpha", [])
    strikes.arm("alpha", 1, "ban")
    strikes.see("alpha", [row(1, 2)])

    assert strikes.total == {"page": 5, "ban": 2}


def test_what_others_have_armed_does_not_count():
    strikes = Strikes()

    strikes.see("alpha", [row(1, 5)])

    assert not strikes.total
