"""Tell whoever is looking what became of strategies and executions, once it is committed."""

from collections.abc import Collection
from typing import Final

from django.db import transaction

from arbplatform.push.publisher import publish_many, publish_on_commit
from arbplatform.push.topics import TopicKind
from strategies.models import Execution, Strategy
from strategies.services.failures import Failure

STARTED: Final = "started"
STOPPING: Final = "stopping"
STOPPED: Final = "stopped"
FAULTED: Final = "faulted"
DECIDED: Final = "decided"


def announce_execution(execution: Execution) -> None:
    """Tell that an execution began, or came into another state."""
    publish_on_commit(
        TopicKind.EXECUTIONS,
        {
            "id": execution.pk,
            "strategy_id": execution.strategy_id,
            "state": execution.state,
            "leg_count": execution.leg_count,
            "expected_profit": execution.expected_profit,
            "realised_profit": execution.realised_profit,
            "is_acknowledged": execution.acknowledged_at is not None,
            "created_at": execution.created_at,
            "finished_at": execution.finished_at,
        },
    )


def announce_strategy(strategy: Strategy, event: str) -> None:
    """Tell that a strategy came into another state.

    Args:
        strategy: as it is now.
        event: one of the words above.
    """
    failure = None
    if event == FAULTED:
        failure = Failure(strategy.to_error(), strategy.last_error_code)
    publish_on_commit(
        TopicKind.STRATEGIES,
        {
            "id": strategy.pk,
            "event": event,
            "name": strategy.name,
            "state": strategy.state,
            "error": _error(failure),
        },
    )


def announce_decision(
    strategy_id: int,
    *,
    opportunity_count: int,
    execution_count: int,
    failure: Failure | None = None,
) -> None:
    """Tell that a strategy has looked, and in figures what it found.

    Args:
        strategy_id: of the strategy.
        opportunity_count: that it wrote down.
        execution_count: that it carried out.
        failure: what went wrong; ``None``: nothing did.
    """
    publish_on_commit(
        TopicKind.STRATEGIES, _decision(strategy_id, opportunity_count, execution_count, failure)
    )


def announce_quiet(strategy_ids: Collection[int]) -> None:
    """Tell that strategies have looked and found nothing to trade."""
    messages = [(TopicKind.STRATEGIES, _decision(each, 0, 0, None)) for each in strategy_ids]
    if messages:
        transaction.on_commit(lambda: publish_many(messages), robust=True)


def _decision(
    strategy_id: int, opportunity_count: int, execution_count: int, failure: Failure | None
) -> dict[str, object]:
    return {
        "id": strategy_id,
        "event": DECIDED,
        "opportunity_count": opportunity_count,
        "execution_count": execution_count,
        "error": _error(failure),
    }


def _error(failure: Failure | None) -> dict[str, object] | None:
    """Return what went wrong as messages bring it."""
    if failure is None:
        return None
    return {"code": failure.code, "message": failure.message}
