"""Whether anything may be traded: a state for each scope, the strictest of which counts."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from arbplatform.core.transitions import TransitionTable


class TradingState(StrEnum):
    """What may be sent."""

    ACTIVE = "active"
    REDUCING = "reducing"
    """Only orders that bring an exposure down."""
    HALTED = "halted"
    """Nothing."""


class TradingEvent(StrEnum):
    """What a person, or a guard of the platform, can do."""

    RESUME = "resume"
    REDUCE = "reduce"
    HALT = "halt"


_S, _E = TradingState, TradingEvent

TRADING_TRANSITIONS: TransitionTable[TradingState, TradingEvent] = TransitionTable(
    name="trading state",
    edges={
        (_S.ACTIVE, _E.REDUCE): _S.REDUCING,
        (_S.ACTIVE, _E.HALT): _S.HALTED,
        (_S.REDUCING, _E.HALT): _S.HALTED,
        (_S.REDUCING, _E.RESUME): _S.ACTIVE,
        (_S.HALTED, _E.REDUCE): _S.REDUCING,
        (_S.HALTED, _E.RESUME): _S.ACTIVE,
        # the switch is never refused: a second press is written down as well
        (_S.HALTED, _E.HALT): _S.HALTED,
    },
)


class HaltLevel(StrEnum):
    """How much a state covers."""

    GLOBAL = "global"
    VENUE = "venue"
    ACCOUNT = "account"
    STRATEGY = "strategy"
    GUARD = "guard"
    """Everything, for as long as a guard of the platform asks for it."""
    VENUE_STATE = "venue_state"
    """A venue, as the platform itself finds it: set and lifted without a person."""
    ACCOUNT_KEY = "account_key"
    """An account whose API key its venue does not accept, likewise."""


PERSONAL_LEVELS = (
    HaltLevel.GLOBAL,
    HaltLevel.VENUE,
    HaltLevel.ACCOUNT,
    HaltLevel.STRATEGY,
    HaltLevel.GUARD,
)
"""Levels that persons change; the others follow their causes, whatever anybody says."""

SELF_LIFTING_LEVELS = (HaltLevel.GUARD, HaltLevel.VENUE_STATE, HaltLevel.ACCOUNT_KEY)
"""Levels that the platform itself restricts, and lets go when the cause is gone."""


@dataclass(frozen=True, slots=True)
class HaltScope:
    """What a state covers.

    Attributes:
        level: how much.
        target_id: of the venue, account or strategy; ``None`` for everything.
        guard: which guard asks, at the level of guards: ``disk@machine``.
    """

    level: HaltLevel
    target_id: int | None = None
    guard: str = ""

    @property
    def key(self) -> str:
        """The scope as one word: ``venue:3``, ``guard:disk@machine``; ``global`` is everything."""
        if self.level is HaltLevel.GUARD:
            return f"{self.level}:{self.guard}"
        return self.level.value if self.target_id is None else f"{self.level}:{self.target_id}"


EVERYTHING = HaltScope(HaltLevel.GLOBAL)


class TradeScope(NamedTuple):
    """Where an order belongs.

    Attributes:
        venue_id, account_id: where it is sent.
        strategy_id: in whose name; ``None``: nobody's.
    """

    venue_id: int
    account_id: int
    strategy_id: int | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of all scopes that cover the order, the widest first."""
        scopes = [
            EVERYTHING,
            HaltScope(HaltLevel.VENUE, self.venue_id),
            HaltScope(HaltLevel.ACCOUNT, self.account_id),
            HaltScope(HaltLevel.VENUE_STATE, self.venue_id),
            HaltScope(HaltLevel.ACCOUNT_KEY, self.account_id),
        ]
        if self.strategy_id is not None:
            scopes.append(HaltScope(HaltLevel.STRATEGY, self.strategy_id))
        return tuple(scope.key for scope in scopes)


def strictest(states: Iterable[TradingState]) -> TradingState:
    """Return the strictest of some states; without any, trading is active.

    >>> strictest([TradingState.ACTIVE, TradingState.HALTED, TradingState.REDUCING]).value
    'halted'
    """
    order = list(TradingState)
    return max(states, key=order.index, default=TradingState.ACTIVE)


def may_send(state: TradingState, *, is_reducing: bool) -> bool:
    """Return whether an order may be written or sent.

    Args:
        state: the strictest of those that cover the order.
        is_reducing: whether it brings an exposure down.
    """
    return state is TradingState.ACTIVE or (state is TradingState.REDUCING and is_reducing)
