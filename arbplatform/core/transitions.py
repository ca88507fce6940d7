"""State machines as tables: what is not in the table is not possible."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from arbplatform.core.errors import IllegalTransition

StateT = TypeVar("StateT", bound=StrEnum)
EventT = TypeVar("EventT", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class TransitionTable(Generic[StateT, EventT]):
    """A finite state machine.

    Attributes:
        name: what the machine is about, for messages (``order``).
        edges: (state, event) to the next state.
    """

    name: str
    edges: Mapping[tuple[StateT, EventT], StateT]

    def next_state(self, state: StateT, event: EventT) -> StateT:
        """Return the state after ``event``.

        Raises:
            IllegalTransition: the table has no such edge.
        """
        try:
            return self.edges[state, event]
        except KeyError:
            raise IllegalTransition(
                "A {machine} that is {state} cannot take the step {event}.",
                machine=self.name,
                state=state.value,
                event=event.value,
            ) from None

    def can(self, state: StateT, event: EventT) -> bool:
        """Return whether ``event`` is possible in ``state``."""
        return (state, event) in self.edges

    def is_terminal(self, state: StateT) -> bool:
        """Return whether no event leads out of ``state`` to another state."""
        return all(target == state for (source, _), target in self.edges.items() if source == state)

    def sources(self, event: EventT) -> frozenset[StateT]:
        """Return the states in which ``event`` is possible."""
        return frozenset(state for state, possible in self.edges if possible == event)
