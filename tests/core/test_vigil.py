"""How long something has gone on."""

from arbplatform.core.vigil import FORGOTTEN_AFTER_MS, Vigil
from tests.jumping import JumpingClock


def test_a_vigil_begins_when_it_is_first_asked_about_and_counts_no_jump():
    clock, vigil = JumpingClock(at_ms=1_000), Vigil()
    clock.jump_ms(86_400_000)
    assert vigil.lasted_ms("a", clock) == 0

    clock.advance_ms(700)
    clock.jump_ms(86_400_000)

    assert vigil.lasted_ms("a", clock) == 700
    assert vigil.lasted_ms("b", clock) == 0
    clock.jump_ms(-10 * 86_400_000)
    clock.advance_ms(100)
    assert (vigil.lasted_ms("a", clock), vigil.lasted_ms("b", clock)) == (800, 100)


def test_one_too_many_waits_for_its_turn_and_takes_nobodys():
    clock, vigil = JumpingClock(at_ms=0), Vigil(capacity=2)
    for _round in range(3):
        for thing in ("a", "b", "c"):
            lasted_ms = vigil.lasted_ms(thing, clock)
            assert lasted_ms == (0 if thing == "c" else clock.monotonic_ms())
        assert vigil.lasted_ms("c", clock, kept_ms=5) == 5
        clock.advance_ms(10)


def test_what_was_kept_of_it_counts_and_the_time_since_is_not_known():
    clock, vigil = JumpingClock(at_ms=50), Vigil()

    assert vigil.lasted_ms("a", clock, kept_ms=700) == 700
    clock.advance_ms(100)
    assert vigil.lasted_ms("a", clock, kept_ms=700) == 800


def test_two_who_listen_at_once_do_not_count_the_same_time_twice():
    """Whatever turns they take, and whichever of them begins anew."""
    clock, vigils, kept_ms = JumpingClock(at_ms=0), [Vigil(), Vigil()], 0.0
    for turn, pause_ms in enumerate([10, 70, 20, 20, 1, 300, 5] * 3):
        clock.advance_ms(pause_ms)
        if turn % 6 == 5:
            vigils[turn % 2] = Vigil()
        kept_ms = vigils[turn % 3 % 2].lasted_ms("a", clock, kept_ms=kept_ms)

        assert kept_ms <= clock.monotonic_ms() - 10  # since the first one asked

    assert kept_ms >= clock.monotonic_ms() / 2


def test_time_in_which_nobody_could_listen_does_not_count():
    clock, vigil = JumpingClock(at_ms=0), Vigil()
    vigil.interrupt("a", clock)
    clock.advance_ms(30)
    assert vigil.lasted_ms("a", clock) == 0
    clock.advance_ms(10)
    assert vigil.lasted_ms("a", clock) == 10

    clock.advance_ms(500)
    vigil.interrupt("a", clock)
    clock.advance_ms(3)

    assert vigil.lasted_ms("a", clock) == 13


def test_what_is_asked_about_no_more_makes_room_and_begins_anew():
    clock, vigil = JumpingClock(at_ms=0), Vigil(capacity=2)
    for thing in ("a", "b"):
        vigil.lasted_ms(thing, clock)
    clock.advance_ms(FORGOTTEN_AFTER_MS)
    assert vigil.lasted_ms("a", clock) == FORGOTTEN_AFTER_MS
    clock.advance_ms(1)

    assert vigil.lasted_ms("c", clock) == 0  # in the place of b
    assert vigil.lasted_ms("b", clock) == 0
    clock.advance_ms(10)
    assert vigil.lasted_ms("a", clock) == FORGOTTEN_AFTER_MS + 11
    assert (vigil.lasted_ms("c", clock), vigil.lasted_ms("b", clock)) == (10, 0)
