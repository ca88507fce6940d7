"""What strategies did: one since it was last explained, and all since the engine began."""

from dataclasses import dataclass

from strategies.services.decisions import Findings
from strategies.services.streaming import StreamReport


@dataclass(slots=True)
class Tally:
    """The sums, and what is worth telling; an execution is told even if others followed."""

    findings: Findings | None = None
    has_executed: bool = False
    decisions: int = 0
    opportunities: int = 0
    executions: int = 0
    failures: int = 0

    def add(self, report: StreamReport) -> None:
        """Count a decision."""
        self.decisions += 1
        self.opportunities += report.written_count
        self.executions += report.execution_count
        self.failures += bool(report.error)
        if report.findings is not None and (report.execution_count or not self.has_executed):
            self.findings = report.findings
            self.has_executed = bool(report.execution_count)


@dataclass(slots=True)
class Counts:
    """What all deciders of an engine did, since it began.

    Attributes:
        nominated: updates that a nominator said yes to.
        conflated: of those, the ones that found a decision due already.
        decided: decisions that were made.
        superseded: decisions given up because a newer book came.
        executed: intents that were carried out.
        failed: decisions that went wrong.
    """

    nominated: int = 0
    conflated: int = 0
    decided: int = 0
    superseded: int = 0
    executed: int = 0
    failed: int = 0
