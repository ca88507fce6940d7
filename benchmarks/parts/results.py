"""What a benchmark found, in rows that ``python -m benchmarks`` puts into one table.

A script ends with ``return report(rows)``: each row is printed for people and once more as JSON on
a line that begins with ``MARK``, which is how the runner reads it. The exit code is 0 when every
target is met.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from math import ceil

MARK = "@row "
"""Begins a line that holds a row as JSON."""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure beside its target and its reference.

    Attributes:
        name: what was measured, for people: "two legs sent, PostgreSQL: p50".
        figure: what came out [``unit``].
        unit: "ms", "orders/s", "MB", "%", "" for a plain number.
        target: what it should be, for people: "≤ 1.5 ms"; empty: the row is for information.
        is_met: whether it is; ``None`` for a row without a target.
        reference: what it is compared with, measured in the same run [``unit``].
        reference_name: what that is: "ccxt.pro alone".
        ratio: of figure and reference, the way that the target means it.
        note: one sentence, for instance why a target is missed.
    """

    name: str
    figure: float
    unit: str = ""
    target: str = ""
    is_met: bool | None = None
    reference: float | None = None
    reference_name: str = ""
    ratio: float | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """Whether the target is met, in one word; empty without a target."""
        return {None: "", True: "met", False: "MISSED"}[self.is_met]


def at_most(
    name: str,
    figure: float,
    unit: str,
    limit: float,
    *,
    reference: float | None = None,
    reference_name: str = "",
    ratio_max: float | None = None,
    is_turned: bool = False,
    note: str = "",
) -> Row:
    """Return a row whose figure should not exceed ``limit``.

    Args:
        name: what was measured.
        figure: ours [``unit``].
        unit: of figure, limit and reference.
        limit: that is the target.
        reference: theirs, of the same run.
        reference_name: who they are.
        ratio_max: figure by reference should not exceed that either.
        is_turned: the ratio is that of reference by figure: by how much ours is less.
        note: one sentence.
    """
    ratio = _divide(figure, reference)
    is_met = figure <= limit and (ratio is None or ratio_max is None or ratio <= ratio_max)
    if is_turned and reference is not None:
        ratio = _divide(reference, figure)
    target = f"≤ {limit:,g} {unit}".rstrip()
    if ratio_max is not None:
        target += f", ratio ≤ {ratio_max:g}"
    return Row(name, figure, unit, target, is_met, reference, reference_name, ratio, note)


def at_least(
    name: str,
    figure: float,
    unit: str,
    limit: float,
    *,
    reference: float | None = None,
    reference_name: str = "",
    note: str = "",
) -> Row:
    """Return a row whose figure should reach ``limit``."""
    ratio = _divide(figure, reference)
    target = f"≥ {limit:,g} {unit}".rstrip()
    return Row(name, figure, unit, target, figure >= limit, reference, reference_name, ratio, note)


def times_better(
    name: str,
    figure: float,
    unit: str,
    ratio_min: float,
    *,
    reference: float,
    reference_name: str,
    is_cost: bool = False,
    note: str = "",
) -> Row:
    """Return a row that should be ``ratio_min`` times better than its reference.

    Args:
        name: what was measured.
        figure: ours [``unit``].
        unit: of figure and reference.
        ratio_min: so many times better.
        reference: theirs, of the same run.
        reference_name: who they are.
        is_cost: less is better (durations), not more (rates).
        note: one sentence.
    """
    pair = (reference, figure) if is_cost else (figure, reference)
    ratio = _divide(*pair) or 0.0
    return Row(
        *(name, figure, unit, f"≥ {ratio_min:,g} x", ratio >= ratio_min),
        *(reference, reference_name, ratio, note),
    )


def report(rows: Iterable[Row]) -> int:
    """Print rows for people and for the runner; return the exit code of the script."""
    found = list(rows)
    for line in render(found):
        print(line)
    for row in found:
        print(MARK + json.dumps(asdict(row), ensure_ascii=False), flush=True)
    return 0 if all(row.is_met is not False for row in found) else 1


def read_row(line: str) -> Row | None:
    """Return the row that a line of a script's output holds; ``None`` for any other line."""
    return Row(**json.loads(line.removeprefix(MARK))) if line.startswith(MARK) else None


def render(rows: Sequence[Row]) -> list[str]:
    """Return rows as the lines of a table."""
    lines = []
    for row in rows:
        figure = f"{show(row.figure)} {row.unit}".rstrip()
        beside = ""
        if row.reference is not None:
            beside = f"{row.reference_name} {show(row.reference)} {row.unit}".strip()
        ratio = "" if row.ratio is None else f"{show(row.ratio)} x"
        line = f"{row.name:<58} {figure:>16}  {ratio:>9}  {beside:<40} {row.target:<24}"
        lines.append(f"{line} {row.verdict}".rstrip())
        if row.note:
            lines.append(f"    {row.note}")
    return lines


def show(value: float) -> str:
    """Return a number with about three digits that count."""
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.3g}"


def percentile(values: Iterable[float], share: float) -> float:
    """Return the least of ``values`` that at least ``share`` of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


def _divide(value: float, by: float | None) -> float | None:
    return value / by if by else None
