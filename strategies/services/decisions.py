"""What a tick saw and decided, as JSON for the strategy's page and the API.

Sentences are kept as template and context, so that each reader gets them in their own language.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from arbplatform.core.decimals import to_plain
from arbplatform.core.errors import ArbError
from arbplatform.core.masking import redact
from arbplatform.core.sentences import message_from_json
from arbplatform.core.texts import storable
from arbplatform.persistence.sentences import keep_document
from arbplatform.wording import render
from strategies.models import Execution, Opportunity, Reason
from strategies.sdk import Evaluation, Intent, MarketKey, Rejection
from strategies.services.opportunities import LeftIntent

SHOWN_MAX = 10
"""At most so many intents, rejections and missing books are kept, the best first."""


@dataclass(frozen=True, slots=True)
class BookFailure:
    """A book that could not be had."""

    key: MarketKey
    error: ArbError


@dataclass(frozen=True, slots=True)
class Findings:
    """All that a tick found.

    Attributes:
        at: the moment of the decision.
        evaluation: the plugin's opinion.
        failures: books that could not be had.
        executions: what was carried out.
        left: what was not, and why.
    """

    at: datetime
    evaluation: Evaluation
    failures: Sequence[BookFailure]
    executions: Sequence[Execution]
    left: Sequence[LeftIntent]


def describe_findings(findings: Findings) -> dict[str, Any]:
    """Return the findings as JSON values, bounded in size."""
    rejections = sorted(findings.evaluation.rejections, key=_by_edge)
    executed = {execution.opportunity.summary: execution for execution in findings.executions}
    return {
        "at": findings.at.isoformat(),
        "intent_count": len(findings.evaluation.intents),
        "rejection_count": len(rejections),
        "executed": [
            {"execution_id": execution.pk, "summary": summary, "state": execution.state}
            for summary, execution in executed.items()
        ],
        "left": [
            {
                **_intent_to_json(item.intent),
                "decision": item.decision.value,
                "reason": item.reason.value,
                **({"message": keep_document(item.message)} if item.message else {}),
            }
            for item in findings.left[:SHOWN_MAX]
        ],
        "rejections": [_rejection_to_json(item) for item in rejections[:SHOWN_MAX]],
        "missing_books": [
            {
                "venue": failure.key.venue,
                "symbol": failure.key.symbol,
                "code": failure.error.code,
                "message": keep_document(failure.error.message),
            }
            for failure in findings.failures[:SHOWN_MAX]
        ],
    }


def render_decision(decision: Mapping[str, Any]) -> dict[str, Any]:
    """Return what ``describe_findings`` wrote, its sentences in the active language.

    The console and the API both show it, each in its reader's language.
    """
    rendered = dict(decision)
    for part in ("rejections", "missing_books"):
        rendered[part] = [
            {**row, "message": render(message_from_json(row.get("message") or {}))}
            for row in decision.get(part) or []
        ]
    rendered["left"] = [
        {**row, "reason_text": _reason_text(row)} for row in decision.get("left") or []
    ]
    return rendered


def render_steps(steps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the steps of a repair, their reasons in the active language."""
    return [
        {**step, "message": render(message_from_json(step.get("message") or {}))} for step in steps
    ]


def render_reason(opportunity: Opportunity) -> str:
    """Return why an opportunity was left, with its figures, in the active language."""
    denial = opportunity.evidence.get("denial")
    return _reason_text({"reason": opportunity.reason, "message": denial})


def _reason_text(row: Mapping[str, Any]) -> str:
    """Return why an intent was left: with its figures, if there are any."""
    if row.get("message"):
        return render(message_from_json(row["message"]))
    reason = row.get("reason", "")
    return str(Reason(reason).label) if reason in Reason.values else reason


def _by_edge(rejection: Rejection) -> tuple[bool, Decimal]:
    """Sort the best edge first and those without one last."""
    edge_bps = rejection.edge_bps
    return (True, Decimal(0)) if edge_bps is None else (False, -edge_bps)


def _intent_to_json(intent: Intent) -> dict[str, str]:
    return {
        "summary": storable(intent.summary),
        "edge_bps": to_plain(intent.edge_bps),
        "notional": to_plain(intent.notional),
        "expected_profit": to_plain(intent.expected_profit),
        "profit_asset": intent.profit_asset,
    }


def _rejection_to_json(rejection: Rejection) -> dict[str, Any]:
    edge_bps = rejection.edge_bps
    return {
        "subject": storable(redact(rejection.subject)),
        "code": storable(redact(rejection.code)),
        "edge_bps": None if edge_bps is None else to_plain(edge_bps),
        "message": keep_document(rejection.message),
    }
