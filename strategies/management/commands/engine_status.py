"""``manage.py engine_status``: how fast every engine is, on the terminal."""

import sys
import time
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any, Final

import orjson
from django.core.management.base import CommandError
from django.utils.translation import gettext as _
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from arbplatform.commands import TerminalCommand
from arbplatform.core.errors import ArbError
from arbplatform.core.histograms import Summary, say_duration
from arbplatform.wording import render
from strategies.domain.engine_stats import STAGE_TITLES
from strategies.services.engine_speeds import EngineSpeed, read_speeds

EVERY_S: Final = 1.0
WIDTH: Final = 120
"""Where the output is no terminal [columns]."""
BYTES_PER_MIB: Final = 1_048_576


class Command(TerminalCommand):
    """``manage.py engine_status``."""

    help = "Show how long each stage takes in every engine, its queues, drops and feeds."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the form of the output."""
        parser.add_argument("--json", action="store_true", help="one JSON document")
        parser.add_argument("--watch", action="store_true", help="again every second, until Ctrl-C")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Show it.

        Raises:
            CommandError: Redis does not answer.
        """
        if options["json"]:
            self.stdout.write(orjson.dumps([each.to_dict() for each in _read()]).decode())
        elif options["watch"]:
            _watch(Console(file=sys.stdout))
        else:
            console = Console(width=None if sys.stdout.isatty() else WIDTH)
            with console.capture() as captured:
                console.print(draw(_read()))
            self.stdout.write(captured.get(), ending="")


def draw(speeds: list[EngineSpeed]) -> RenderableType:
    """Return a table for each engine."""
    if not speeds:
        return Text(_("No engine runs. Start one with manage.py run_engine."))
    return Group(*(part for speed in speeds for part in _draw_engine(speed)))


def _watch(console: Console) -> None:
    with Live(draw(_read()), console=console, auto_refresh=False) as live:
        try:
            while True:
                time.sleep(EVERY_S)
                live.update(draw(_read()), refresh=True)
        except KeyboardInterrupt:
            return


def _read() -> list[EngineSpeed]:
    try:
        return read_speeds()
    except ArbError as error:
        raise CommandError(render(error.message)) from error


def _draw_engine(speed: EngineSpeed) -> tuple[RenderableType, ...]:
    table = Table(title=speed.stats.name, title_justify="left")
    table.add_column(_("Stage"))
    table.add_column(_("What it measures"))
    for title in (_("Times measured"), "p50", "p95", "p99", _("Longest")):
        table.add_column(title, justify="right")
    for each in speed.stages:
        cells = _cells(each.recent or each.total)
        title = render(STAGE_TITLES[each.stage])
        table.add_row(each.stage.value, title, *cells, style="" if each.recent else "dim")
    stats = speed.stats
    facts = (
        (_("Strategies held"), str(len(stats.strategies))),
        (_("Feeds"), _counts(stats.feeds)),
        (_("Waiting"), _counts(stats.queues)),
        (_("Dropped"), _counts(stats.drops)),
        (_("Conflated"), str(stats.conflated)),
        (_("Memory"), f"{stats.rss_bytes // BYTES_PER_MIB} MiB"),
    )
    said = _("said {age} ms ago").format(age=speed.age_ms)
    lines = [
        "; ".join(f"{name}: {value}" for name, value in part) for part in (facts[:4], facts[4:])
    ]
    return table, Text("\n".join([lines[0], f"{lines[1]}; {said}", ""]))


def _cells(summary: Summary) -> tuple[str, ...]:
    durations_us = (summary.p50_us, summary.p95_us, summary.p99_us, summary.max_us)
    return str(summary.count), *(say_duration(us) for us in durations_us)


def _counts(values: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in values.items()) or "–"
