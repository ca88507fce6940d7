"""How long something has gone on."""

from arbplatform.core.vigil import Vigil
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


def test_what_was_not_asked_for_longest_is_forgotten_and_begins_anew():
    clock, vigil = JumpingClock(at_ms=0), Vigil(capacity=2)
    for thing in ("a", "b"):
        vigil.lasted_ms(thing, clock)
    clock.advance_ms(10)
    assert vigil.lasted_ms("a", clock) == 10

    vigil.lasted_ms("c", clock)

    assert (vigil.lasted_ms("a", clock), vigil.lasted_ms("b", clock)) == (10, 0)
