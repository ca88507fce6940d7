"""Write down what strategies saw.

An opportunity that is traded is always written down. One that is not comes again with every tick
as long as it lasts, so it is written down when it is first seen, when the reason for leaving it
changes, and once per ``REPEAT_AFTER_S`` while nothing changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext_noop as _

from arbplatform.core.errors import Message
from arbplatform.persistence.sentences import keep_document
from ledger.models import LogEntry, LogLevel
from ledger.services.logs import draft_log, write_logs
from markets.models import Asset, Market
from strategies.domain.evidence import to_evidence
from strategies.models import Decision, Opportunity, Reason
from strategies.sdk import Intent, MarketKey, MarketView
from strategies.selectors import list_last_seen

REPEAT_AFTER_S = 60
LEFT_PER_TICK_MAX = 5
"""Of the opportunities that one tick leaves, at most so many of the best are written down."""
LAST_SEEN_MAX = 200
"""Rows that are looked at to find out whether an opportunity is a repetition."""
ALARMING = frozenset(
    {Reason.EDGE_ABOVE_CAP, Reason.TICKER_MISMATCH, Reason.DEPEG, Reason.MARKET_SUSPENDED}
)
"""Denials that a person should look into: what was seen was too good, or not what it seemed."""
_EXECUTED = Decision.EXECUTED.value
SUMMARY_LENGTH_MAX = 200
ROUTE_LENGTH_MAX = 400


@dataclass(frozen=True, slots=True)
class Sighting:
    """What is the same for all opportunities of one tick.

    Attributes:
        strategy_id, run_id: whose tick.
        detected_at: when the view was evaluated.
        view: what was evaluated.
        params: with which parameters, as JSON.
        depth: how many levels of each side of a book count.
        markets: of the view.
        offsets_ms: our clock minus that of each venue where it was measured [ms].
    """

    strategy_id: int
    run_id: int
    detected_at: datetime
    view: MarketView
    params: Mapping[str, Any]
    depth: int
    markets: Mapping[MarketKey, Market]
    offsets_ms: Mapping[str, int]

    def asset_id_of(self, intent: Intent) -> int:
        """Return the id of the asset in which ``intent`` makes its profit."""
        for leg in intent.legs:
            key = MarketKey(leg.venue, leg.symbol)
            rules, market = self.view.rules[key], self.markets[key]
            if rules.base == intent.profit_asset:
                return market.base_id
            if rules.quote == intent.profit_asset:
                return market.quote_id
        return Asset.objects.get(code=intent.profit_asset).pk


@dataclass(frozen=True, slots=True)
class LeftIntent:
    """An intent that was not carried out, and why.

    Attributes:
        intent: what was wanted.
        decision: what was done about it.
        reason: why.
        message: the same with figures, if there are any.
    """

    intent: Intent
    decision: Decision
    reason: Reason
    message: Message | None = None


def draft_opportunity(
    *, sighting: Sighting, intent: Intent, pk: int, asset_id: int
) -> dict[str, Any]:
    """Return the values by column of an opportunity that is about to be carried out.

    Args:
        sighting: the tick's view.
        intent: what is carried out.
        pk: id of the row.
        asset_id: in which it makes its profit.
    """
    values = _values_of(sighting, intent, asset_id)
    return {"id": pk, **values, "decision": _EXECUTED, "reason": ""}


def record_left(*, sighting: Sighting, left: Sequence[LeftIntent]) -> int:
    """Write down opportunities that were not traded, unless that was said just now; say how many.

    Args:
        sighting: the tick's view.
        left: best first; at most ``LEFT_PER_TICK_MAX`` of them are written down.
    """
    if not left:
        return 0
    seen = list_last_seen(
        run_id=sighting.run_id,
        since=sighting.detected_at - timedelta(seconds=REPEAT_AFTER_S),
        limit=LAST_SEEN_MAX,
    )
    news = [
        item
        for item in left[:LEFT_PER_TICK_MAX]
        if seen.get(route_of(item.intent)) != (item.decision.value, item.reason.value)
    ]
    write_logs(_draft_alarm(sighting, item) for item in news if item.reason in ALARMING)
    Opportunity.objects.bulk_create(_left_row(sighting, item) for item in news)
    return len(news)


def _left_row(sighting: Sighting, item: LeftIntent) -> Opportunity:
    values = _values_of(sighting, item.intent, sighting.asset_id_of(item.intent))
    if item.message is not None:
        values["evidence"]["denial"] = keep_document(item.message)
    return Opportunity(**values, decision=item.decision.value, reason=item.reason.value)


def _draft_alarm(sighting: Sighting, item: LeftIntent) -> LogEntry:
    return draft_log(
        strategy_id=sighting.strategy_id,
        level=LogLevel.WARNING,
        event=f"intent_{item.reason.value}",
        template=_("{summary} was not traded. {denial}"),
        summary=item.intent.summary,
        denial=item.message or item.reason.value,
    )


def route_of(intent: Intent) -> str:
    """Return what makes two opportunities the same: side, market and venue of every leg."""
    steps = [f"{leg.side} {leg.symbol} @ {leg.venue}" for leg in intent.legs]
    return " > ".join(steps)[:ROUTE_LENGTH_MAX]


def _values_of(sighting: Sighting, intent: Intent, asset_id: int) -> dict[str, Any]:
    """Return the values of a row by column, but for its id and what was decided."""
    evidence = to_evidence(
        view=sighting.view,
        params=sighting.params,
        intent=intent,
        depth=sighting.depth,
        offsets_ms=sighting.offsets_ms,
    )
    return {
        "strategy_id": sighting.strategy_id,
        "run_id": sighting.run_id,
        "detected_at": sighting.detected_at,
        "summary": intent.summary[:SUMMARY_LENGTH_MAX],
        "route": route_of(intent),
        "edge_bps": intent.edge_bps,
        "notional": intent.notional,
        "expected_profit": intent.expected_profit,
        "profit_asset_id": asset_id,
        "evidence": evidence,
    }
