"""WebSocket messages that are lost, held back, or followed by the end of the connection."""

from collections.abc import Iterable
from typing import Protocol

from markets.simulator.faults.kinds import FaultKind
from markets.simulator.faults.plan import FaultPlan, Thing

MARKET, USER = "market", "user"
_SENDING = frozenset({FaultKind.WS_GAP, FaultKind.WS_DISCONNECT, FaultKind.MAINTENANCE})


class Cuttable(Protocol):
    """An open connection."""

    def cut(self) -> None:
        """End it without a word."""
        ...


def target_of(*, stream: str, market_id: str = "", account: str = "") -> Thing:
    """Return a message of a stream as a target of faults."""
    return Thing(market_id=market_id, account=account, stream=stream)


def is_silent(plan: FaultPlan, target: Thing) -> bool:
    """Return whether nothing is to be said; what changes meanwhile is told later, without a gap."""
    return plan.is_armed and plan.pick((FaultKind.WS_SILENCE,), target) is not None


def is_overtaken(plan: FaultPlan, target: Thing) -> bool:
    """Return whether a message is to be sent after the next one of its stream."""
    return plan.is_armed and plan.pick((FaultKind.WS_REORDER,), target) is not None


def is_lost(plan: FaultPlan, target: Thing, listeners: Iterable[Cuttable]) -> bool:
    """Return whether a message goes nowhere; cut the listeners off where that is planned."""
    if not plan.is_armed:
        return False
    armed = plan.pick(_SENDING, target)
    if armed is None:
        return False
    if armed.config.kind is not FaultKind.WS_GAP:
        for listener in list(listeners):
            listener.cut()
    return True
