"""Halts trading from the command line, without Redis, a worker or the web."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from arbplatform.core.decimals import to_plain
from arbplatform.core.errors import ArbError
from arbplatform.wording import render
from ledger.domain.halts import EVERYTHING, PERSONAL_LEVELS, HaltLevel, HaltScope, TradingEvent
from ledger.services.halts import change_trading, name_of
from ledger.services.kill import cancel_halted_orders, stop_trading
from strategies.services.flattening import Flattening, flatten, list_flattenings
from strategies.services.repairs import repair_execution


class Command(BaseCommand):
    """``manage.py kill``."""

    help = (
        "Halt trading: from this moment no process sends an order, and open ones are cancelled. "
        "Without --venue, --account or --strategy the whole platform is halted. With --flatten, "
        "what executions left unhedged is brought back; nothing is halted."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take a reason and, if not everything is meant, what."""
        parser.add_argument("--reason", required=True, help="why, for those who read the history")
        wish = parser.add_mutually_exclusive_group()
        wish.add_argument("--resume", action="store_true", help="let trading go on")
        wish.add_argument(
            "--reduce", action="store_true", help="allow only orders that reduce exposure"
        )
        wish.add_argument(
            "--flatten",
            action="store_true",
            help="bring back what executions left unhedged, within each strategy's limit of loss",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="with --flatten: only say what would be done"
        )
        scope = parser.add_mutually_exclusive_group()
        for level in PERSONAL_LEVELS:
            if level not in (HaltLevel.GLOBAL, HaltLevel.GUARD):
                scope.add_argument(f"--{level}", type=int, metavar="ID", help=f"only this {level}")

        scope.add_argument(
            "--guard", metavar="NAME", help="only what this guard of the platform has asked for"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Halt, reduce or resume, and say what became of the orders that are out there."""
        scope = next(
            (
                HaltScope(level, guard=options[level.value])
                if level is HaltLevel.GUARD
                else HaltScope(level, options[level.value])
                for level in PERSONAL_LEVELS
                if options.get(level.value) is not None
            ),
            EVERYTHING,
        )
        if options["dry_run"] and not options["flatten"]:
            raise CommandError("--dry-run goes with --flatten only. Nothing was done.")
        if options["flatten"] and scope != EVERYTHING:
            raise CommandError("--flatten takes no scope. Nothing was done.")
        try:
            if options["flatten"]:
                self._flatten(options["reason"], is_dry=options["dry_run"])
            elif options["resume"] or options["reduce"]:
                event = TradingEvent.RESUME if options["resume"] else TradingEvent.REDUCE
                halt = change_trading(event=event, scope=scope, reason=options["reason"])
                self._say(f"Trading is {halt.state} for {render(name_of(halt))}.")
            elif scope.level is HaltLevel.GUARD:
                raise CommandError("A guard can only be resumed: add --resume.")
            else:
                self._kill(scope, options["reason"])
        except ArbError as error:
            fields = [
                str(text) for texts in getattr(error, "fields", {}).values() for text in texts
            ]
            raise CommandError(" ".join([str(error), *fields])) from error

    def _kill(self, scope: HaltScope, reason: str) -> None:
        report = stop_trading(reason=reason, scope=scope)
        self._say(f"Trading is halted for {render(name_of(report.halt))}.")
        self._say(f"{len(report.withdrawn)} orders that were not sent yet were withdrawn.")
        self._say(f"{len(report.open)} open orders are being cancelled.")
        left = cancel_halted_orders()
        for order in left:
            self._say(f"Order {order} is {order.state}: it is looked up until its end is known.")
        if not left:
            self._say("No order is open or unknown.")

    def _flatten(self, reason: str, *, is_dry: bool) -> None:
        """Carry it out here: there may be no worker."""
        rows = list_flattenings() if is_dry else flatten(reason=reason)
        for row in rows:
            self._say(_describe(row))
            if row.is_possible and not is_dry:
                state = repair_execution(execution_id=row.execution.pk).state
                self._say(f"Execution {row.execution.pk} is {state} now.")
        if not rows:
            self._say("No execution has left anything unhedged that nobody took note of.")
        elif is_dry:
            self._say("Nothing was sent.")

    def _say(self, line: str) -> None:
        self.stdout.write(line)


def _describe(row: Flattening) -> str:
    left = ", ".join(f"{to_plain(part.amount)} {part.asset}" for part in row.exposures)
    text = f"Execution {row.execution.pk} ({row.execution.state}) of {row.execution.strategy}: "
    text += f"left over {left or 'nothing'}. "
    order, loss = row.verdict.order, row.estimated_loss
    if order is not None and row.market is not None and loss is not None:
        text += (
            f"{order.side} {to_plain(order.quantity)} {row.market.symbol} at "
            f"{row.market.venue.code}, limit {to_plain(order.limit_price)}, estimated loss "
            f"{loss:.8f} {row.execution.profit_asset.code} ({row.verdict.loss_bps:.2f} of at most "
            f"{to_plain(row.max_loss_bps)} bps). "
        )
    return text + ("" if row.is_possible else "Not possible: ") + render(row.reason)
