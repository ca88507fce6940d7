"""Runs the benchmarks and puts what they found into one table and one line of JSON.

``python -m benchmarks [--only NAME …] [--quick] [--all]``. Each is a script of its own, run on each
of its databases and stopped when that takes longer than its time, which is a missed row then. The
whole takes ten minutes at most: the targets of the engine come first, then everything else in turn
as long as time is left; what is left out is named. ``--all`` runs all in full, whatever it takes.
The last line of the output begins with ``{`` and is the JSON.

``python -m benchmarks --markdown [FILE]`` runs nothing: it puts the figures of a run into
``benchmarks/README.md``. FILE is what that run printed; without one it is the run of the last time,
kept in ``benchmarks/figures.json``.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.parts.catalogue import TOTAL_S, choose
from benchmarks.parts.processes import end_in_order
from benchmarks.parts.results import render
from benchmarks.parts.runner import Result, list_jobs, run_all
from benchmarks.parts.summary import (
    FIGURES,
    describe_machine,
    read_summary,
    summarize,
    write_readme,
)


def record(output: Path) -> None:
    """Keep the figures of the run that printed ``output``, and show them in the README.

    Raises:
        SystemExit: the file holds none, or those of a smoke test.
    """
    summary = read_summary(output.read_text(encoding="utf-8"))
    if summary["is_quick"]:
        raise SystemExit("That was a smoke test: its figures mean nothing.")
    FIGURES.write_text(json.dumps(summary, ensure_ascii=False) + "\n", encoding="utf-8")
    write_readme(summary)


def print_table(results: Sequence[Result]) -> None:
    """Print all rows, and how many benchmarks are good."""
    for result in results:
        print(f"\n{result.name} ({result.seconds:.0f} s) {result.trouble}".rstrip())
        for line in render(result.rows):
            print("  " + line)
    was_run = [result for result in results if result.was_run]
    good = [result for result in was_run if result.is_good]
    print(f"\n{len(good)} of {len(was_run)} benchmarks met all their targets.", end=" ")
    print(f"{len(results) - len(was_run)} were left out.\n")


def main() -> int:
    """Run them; return 1 if any missed its target or failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="a smoke test of the benchmarks")
    parser.add_argument("--all", action="store_true", help="all in full, also the long soak")
    parser.add_argument("--markdown", nargs="?", type=Path, const=FIGURES, metavar="FILE")
    options = parser.parse_args()
    if options.markdown:
        record(options.markdown)
        return 0
    machine = describe_machine()
    began = time.monotonic()
    total_s = None if options.all or options.only else TOTAL_S
    jobs = list_jobs(choose(options.only), is_quick=options.quick, is_long=options.all)
    results = list(run_all(jobs, total_s=total_s))
    seconds = time.monotonic() - began
    print(f"\n=== all, {seconds:.0f} s ".ljust(90, "="))
    print_table(results)
    summary = summarize(results, machine=machine, seconds=seconds, is_quick=options.quick)
    print(json.dumps(summary, ensure_ascii=False), flush=True)
    return 0 if all(result.is_good for result in results if result.was_run) else 1


if __name__ == "__main__":
    end_in_order()
    sys.exit(main())
