"""A scan as plain values: what the API answers and clients are told."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings

from arbplatform.core.decimals import Bps, floor_to_step
from arbplatform.core.masking import redact
from arbplatform.push.publisher import publish
from arbplatform.push.topics import TopicKind
from arbplatform.wording import render
from strategies.services.scan_store import write_scan
from strategies.services.sightings import CONFIRMED_MAX, Scan, Sighting

_BPS_STEP = Bps("1e-8")


def publish_scan(scan: Scan) -> None:
    """Let everybody read a scan, and tell those who listen. Never raises."""
    write_scan(scan)
    best = scan.select(kind=None, by_profit=False, limit=CONFIRMED_MAX)
    publish(TopicKind.OPPORTUNITIES.value, to_rows(scan, best))


def to_rows(scan: Scan, sightings: Sequence[Sighting]) -> dict[str, Any]:
    """Return a scan with some of its sightings as plain values.

    Args:
        scan: figures and errors.
        sightings: what is to be shown of it.
    """
    return {
        "prices": scan.source.value,
        "scanned_at": scan.scanned_at,
        "took_ms": scan.took_ms,
        "reporting_asset": settings.REPORTING_ASSET,
        "venues": scan.venue_count,
        "markets": scan.markets,
        "pairs": scan.pairs,
        "cycles": scan.cycles,
        "nominated": scan.nominated,
        "feeds": [
            {"venue": venue, "prices": source.value} for venue, source in sorted(scan.feeds.items())
        ],
        "venue_errors": [
            {"venue": venue, "code": error.code, "message": redact(render(error.message))}
            for venue, error in sorted(scan.errors.items())
        ],
        "results": [_to_row(item) for item in sightings],
    }


def _to_row(item: Sighting) -> dict[str, Any]:
    nomination, intent = item.nomination, item.intent
    return {
        "kind": nomination.kind.value,
        "summary": nomination.subject,
        "is_suspicious": nomination.is_suspicious,
        "top_edge_bps": floor_to_step(nomination.edge.net_bps, _BPS_STEP),
        "edge_bps": None if intent is None else intent.edge_bps,
        "notional": None if intent is None else intent.notional,
        "expected_profit": None if intent is None else intent.expected_profit,
        "profit_asset": None if intent is None else intent.profit_asset,
        "profit": item.profit,
        "age_ms": item.age_ms,
        "standing_ms": item.standing_ms,
        "refusal": None if item.refusal is None else render(item.refusal),
        "legs": _to_legs(item),
    }


def _to_legs(item: Sighting) -> list[dict[str, Any]]:
    if item.intent is not None:
        return [
            {
                "venue": leg.venue,
                "symbol": leg.symbol,
                "side": leg.side.value,
                "quantity": leg.quantity,
                "limit_price": leg.limit_price,
            }
            for leg in item.intent.legs
        ]
    return [
        {
            "venue": step.key.venue,
            "symbol": step.key.symbol,
            "side": step.side.value,
            "quantity": None,
            "limit_price": None,
        }
        for step in item.nomination.steps
    ]
