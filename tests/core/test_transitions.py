"""State machines as tables."""

from enum import StrEnum

import pytest

from arbplatform.core.errors import IllegalTransition
from arbplatform.core.transitions import TransitionTable


class Door(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    GONE = "gone"


class Step(StrEnum):
    SHUT = "shut"
    PULL = "pull"
    BREAK = "break"
    KNOCK = "knock"


TABLE = TransitionTable(
    name="door",
    edges={
        (Door.OPEN, Step.SHUT): Door.CLOSED,
        (Door.CLOSED, Step.PULL): Door.OPEN,
        (Door.CLOSED, Step.BREAK): Door.GONE,
        (Door.GONE, Step.KNOCK): Door.GONE,
    },
)


def test_the_table_leads_to_the_next_state():
    assert TABLE.next_state(Door.OPEN, Step.SHUT) is Door.CLOSED


def test_what_is_not_in_the_table_is_refused_in_words():
    with pytest.raises(
        IllegalTransition, match=r"A door that is open cannot take the step break\."
    ):
        TABLE.next_state(Door.OPEN, Step.BREAK)


def test_can_asks_without_raising():
    assert TABLE.can(Door.CLOSED, Step.PULL)
    assert not TABLE.can(Door.OPEN, Step.PULL)


def test_a_state_that_only_leads_to_itself_is_terminal():
    assert TABLE.is_terminal(Door.GONE)
    assert not TABLE.is_terminal(Door.OPEN)


def test_sources_are_the_states_in_which_an_event_is_possible():
    assert TABLE.sources(Step.SHUT) == {Door.OPEN}
    assert TABLE.sources(Step.KNOCK) == {Door.GONE}
