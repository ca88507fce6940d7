"""Faults of simulated venues: planned and looked at from the platform."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from arbplatform.core.clock import from_ms
from markets.errors import NotSimulated, VenueError
from markets.gateway.simulation import Simulation, simulation_of
from markets.models import Venue

BANNER_TIMEOUT_S = 0.5
"""A page that only mentions faults does not wait long for a simulator that hangs."""
PLACES_MAX = 1_000
"""Places of which this process remembers whether a simulator answered there."""
logger = logging.getLogger(__name__)
_last_known: dict[tuple[str, str], bool | None] = {}
"""By address and the simulator's name of the venue: play money stays so while nothing answers."""


class SimulatorAnswer(NamedTuple):
    """Whether a venue is simulated.

    Attributes:
        is_simulated: on this machine; ``None`` if it is not known, because nothing ever answered.
        fault_count: faults that are armed there.
    """

    is_simulated: bool | None
    fault_count: int


NOT_SIMULATED = SimulatorAnswer(False, 0)


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """A fault at a simulated venue.

    Attributes:
        number: by which it is removed.
        kind: what goes wrong.
        details: what else was asked for.
        armed_at: since when.
        struck: how often it struck.
        left: how often it still may; ``None`` for ever.
        left_ms: how long it stays armed [ms]; ``None`` for ever.
    """

    number: int
    kind: str
    details: Mapping[str, Any]
    armed_at: datetime
    struck: int
    left: int | None
    left_ms: int | None


@dataclass(frozen=True, slots=True)
class FaultReport:
    """What goes wrong at a venue.

    Attributes:
        active: armed now, the first to strike first.
        ended: over, the last one first.
        struck: how often each kind ever struck since the simulator started.
    """

    active: list[PlannedFault]
    ended: list[PlannedFault]
    struck: Mapping[str, int]


def can_be_simulated(venue: Venue) -> bool:
    """Return whether a venue is at an address where a simulator could be; nothing is asked."""
    return simulation_of(venue.to_spec()) is not None


def read_faults(*, venue: Venue) -> FaultReport:
    """Return the faults of a venue.

    Raises:
        NotSimulated: it is not simulated on this machine.
        VenueUnavailable: the simulator does not answer.
    """
    shown = _simulation(venue).list_faults()
    return FaultReport(
        active=[_to_fault(row) for row in shown["faults"]],
        ended=[_to_fault(row) for row in shown.get("ended", ())],
        struck=dict(shown.get("struck", {})),
    )


def add_fault(*, venue: Venue, fault: Mapping[str, Any]) -> int:
    """Arm a fault and return its number.

    Raises:
        InvalidInput: it makes no sense at the venue.
        NotSimulated: the venue is not simulated on this machine.
        VenueUnavailable: the simulator does not answer.
    """
    number = _simulation(venue).add_fault(fault)
    logger.warning("the fault %s, number %s, is armed at %s", fault.get("kind"), number, venue.code)
    return number


def remove_fault(*, venue: Venue, number: int) -> None:
    """Disarm one fault.

    Raises:
        UnknownFault: no fault with this number is armed.
        NotSimulated: the venue is not simulated on this machine.
        VenueUnavailable: the simulator does not answer.
    """
    _simulation(venue).remove_fault(number)


def clear_faults(*, venue: Venue) -> int:
    """Disarm all faults of a venue and return how many there were.

    Raises:
        NotSimulated: the venue is not simulated on this machine.
        VenueUnavailable: the simulator does not answer.
    """
    return _simulation(venue).clear_faults()


def ask_simulators(venues: Iterable[Venue]) -> dict[str, SimulatorAnswer]:
    """Return by the code of each venue whether it is simulated, and what is armed there.

    A venue that does not answer is what it was when it last did. Others at its address are not
    asked then: this is for banners, which may not wait for each of them in turn.
    """
    answers: dict[str, SimulatorAnswer] = {}
    silent: set[str] = set()
    for venue in venues:
        simulation = simulation_of(venue.to_spec())
        answers[venue.code] = NOT_SIMULATED if simulation is None else _ask(simulation, silent)
    return answers


def _ask(simulation: Simulation, silent: set[str]) -> SimulatorAnswer:
    """Return what answers at a place; its address is added to ``silent`` if nothing does."""
    place = simulation.address, simulation.code
    if simulation.address in silent:
        return SimulatorAnswer(_last_known.get(place), 0)
    try:
        shown = simulation._replace(timeout_s=BANNER_TIMEOUT_S).list_faults()
    except VenueError:
        silent.add(simulation.address)
        return SimulatorAnswer(_last_known.get(place), 0)
    except NotSimulated:
        answer = NOT_SIMULATED
    else:
        answer = SimulatorAnswer(True, len(shown["faults"]))
    if len(_last_known) >= PLACES_MAX:
        _last_known.clear()
    _last_known[place] = answer.is_simulated
    return answer


def _simulation(venue: Venue) -> Simulation:
    found = simulation_of(venue.to_spec())
    if found is None:
        raise NotSimulated(venue=venue.code)
    return found


def _to_fault(row: Mapping[str, Any]) -> PlannedFault:
    details = {name: value for name, value in row["fault"].items() if name != "kind"}
    return PlannedFault(
        number=row["id"],
        kind=row["fault"]["kind"],
        details=details,
        armed_at=from_ms(row["armed_ms"]),
        struck=row["struck"],
        left=row["left"],
        left_ms=row["left_ms"],
    )
