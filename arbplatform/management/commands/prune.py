"""Removes what has been kept long enough, without Redis, a worker or the web."""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any, Final

from django.core.management.base import CommandError
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from arbplatform.commands import TerminalCommand
from arbplatform.retention.kinds import Kind, find_kind, list_kinds
from arbplatform.retention.measuring import measure
from arbplatform.retention.models import Retention
from arbplatform.retention.pruning import Limits, count_removable, ensure_rows, prune

WIDTH: Final = 120
"""Where the output is no terminal [columns]."""
MS_PER_S: Final = 1_000


class Command(TerminalCommand):
    """``manage.py prune``."""

    help = (
        "Remove rows that have been kept long enough (RETENTION_*_DAYS), all of them, from the "
        "oldest on. Orders, trades, ledger entries, executions with their evidence, transfers and "
        "histories of changes are never removed. It can be ended at any time, and called again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take what is to be removed, and how long that may take."""
        parser.add_argument(
            "--dry-run", action="store_true", help="only count what would be removed"
        )
        parser.add_argument(
            "--kind", action="append", dest="kinds", metavar="NAME", help="only rows of this kind"
        )
        parser.add_argument("--seconds", type=int, help="end after so long; default: when done")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Remove them, or count them, and say how many are left.

        Raises:
            CommandError: there is no such kind.
        """
        kinds = _choose(options["kinds"])
        ensure_rows()
        counts = {kind.name: count_removable(kind) for kind in kinds}
        removed: dict[str, int | None] = dict.fromkeys(counts)
        if not options["dry_run"]:
            removed |= _remove(kinds, counts, options["seconds"])
            for kind in kinds:
                measure(kind, is_forced=True)
        console = Console(width=None if sys.stdout.isatty() else WIDTH)
        with console.capture() as captured:
            console.print(_draw(kinds, counts, removed))
        self.stdout.write(captured.get(), ending="")
        untouched = [name for name, count in removed.items() if count is None]
        if untouched and not options["dry_run"]:
            told = _(
                "Not looked at, for want of time or because another process is at it: {kinds}. "
                "Call it again in a minute."
            )
            self.stdout.write(told.format(kinds=", ".join(untouched)))


def _choose(names: Sequence[str] | None) -> list[Kind]:
    kinds = [find_kind(name) for name in names or ()]
    if None in kinds:
        known = ", ".join(kind.name for kind in list_kinds())
        told = _("There is no such kind of rows. These are known: {kinds}.")
        raise CommandError(told.format(kinds=known))
    return [kind for kind in kinds if kind] or list_kinds()


def _remove(kinds: Sequence[Kind], counts: dict[str, int], seconds: int | None) -> dict[str, int]:
    """Remove the rows, with a bar where a person is looking; return how many of which kinds."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    limits = Limits(rows=None, duration_ms=None if seconds is None else seconds * MS_PER_S)
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        if not bar.console.is_terminal:
            bar.disable = True
        tasks = {kind.name: bar.add_task(kind.name, total=counts[kind.name]) for kind in kinds}
        done = prune(
            kinds=kinds,
            limits=limits,
            from_start=True,
            progress=lambda kind, count: bar.advance(tasks[kind.name], count),
        )
    return {one.kind.name: one.removed_count for one in done}


def _draw(kinds: Sequence[Kind], counts: dict[str, int], removed: dict[str, int | None]) -> Table:
    table = Table()
    for title in (_("name"), _("kind"), _("kept [days]")):
        table.add_column(title)
    for title in (_("may go"), _("removed"), _("rows"), _("oldest"), _("size")):
        table.add_column(title, justify="right")
    rows = {row.kind: row for row in Retention.objects.all()}
    for kind in kinds:
        row = rows[kind.name]
        table.add_row(
            kind.name,
            str(kind.title),
            str(kind.days or _("for ever")),
            str(counts[kind.name]),
            "–" if removed[kind.name] is None else str(removed[kind.name]),
            *_measured(row),
        )
    return table


def _measured(row: Retention) -> tuple[str, str, str]:
    count = "–" if row.row_count is None else str(row.row_count)
    oldest = "–" if row.oldest_at is None else f"{row.oldest_at:%Y-%m-%d}"
    size = "–" if row.size_bytes is None else str(filesizeformat(row.size_bytes))
    return count, oldest, size
