"""The figures of a whole run: as one line of JSON, and as the table of ``benchmarks/README.md``."""

import json
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.parts.catalogue import TARGETS
from benchmarks.parts.results import show
from benchmarks.parts.runner import Result

Summary = Mapping[str, Any]

FOLDER = Path(__file__).resolve().parents[1]
FIGURES = FOLDER / "figures.json"
README = FOLDER / "README.md"
BEGIN, END = "<!-- figures: begin -->\n", "<!-- figures: end -->\n"


def describe_machine() -> dict[str, str | int]:
    """Return what the figures were measured on."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return {
        "cores": os.cpu_count() or 0,
        "cpu": models[0] if models else platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "load": f"{os.getloadavg()[0]:.1f}",
    }


def summarize(
    results: Iterable[Result], *, machine: Mapping[str, str | int], seconds: float, is_quick: bool
) -> dict[str, Any]:
    """Return what a run found, ready for JSON."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": dict(machine),
        "is_quick": is_quick,
        "seconds": round(seconds),
        "benchmarks": [
            {
                "name": result.name,
                "seconds": round(result.seconds),
                "trouble": result.trouble,
                "rows": [{**asdict(row), "verdict": row.verdict} for row in result.rows],
            }
            for result in results
        ],
    }


def read_summary(text: str) -> Summary:
    """Return the summary that the output of a run ends with.

    Raises:
        SystemExit: there is none.
    """
    lines = [line for line in text.splitlines() if line.startswith("{")]
    if not lines:
        raise SystemExit("No line begins with {: this is not the output of python -m benchmarks.")
    found: Summary = json.loads(lines[-1])
    return found


def write_readme(summary: Summary) -> None:
    """Put the figures of a run into the README, in the place of those of the last one."""
    text = README.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{README} has no place for figures: {BEGIN.strip()} … {END.strip()}")
    README.write_text(before + begin + to_markdown(summary) + end + after, encoding="utf-8")


def to_markdown(summary: Summary) -> str:
    """Return the figures of a run as what the README says of them."""
    machine = summary["machine"]
    head = (
        f"Measured on {summary['at'][:10]} in one run of {summary['seconds']:,} s on "
        f"{machine['cpu']}, {machine['cores']} cores,\n{machine['system']}, Python "
        f"{machine['python']}; load {machine['load']} when it began."
    )
    lines = [head]
    names = [benchmark.name for benchmark in TARGETS]
    parts: dict[str, list[str]] = {"targets": [], "others": [], "beside": []}
    for found in summary["benchmarks"]:
        is_target = found["name"].partition(",")[0] in names
        for row in found["rows"]:
            part = "beside" if not row["target"] else "targets" if is_target else "others"
            parts[part].append(_cells(row))
    for title, part in (
        ("What the engine was built to reach", "targets"),
        ("Other targets", "others"),
        ("For information", "beside"),
    ):
        if parts[part]:
            lines += ["", f"### {title}", "", *HEAD, *parts[part]]
    left_out = [found["name"] for found in summary["benchmarks"] if not found["rows"]]
    if left_out:
        lines += ["", f"Left out for want of time: {', '.join(left_out)}."]
    return "\n".join(lines) + "\n"


HEAD = (
    "| what | ours | reference of the same run | ratio | target | |",
    "|---|---:|---|---:|---|---|",
)


def _cells(row: Mapping[str, Any]) -> str:
    """Return a row as a line of a table in Markdown."""
    unit = row["unit"]
    beside = ""
    if row["reference"] is not None:
        beside = f"{row['reference_name']}: {show(row['reference'])} {unit}".strip()
    cells = (
        row["name"].strip(),
        f"{show(row['figure'])} {unit}".strip(),
        beside,
        "" if row["ratio"] is None else f"{show(row['ratio'])} ×",
        row["target"],
        {"met": "met", "MISSED": "**missed**"}.get(row["verdict"], ""),
    )
    return f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |")
