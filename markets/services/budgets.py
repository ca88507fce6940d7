"""Tells how much of what a venue allows is left."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from markets.gateway.factory import budget_health
from markets.models import Venue


class BudgetState(StrEnum):
    """Who keeps to the budget of a venue."""

    SHARED = "shared"
    """All processes together."""
    LOCAL = "local"
    """Each process to its own cautious part, because Redis is away."""
    BLOCKED = "blocked"
    """The venue wants no request until a time."""
    UNLIMITED = "unlimited"
    """Nobody: a venue on this machine, or the limit is switched off."""


@dataclass(frozen=True, slots=True)
class VenueBudget:
    """The budget of a venue as seen from this machine's address.

    Attributes:
        state: who keeps to it.
        free_percent: of the weight that may be spent at once; ``None`` if nobody knows.
        orders_free_percent: of the orders that its busiest account may send at once.
        blocked_until: when the venue's ban ends.
    """

    state: BudgetState
    free_percent: int | None = None
    orders_free_percent: int | None = None
    blocked_until: datetime | None = None


def read_budget(venue: Venue, *, clock: Clock = SYSTEM_CLOCK) -> VenueBudget:
    """Return the budget of a venue; asks Redis, never the venue.

    Args:
        venue: which.
        clock: tells the time.
    """
    is_limited, health = budget_health(venue.to_spec())
    if not is_limited:
        return VenueBudget(BudgetState.UNLIMITED)
    if health is None:
        return VenueBudget(BudgetState.LOCAL)
    is_blocked = health.silent_ms > 0
    end = clock.now() + timedelta(milliseconds=health.silent_ms)
    return VenueBudget(
        state=BudgetState.BLOCKED if is_blocked else BudgetState.SHARED,
        free_percent=health.free_percent,
        orders_free_percent=health.orders_free_percent,
        blocked_until=end if is_blocked else None,
    )
