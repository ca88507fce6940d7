"""The table at the end: what went wrong, what became of it, and whether everything held."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from tests.chaos.diary import Diary, Kill, Tallies
from tests.chaos.evidence import Evidence, ExecutionRow
from tests.chaos.invariants import ENDED_EXECUTIONS

ROWS_MAX = 20
"""Violations of one invariant that are shown; all of them are in the report's file."""
WIDTH = 44


def describe(
    *, evidence: Evidence, diary: Diary, tallies: Tallies, violations: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """Yield the lines of the report."""
    yield from _table("what went wrong", diary.done)
    yield from _table("of these, what met a request or a message", diary.strikes.total)
    if diary.given_up:
        yield from _table("could not be done, the target was away all the time", diary.given_up)
    yield from _table("what people did about it", diary.people)
    yield from _table("executions", Counter(row.state for row in evidence.executions))
    yield from _table("orders", Counter(row.state for row in evidence.orders))
    yield from _table("orders at the venues", Counter(row.state for row in evidence.venue_orders))
    yield from _table("repairs", tallies.repairs)
    yield from _table(
        "look-ups", {"orders looked up": tallies.looked_up, "look-ups": tallies.lookups}
    )
    yield from _table("errors logged", tallies.errors)
    yield from describe_recoveries(diary.kills, evidence.executions)
    yield from describe_spans(evidence.executions)
    yield from describe_takeovers(diary.kills, evidence)
    yield ""
    yield "what must be true"
    for claim, found in violations.items():
        yield f"  {'ok  ' if not found else 'FAIL'}  {claim}"
        for line in found[:ROWS_MAX]:
            yield f"          {line}"
        if len(found) > ROWS_MAX:
            yield f"          … and {len(found) - ROWS_MAX} more"


def describe_takeovers(kills: Sequence[Kill], evidence: Evidence) -> Iterator[str]:
    """Yield how often strategies changed hands, and how soon those of a killed engine did."""
    if not evidence.leases:
        return
    spans = sorted(span for kill in kills if (span := time_to_takeover(kill, evidence)) is not None)
    shown = f"{spans[len(spans) // 2]:.1f}, {spans[-1]:.1f}" if spans else "–"
    streamed = sum(row.fence > 0 for row in evidence.executions)
    dead = sum(bool(row.before) for row in evidence.leases)
    yield ""
    yield f"engines: {streamed} of {len(evidence.executions)} executions were begun by streams;"
    yield f"  {len(evidence.leases)} leases were taken, {dead} of them from a dead engine;"
    yield f"  until all of a killed one's were taken [s]: median, longest: {shown}"


def time_to_takeover(kill: Kill, evidence: Evidence) -> float | None:
    """Return how long it took until all that a killed engine had held was taken over [s].

    ``None``: it was no engine, or it held nothing.
    """
    if kill.kind != "engine killed":
        return None
    taken = [
        row.taken_at
        for row in evidence.leases
        if f":{kill.pid}:" in row.before and row.taken_at > kill.at
    ]
    return (max(taken) - kill.at).total_seconds() if taken else None


def describe_recoveries(kills: Sequence[Kill], executions: Sequence[ExecutionRow]) -> Iterator[str]:
    """Yield, by kind of kill, how long it took until the next arbitrage began."""
    spans: dict[str, list[float]] = {}
    for kill in kills:
        after = time_to_next(kill.at, executions)
        if after is not None:
            spans.setdefault(kill.kind, []).append(after)
    yield ""
    yield f"{'processes':{WIDTH}} times   until the next arbitrage began [s]: median, longest"
    counts = Counter(kill.kind for kill in kills)
    for kind, count in sorted(counts.items()):
        found = sorted(spans.get(kind, ()))
        shown = f"{found[len(found) // 2]:6.1f}  {found[-1]:6.1f}" if found else "     –       –"
        yield f"  {kind:{WIDTH - 2}} {count:5}   {shown}"


def time_to_next(at: datetime, executions: Sequence[ExecutionRow]) -> float | None:
    """Return how long after a moment the next arbitrage began [s]; ``None``: none did."""
    later = [row.created_at for row in executions if row.created_at > at]
    return (min(later) - at).total_seconds() if later else None


def describe_spans(executions: Sequence[ExecutionRow]) -> Iterator[str]:
    """Yield, by end state, how long executions took."""
    yield ""
    yield f"{'how long executions took':{WIDTH}} times   [s]: median, 99 %, longest"
    for state in sorted(ENDED_EXECUTIONS):
        spans = sorted(
            (row.finished_at - row.created_at).total_seconds()
            for row in executions
            if row.state == state and row.finished_at is not None
        )
        if spans:
            middle, late = spans[len(spans) // 2], spans[len(spans) * 99 // 100]
            yield (
                f"  {state:{WIDTH - 2}} {len(spans):5}   {middle:6.1f}  {late:6.1f}  "
                f"{spans[-1]:6.1f}"
            )


def _table(title: str, rows: Mapping[str, int]) -> Iterator[str]:
    yield ""
    yield f"{title:{WIDTH}} {sum(rows.values()):5}"
    for name, count in sorted(rows.items()):
        yield f"  {name:{WIDTH - 2}} {count:5}"
