"""What strategies on streams found, written down once a second for all that an engine runs."""

import logging
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson
from django.db import InterfaceError, OperationalError, connection, transaction

from arbplatform.core.clock import Clock
from arbplatform.persistence.retries import retried
from strategies.selectors.engines import lock_claimed
from strategies.services.announcements import announce_decision
from strategies.services.claims import TickClaim
from strategies.services.decisions import Findings, describe_findings
from strategies.services.endings import warn_of_books

logger = logging.getLogger(__name__)

CHUNK: Final = 100
"""Strategies of one transaction: on SQLite nobody else writes in the meantime."""

_TELL = """
    UPDATE strategies_strategy
    SET last_decision = COALESCE({decision}, strategies_strategy.last_decision),
        failure_count = CASE WHEN told.column3 = 1 THEN 0 ELSE failure_count END
    FROM (VALUES {rows}) AS told
    WHERE strategies_strategy.id = told.column1"""

_COUNT = """
    UPDATE strategies_run
    SET tick_count = tick_count + told.column2,
        opportunity_count = opportunity_count + told.column3,
        execution_count = execution_count + told.column4
    FROM (VALUES {rows}) AS told
    WHERE strategies_run.id = told.column1"""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a strategy did since it was last explained.

    Attributes:
        claim: of its engine.
        run_id: of the run.
        findings: of the newest decision, or of the newest that carried something out.
        decision_count: decisions.
        opportunity_count: opportunities that they wrote down.
        execution_count: intents that they carried out.
        is_well: whether no decision failed.
    """

    claim: TickClaim
    run_id: int
    findings: Findings | None
    decision_count: int
    opportunity_count: int
    execution_count: int
    is_well: bool

    def after(self, earlier: "Explanation") -> "Explanation":
        """Return this one with what an earlier one counted, which could not be written."""
        return replace(
            self,
            findings=self.findings or earlier.findings,
            decision_count=earlier.decision_count + self.decision_count,
            opportunity_count=earlier.opportunity_count + self.opportunity_count,
            execution_count=earlier.execution_count + self.execution_count,
        )


def join(explanations: Iterable[Explanation]) -> list[Explanation]:
    """Return one explanation for each lease.

    Args:
        explanations: the earlier ones of a lease first.
    """
    joined: dict[tuple[int, str], Explanation] = {}
    for item in explanations:
        key = (item.claim.strategy_id, item.claim.token)
        earlier = joined.get(key)
        joined[key] = item if earlier is None else item.after(earlier)
    return list(joined.values())


def write_explanations(
    *, explanations: Sequence[Explanation], clock: Clock
) -> Sequence[Explanation]:
    """Write down what strategies found and how often they decided, many in one transaction.

    What belongs to a lease that somebody else has by now is only counted, and so is what cannot be
    written, such as a text of a plugin that no database takes: it hides nobody else's.

    Args:
        explanations: one of each lease at most.
        clock: tells the time.

    Returns:
        Those that could not be written, since the database is away.
    """
    # the same order for every engine: two of them hardly ever wait for each other
    ordered = sorted(explanations, key=lambda item: item.claim.strategy_id)
    waiting = deque(ordered[start : start + CHUNK] for start in range(0, len(ordered), CHUNK))
    written: list[Explanation] = []
    while waiting:
        chunk = waiting.popleft()
        try:
            _write(chunk)
            written += chunk
        except (OperationalError, InterfaceError) as error:
            logger.warning("What strategies found is written down later: %s", error)
            return [item for part in (chunk, *waiting) for item in part]
        except Exception as error:  # noqa: BLE001  it is told of the strategy that it belongs to
            waiting.extendleft(reversed(_set_apart(chunk, error)))
    missing = {item.claim.strategy_id: item.findings.failures for item in written if item.findings}
    warn_of_books(missing, now=clock.now())
    return ()


def _set_apart(chunk: Sequence[Explanation], error: Exception) -> list[list[Explanation]]:
    """Return what to write instead of a chunk of which something cannot be written."""
    if len(chunk) > 1:
        half = len(chunk) // 2
        return [list(chunk[:half]), list(chunk[half:])]
    item = chunk[0]
    pk = item.claim.strategy_id
    logger.error("What strategy %s found cannot be written down", pk, exc_info=error)
    return [[replace(item, findings=None)]] if item.findings else []


@retried
@transaction.atomic
def _write(chunk: Sequence[Explanation]) -> None:
    # strategies before their runs, and by id, as everybody locks them
    tokens = {item.claim.strategy_id: item.claim.token for item in chunk}
    mine = set(lock_claimed(tokens, is_patient=True))
    told = [
        (item, item.findings)
        for item in chunk
        if item.claim.strategy_id in mine and item.claim.token == tokens[item.claim.strategy_id]
    ]
    _tell([(item, None if found is None else describe_findings(found)) for item, found in told])
    _count(chunk)
    for item in chunk:
        if item.findings is not None:
            announce_decision(
                item.claim.strategy_id,
                opportunity_count=item.opportunity_count,
                execution_count=item.execution_count,
            )


def _tell(described: Sequence[tuple[Explanation, dict[str, Any] | None]]) -> None:
    values = [
        value
        for item, decision in described
        if decision is not None or item.is_well
        for value in (
            item.claim.strategy_id,
            None if decision is None else orjson.dumps(decision).decode(),
            int(item.is_well),
        )
    ]
    cast = "::jsonb" if connection.vendor == "postgresql" else ""
    _execute(_TELL.replace("{decision}", f"told.column2{cast}"), values, 3)


def _count(chunk: Sequence[Explanation]) -> None:
    sums: dict[int, list[int]] = {}
    for item in chunk:
        counts = sums.setdefault(item.run_id, [0, 0, 0])
        counts[0] += item.decision_count
        counts[1] += item.opportunity_count
        counts[2] += item.execution_count
    values = [value for run_id in sorted(sums) for value in (run_id, *sums[run_id])]
    _execute(_COUNT, values, 4)


def _execute(sql: str, values: Sequence[Any], width: int) -> None:
    if values:
        row = f"({', '.join(['%s'] * width)})"
        rows = ", ".join([row] * (len(values) // width))
        with connection.cursor() as cursor:
            cursor.execute(sql.replace("{rows}", rows), values)
