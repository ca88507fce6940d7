"""What a strategy did since it was last explained."""

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
