"""Adds up anew what executions have come to, without Redis, a worker or the web."""

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandError
from django.utils.translation import gettext as _
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from arbplatform.commands import TerminalCommand
from arbplatform.core.decimals import Amount, to_plain
from markets.selectors import list_assets
from strategies.models import ResultTotal, Strategy
from strategies.selectors import list_strategies
from strategies.services.results import rebuild_results


class Command(TerminalCommand):
    """``manage.py rebuild_results``."""

    help = (
        "Add up anew, from executions and their attributions, the totals of results that each "
        "strategy keeps, and say which of them were wrong and by how much: always none. May be "
        "called while strategies trade."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take strategies; without any, all are meant."""
        parser.add_argument("strategy_ids", nargs="*", type=int, metavar="STRATEGY_ID")
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="change nothing; end with an error if something is wrong",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Add up, with a bar where a person is looking, and say what was wrong.

        Raises:
            CommandError: there is no such strategy, or a dry run has found something.
        """
        strategies, is_dry_run = _choose(options["strategy_ids"]), options["dry_run"]
        codes = dict(list_assets().values_list("pk", "code"))
        wrong = 0
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, TimeRemainingColumn(), transient=True) as progress:
            progress.disable = not progress.console.is_terminal
            task = progress.add_task(_("strategies"), total=len(strategies))
            for strategy in strategies:
                errors = rebuild_results(strategy_id=strategy.pk, is_dry_run=is_dry_run)
                self._say(strategy, errors, codes)
                wrong += len(errors)
                progress.advance(task)
        if wrong and is_dry_run:
            told = _("{count} totals are wrong. Without --dry-run they are put right.")
            raise CommandError(told.format(count=wrong))
        told = _("{count} totals were wrong in {strategies} strategies.")
        self.stdout.write(told.format(count=wrong, strategies=len(strategies)))

    def _say(
        self, strategy: Strategy, errors: Mapping[str, Amount], codes: Mapping[int, str]
    ) -> None:
        for key, gap in errors.items():
            _strategy_id, asset_id, name = key.split(":")
            where = f"{strategy} (#{strategy.pk}), {codes[int(asset_id)]}"
            told = _("{total} was {gap} more than it should be")
            total = ResultTotal._meta.get_field(name).verbose_name  # type: ignore[union-attr]
            self.stdout.write(f"{where}: {told.format(total=total, gap=to_plain(gap))}")


def _choose(ids: list[int]) -> list[Strategy]:
    rows = list_strategies().order_by("pk")
    found = list(rows.filter(pk__in=ids) if ids else rows)
    missing = set(ids) - {row.pk for row in found}
    if missing:
        told = _("There is no strategy {ids}.")
        raise CommandError(told.format(ids=", ".join(map(str, sorted(missing)))))
    return found
