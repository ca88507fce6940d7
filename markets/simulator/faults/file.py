"""Plans of faults in files: ``{"alpha": [{"kind": …}, …], "beta": […]}``."""

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from arbplatform.core.errors import InvalidInput
from markets.simulator.faults.check import check_fault
from markets.simulator.faults.config import FaultConfig, parse_fault

if TYPE_CHECKING:
    from markets.simulator.config import VenueConfig

FaultsByVenue = Mapping[str, Sequence[FaultConfig]]


def load_faults(path: Path, venues: "Iterable[VenueConfig]") -> FaultsByVenue:
    """Read a plan.

    Args:
        path: JSON file.
        venues: those that there are; the plan may name only these.

    Raises:
        InvalidInput: the file cannot be read, is no plan, or a fault in it makes no sense.
    """
    by_code = {venue.code: venue for venue in venues}
    plan = _read(path)
    if not isinstance(plan, dict) or not all(isinstance(rows, list) for rows in plan.values()):
        raise _refusal(path, "it must be an object of lists of faults, by venue code")
    made: dict[str, list[FaultConfig]] = {}
    for code, rows in plan.items():
        if code not in by_code:
            raise _refusal(path, f"there is no venue {code}, only {', '.join(by_code)}")
        for number, row in enumerate(rows, start=1):
            try:
                fault = parse_fault(row)
                check_fault(fault, by_code[code])
            except InvalidInput as error:
                raise _refusal(path, f"fault {number} of {code}: {error}") from None
            made.setdefault(code, []).append(fault)
    return made


def planned_for(venue: "VenueConfig", venues: "Iterable[VenueConfig]") -> list[FaultConfig]:
    """Return what the configuration plans for a venue, and the file that it names.

    Raises:
        InvalidInput: the file cannot be used.
    """
    if not venue.faults_file:
        return list(venue.faults)
    plan = load_faults(Path(venue.faults_file), venues)
    return [*venue.faults, *plan.get(venue.code, ())]


def _read(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as error:
        raise _refusal(path, error.strerror or str(error)) from None
    except ValueError as error:
        raise _refusal(path, f"it is not JSON: {error}") from None


def _refusal(path: Path, cause: str) -> InvalidInput:
    return InvalidInput(
        "The fault plan {path} cannot be used: {cause}.", path=str(path), cause=cause.rstrip(".")
    )
