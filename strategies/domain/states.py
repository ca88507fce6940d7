"""The lives of strategies and executions."""

from enum import StrEnum

from arbplatform.core.transitions import TransitionTable


class StrategyState(StrEnum):
    """Whether a strategy trades."""

    STOPPED = "stopped"
    RUNNING = "running"
    STOPPING = "stopping"
    """No new tick starts; the one that runs is let finish."""
    FAULTED = "faulted"
    """Stopped by the platform because it cannot go on; a person has to look."""


class StrategyDriver(StrEnum):
    """What makes a strategy decide. The decision is the same."""

    STREAM = "stream"
    """An engine process, on every change of an order book that it watches."""
    SCHEDULE = "schedule"
    """Beat, once per interval; a worker fetches the order books for it."""


class StrategyEvent(StrEnum):
    """What can happen to a strategy."""

    START = "start"
    STOP = "stop"
    SETTLE = "settle"
    FAULT = "fault"


STRATEGY_TRANSITIONS: TransitionTable[StrategyState, StrategyEvent] = TransitionTable(
    name="strategy",
    edges={
        (StrategyState.STOPPED, StrategyEvent.START): StrategyState.RUNNING,
        (StrategyState.FAULTED, StrategyEvent.START): StrategyState.RUNNING,
        (StrategyState.RUNNING, StrategyEvent.STOP): StrategyState.STOPPING,
        (StrategyState.RUNNING, StrategyEvent.FAULT): StrategyState.FAULTED,
        (StrategyState.STOPPING, StrategyEvent.SETTLE): StrategyState.STOPPED,
        (StrategyState.STOPPING, StrategyEvent.FAULT): StrategyState.FAULTED,
        (StrategyState.FAULTED, StrategyEvent.STOP): StrategyState.STOPPED,
    },
)


class ExecutionState(StrEnum):
    """How an arbitrage ended, or that it has not."""

    EXECUTING = "executing"
    COMPLETED = "completed"
    """The legs match; what is left over, if anything, is less than the venues take."""
    INCOMPLETE = "incomplete"
    """Some leg fell short: what is missing is being sent, or what is too much reversed."""
    UNWOUND = "unwound"
    """Some leg fell short, and what had been filled was reversed."""
    HELD = "held"
    """An exposure is left that could not be repaired within the limits: a person decides."""
    FAILED = "failed"
    """Nothing was filled."""
    UNKNOWN = "unknown"
    """Some order's outcome is not known yet."""


class ExecutionEvent(StrEnum):
    """What can happen to an execution."""

    COMPLETE = "complete"
    FALL_SHORT = "fall_short"
    UNWIND = "unwind"
    HOLD = "hold"
    FAIL = "fail"
    LOSE_TRACK = "lose_track"
    REOPEN = "reopen"
    """A person has the repair of a held one begun anew."""


EXECUTION_TRANSITIONS: TransitionTable[ExecutionState, ExecutionEvent] = TransitionTable(
    name="execution",
    edges={
        **{
            (source, event): target
            for source in (ExecutionState.EXECUTING, ExecutionState.UNKNOWN)
            for event, target in (
                (ExecutionEvent.COMPLETE, ExecutionState.COMPLETED),
                (ExecutionEvent.UNWIND, ExecutionState.UNWOUND),
                (ExecutionEvent.FALL_SHORT, ExecutionState.INCOMPLETE),
                (ExecutionEvent.FAIL, ExecutionState.FAILED),
            )
        },
        (ExecutionState.EXECUTING, ExecutionEvent.LOSE_TRACK): ExecutionState.UNKNOWN,
        (ExecutionState.INCOMPLETE, ExecutionEvent.LOSE_TRACK): ExecutionState.UNKNOWN,
        (ExecutionState.INCOMPLETE, ExecutionEvent.COMPLETE): ExecutionState.COMPLETED,
        (ExecutionState.INCOMPLETE, ExecutionEvent.UNWIND): ExecutionState.UNWOUND,
        (ExecutionState.INCOMPLETE, ExecutionEvent.HOLD): ExecutionState.HELD,
        (ExecutionState.HELD, ExecutionEvent.REOPEN): ExecutionState.INCOMPLETE,
        # a fill that the venue reports late changes how the execution ended
        **{
            (source, ExecutionEvent.FALL_SHORT): ExecutionState.INCOMPLETE
            for source in (ExecutionState.FAILED, ExecutionState.COMPLETED, ExecutionState.UNWOUND)
        },
        (ExecutionState.FAILED, ExecutionEvent.COMPLETE): ExecutionState.COMPLETED,
        (ExecutionState.HELD, ExecutionEvent.COMPLETE): ExecutionState.COMPLETED,
        (ExecutionState.HELD, ExecutionEvent.UNWIND): ExecutionState.UNWOUND,
    },
)

FINISHED_STATES = frozenset(
    {
        ExecutionState.COMPLETED,
        ExecutionState.UNWOUND,
        ExecutionState.HELD,
        ExecutionState.FAILED,
    }
)
"""States in which nothing more is sent for an execution."""
