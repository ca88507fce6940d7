"""Figures of the feeds of each engine and venue, few enough for whoever watches them all day."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from markets.domain.feeds import FeedState
from markets.feed.store import StoredStatus


@dataclass(frozen=True, slots=True)
class FeedFigures:
    """The feeds of one venue, as one engine follows them.

    Attributes:
        engine: name of the engine.
        venue: code of the venue.
        states: how many are in each state.
        age_ms: of the oldest proof that a healthy book is current; ``None``: none is healthy [ms].
        breaks: gaps, wrong checksums and broken books since these feeds were opened.
        reconnects: how often their connections were opened again.
    """

    engine: str
    venue: str
    states: Mapping[FeedState, int]
    age_ms: int | None
    breaks: int
    reconnects: int


def sum_up(feeds: Iterable[StoredStatus], now_ms: int) -> list[FeedFigures]:
    """Return the figures of every engine and venue.

    Args:
        feeds: as engines describe them.
        now_ms: the present moment [ms since epoch].
    """
    groups: dict[tuple[str, str], list[StoredStatus]] = {}
    for row in feeds:
        groups.setdefault((row.writer, row.status.venue), []).append(row)
    return [_figures(engine, venue, rows, now_ms) for (engine, venue), rows in groups.items()]


def _figures(engine: str, venue: str, rows: list[StoredStatus], now_ms: int) -> FeedFigures:
    proofs_ms = [row.confirmed_at_ms for row in rows if row.confirmed_at_ms is not None]
    return FeedFigures(
        engine,
        venue,
        Counter(row.status.state for row in rows),
        max(0, now_ms - min(proofs_ms)) if proofs_ms else None,
        sum(row.status.gap_count for row in rows),
        sum(row.status.reconnect_count for row in rows),
    )
