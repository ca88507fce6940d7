"""WebSocket messages that are lost, late, doubled, or followed by the end of the connection."""

from collections.abc import Iterable
from typing import Any, Protocol

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


class Wire:
    """The way of a venue's messages to those who listen.

    Args:
        plan: what goes wrong on it.
    """

    def __init__(self, plan: FaultPlan) -> None:
        self._plan = plan
        self._overtaken: dict[str, Any] = {}

    def carry(
        self, name: str, message: Any, *, target: Thing, listeners: Iterable[Cuttable]
    ) -> list[Any]:
        """Return what arrives now when a message is sent; cut the listeners off where planned.

        Args:
            name: of the stream; a message is overtaken by the next one of the same.
            message: what is sent.
            target: what it is about.
            listeners: to whom.
        """
        if not self._plan.is_armed and name not in self._overtaken:
            return [message]
        if self._is_lost(target, listeners):
            return []
        if name not in self._overtaken and self._strikes(FaultKind.WS_REORDER, target):
            self._overtaken[name] = message
            return []
        arriving = [message, message] if self._strikes(FaultKind.WS_DOUBLE, target) else [message]
        if name in self._overtaken:
            arriving.append(self._overtaken.pop(name))
        return arriving

    def forget(self, name: str) -> None:
        """Keep nothing of a stream that nobody listens to."""
        self._overtaken.pop(name, None)

    def _strikes(self, kind: FaultKind, target: Thing) -> bool:
        return self._plan.pick((kind,), target) is not None

    def _is_lost(self, target: Thing, listeners: Iterable[Cuttable]) -> bool:
        armed = self._plan.pick(_SENDING, target)
        if armed is None:
            return False
        if armed.config.kind is not FaultKind.WS_GAP:
            for listener in list(listeners):
                listener.cut()
        return True
