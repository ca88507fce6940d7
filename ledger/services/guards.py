"""Guards of the platform: what they ask for, and give back when its cause is gone.

A guard watches something that trading rests on: the disk, the clock, Redis. While it holds, only
orders that reduce an exposure are written or sent, in every process. It has a state of its own
beside those that people set, so it neither lifts a person's halt nor is it lifted by one.
"""

import logging

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.errors import IllegalTransition, Message
from ledger.domain.halts import HaltLevel, HaltScope, TradingEvent
from ledger.selectors.halts import list_halts
from ledger.services.halts import change_trading

logger = logging.getLogger(__name__)


def hold(*, guard: str, reason: Message, clock: Clock = SYSTEM_CLOCK) -> bool:
    """Let no process begin anything new until ``release``; return whether that is news.

    Args:
        guard: ``disk@machine``: what is watched, and where.
        reason: why, for people.
        clock: tells the time.
    """
    return _change(guard, TradingEvent.REDUCE, reason, clock)


def release(*, guard: str, reason: Message, clock: Clock = SYSTEM_CLOCK) -> bool:
    """Give back what a guard asked for; return whether it had asked.

    Args:
        guard: the same name.
        reason: why it is safe again, for people.
        clock: tells the time.
    """
    return is_holding(guard) and _change(guard, TradingEvent.RESUME, reason, clock)


def is_holding(guard: str) -> bool:
    """Return whether a guard restricts trading now."""
    key = _scope(guard).key
    return any(halt.key == key for halt in list_halts())


def _change(guard: str, event: TradingEvent, reason: Message, clock: Clock) -> bool:
    try:
        change_trading(event=event, scope=_scope(guard), reason=reason, clock=clock)
    except IllegalTransition:
        return False  # it is so already
    logger.warning("guard %s: %s, since %s", guard, event, reason)
    return True


def _scope(guard: str) -> HaltScope:
    return HaltScope(HaltLevel.GUARD, guard=guard)
