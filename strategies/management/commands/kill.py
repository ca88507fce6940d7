"""Halts trading from the command line, without Redis, a worker or the web."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from arbplatform.core.errors import ArbError
from arbplatform.wording import render
from ledger.domain.halts import EVERYTHING, PERSONAL_LEVELS, HaltLevel, HaltScope, TradingEvent
from ledger.services.halts import change_trading, name_of
from ledger.services.kill import cancel_halted_orders, stop_trading


class Command(BaseCommand):
    """``manage.py kill``."""

    help = (
        "Halt trading: from this moment no process sends an order, and open ones are cancelled. "
        "Without --venue, --account or --strategy the whole platform is halted."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take a reason and, if not everything is meant, what."""
        parser.add_argument("--reason", required=True, help="why, for those who read the history")
        wish = parser.add_mutually_exclusive_group()
        wish.add_argument("--resume", action="store_true", help="let trading go on")
        wish.add_argument(
            "--reduce", action="store_true", help="allow only orders that reduce exposure"
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
        try:
            if options["resume"] or options["reduce"]:
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

    def _say(self, line: str) -> None:
        self.stdout.write(line)
