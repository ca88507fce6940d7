"""What is written down when a tick ends, well or badly."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext_noop as _

from arbplatform.core.clock import Clock
from arbplatform.core.sentences import message_to_json
from arbplatform.core.texts import one_line
from arbplatform.persistence.retries import retried
from ledger.models import LogLevel
from ledger.services.logs import draft_log, write_log, write_logs
from strategies.domain.states import StrategyState
from strategies.models import Run, Strategy
from strategies.selectors import get_strategy, list_recent_causes, map_recent_causes, read_state
from strategies.services.announcements import announce_decision
from strategies.services.claims import TickClaim
from strategies.services.decisions import BookFailure
from strategies.services.failures import Failure
from strategies.services.runs import fault_strategy, settle_stopping

FAILURES_MAX = 5
"""After so many failed ticks in a row a strategy is stopped as faulted."""
REPEAT_AFTER = timedelta(minutes=1)
"""The same trouble is logged at most once in this time; it comes again with every tick."""
CAUSES_PER_TICK_MAX = 20


@dataclass(frozen=True, slots=True)
class TickEnding:
    """What a tick leaves behind.

    Attributes:
        decision: what it found; ``None`` keeps that of the tick before.
        opportunity_count: how many opportunities it wrote down.
        execution_count: how many it carried out.
        failure: what went wrong; None when nothing did.
    """

    decision: dict[str, Any] | None = field(default=None)
    opportunity_count: int = 0
    execution_count: int = 0
    failure: Failure | None = None


@retried
@transaction.atomic
def end_tick(*, claim: TickClaim, ending: TickEnding, clock: Clock) -> None:
    """Give a tick's claim back and write down what the tick came to.

    A claim that was lost in the meantime belongs to another tick: then only the run is counted.
    """
    now, failure = clock.now(), ending.failure
    changes: dict[str, Any] = {"tick_token": "", "tick_expires_at": None}
    if ending.decision is not None:
        changes["last_decision"] = ending.decision
    changes |= {"failure_count": 0} if failure is None else _noting(failure, now)
    Strategy.objects.filter(pk=claim.strategy_id, tick_token=claim.token).update(**changes)
    Run.objects.filter(strategy_id=claim.strategy_id, stopped_at__isnull=True).update(
        tick_count=F("tick_count") + 1,
        opportunity_count=F("opportunity_count") + ending.opportunity_count,
        execution_count=F("execution_count") + ending.execution_count,
    )
    announce_decision(
        claim.strategy_id,
        opportunity_count=ending.opportunity_count,
        execution_count=ending.execution_count,
        failure=failure,
    )
    if failure is not None:
        _log_failure(claim.strategy_id, failure, now)
        _fault_if_hopeless(claim.strategy_id, failure, clock)
    if read_state(claim.strategy_id) is StrategyState.STOPPING:
        settle_stopping(strategy_id=claim.strategy_id, clock=clock)


@retried
@transaction.atomic
def note_failure(*, claim: TickClaim, failure: Failure, clock: Clock) -> None:
    """Write down that a decision failed whose claim goes on, and stop what cannot go on.

    Args:
        claim: of the strategy; nothing is written if it is somebody else's by now.
        failure: what went wrong.
        clock: tells the time.
    """
    now = clock.now()
    mine = Strategy.objects.filter(pk=claim.strategy_id, tick_token=claim.token)
    if mine.update(**_noting(failure, now)):
        _log_failure(claim.strategy_id, failure, now)
        _fault_if_hopeless(claim.strategy_id, failure, clock)


def warn_of_books(failures: Mapping[int, Iterable[BookFailure]], *, now: datetime) -> None:
    """Log books that could not be had, each cause of each strategy at most once a minute.

    Args:
        failures: by strategy.
        now: the present moment.
    """
    causes = {
        pk: {f"{item.key.venue}:{item.error.code}": item for item in missing}
        for pk, missing in failures.items()
    }
    causes = {pk: by_cause for pk, by_cause in causes.items() if by_cause}
    if not causes:
        return
    known = map_recent_causes(causes.keys(), event="book_missing", since=now - REPEAT_AFTER)
    write_logs(
        draft_log(
            strategy_id=pk,
            level=LogLevel.WARNING,
            event="book_missing",
            template=_("No book of {symbol} from {venue}: {error}"),
            cause=cause,
            venue=item.key.venue,
            symbol=item.key.symbol,
            error=item.error,
        )
        for pk, by_cause in causes.items()
        for cause, item in list(by_cause.items())[:CAUSES_PER_TICK_MAX]
        if cause not in known[pk]
    )


def _noting(failure: Failure, now: datetime) -> dict[str, Any]:
    """Return the changes of a strategy that has failed once more."""
    return {
        "last_error": message_to_json(failure.message),
        "last_error_code": failure.code,
        "last_error_at": now,
        "failure_count": F("failure_count") + 1,
    }


def _log_failure(strategy_id: int, failure: Failure, now: datetime) -> None:
    cause = one_line(str(failure.message))[:100]
    known = list_recent_causes(
        strategy_id=strategy_id, event="tick_failed", since=now - REPEAT_AFTER
    )
    if cause not in known:
        write_log(
            strategy_id=strategy_id,
            level=LogLevel.ERROR,
            event="tick_failed",
            template=_("A tick failed: {error}"),
            cause=cause,
            error=failure.message,
        )


def _fault_if_hopeless(strategy_id: int, failure: Failure, clock: Clock) -> None:
    strategy = get_strategy(strategy_id)
    if strategy.failure_count >= FAILURES_MAX:
        fault_strategy(strategy_id=strategy_id, failure=failure, clock=clock)
