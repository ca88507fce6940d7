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
        clock.advance_ms(10)


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
