"""Whether a fault makes sense at a venue: a misspelt name would wait for ever."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from arbplatform.core.errors import InvalidInput
from markets.simulator.faults.config import FaultConfig

if TYPE_CHECKING:
    from markets.simulator.config import VenueConfig


def check_fault(fault: FaultConfig, venue: "VenueConfig") -> None:
    """Refuse a fault that names what the venue does not have.

    Raises:
        InvalidInput: with the name and those that there are.
    """
    cause = unknown_name(fault, venue)
    if cause:
        raise InvalidInput("The fault is not valid: {cause}.", cause=cause)


def unknown_name(fault: FaultConfig, venue: "VenueConfig") -> str:
    """Return what is wrong with a name in a fault; empty if nothing is."""
    return (
        _unknown("symbol", fault.market_id, [m.symbol.replace("/", "") for m in venue.markets])
        or _unknown("account", fault.account, [account.label for account in venue.accounts])
        or _unknown("asset", fault.asset, venue.assets)
        or _unknown("coin", fault.coin, venue.assets)
    )


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    if not name or name in known:
        return ""
    return f"{what}: the venue has no {name}, only {', '.join(known) or 'none'}"
