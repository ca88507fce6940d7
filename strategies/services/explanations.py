"""What strategies on streams found, written down once a second for all that an engine runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F

from arbplatform.core.clock import Clock
from arbplatform.persistence.retries import retried
from strategies.models import Run, Strategy
from strategies.services.announcements import announce_decision
from strategies.services.claims import TickClaim
from strategies.services.decisions import Findings, describe_findings
from strategies.services.endings import warn_of_books

CHUNK = 50
"""Strategies of one transaction: on SQLite nobody else writes in the meantime."""


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


def write_explanations(*, explanations: Sequence[Explanation], clock: Clock) -> None:
    """Write down what strategies found and how often they decided, some in one transaction.

    What belongs to a lease that somebody else has by now is only counted.

    Args:
        explanations: of different strategies.
        clock: tells the time.
    """
    # the same order for every engine: two of them cannot wait for each other
    ordered = sorted(explanations, key=lambda item: item.claim.strategy_id)
    described = [
        (item, describe_findings(item.findings) if item.findings else None) for item in ordered
    ]
    for start in range(0, len(described), CHUNK):
        _write(described[start : start + CHUNK])
    for item in ordered:
        if item.findings and item.findings.failures:
            warn_of_books(item.claim.strategy_id, item.findings.failures, now=clock.now())


@retried
@transaction.atomic
def _write(described: Sequence[tuple[Explanation, dict[str, object] | None]]) -> None:
    # strategies before their runs, as everybody locks them
    for item, decision in described:
        changes: dict[str, object] = {} if decision is None else {"last_decision": decision}
        if item.is_well:
            changes["failure_count"] = 0
        if changes:
            mine = Strategy.objects.filter(pk=item.claim.strategy_id, tick_token=item.claim.token)
            mine.update(**changes)
    for item, decision in described:
        Run.objects.filter(pk=item.run_id).update(
            tick_count=F("tick_count") + item.decision_count,
            opportunity_count=F("opportunity_count") + item.opportunity_count,
            execution_count=F("execution_count") + item.execution_count,
        )
        if decision is not None:
            announce_decision(
                item.claim.strategy_id,
                opportunity_count=item.opportunity_count,
                execution_count=item.execution_count,
            )
