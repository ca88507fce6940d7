"""Halts trading from the command line, without Redis, a worker or the web.

What it says is in the language of the terminal.
"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from arbplatform.commands import TerminalCommand
from arbplatform.core.decimals import to_plain
from arbplatform.core.errors import ArbError, Message
from arbplatform.wording import render
from ledger.domain.halts import EVERYTHING, PERSONAL_LEVELS, HaltLevel, HaltScope, TradingEvent
from ledger.services.halts import change_trading, name_of
from ledger.services.kill import cancel_halted_orders, stop_trading
from strategies.services.flattening import Flattening, flatten, list_flattenings
from strategies.services.repairs import repair_execution


class Command(TerminalCommand):
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
            raise _refusal(Message("--dry-run goes with --flatten only. Nothing was done."))
        if options["flatten"] and scope != EVERYTHING:
            raise _refusal(Message("--flatten takes no scope. Nothing was done."))
        try:
            if options["flatten"]:
                self._flatten(options["reason"], is_dry=options["dry_run"])
            elif options["resume"] or options["reduce"]:
                event = TradingEvent.RESUME if options["resume"] else TradingEvent.REDUCE
                halt = change_trading(event=event, scope=scope, reason=options["reason"])
                told = {"state": halt.get_state_display(), "scope": name_of(halt)}
                self._say(Message("Trading is {state} for {scope}.", told))
            elif scope.level is HaltLevel.GUARD:
                raise _refusal(Message("A guard can only be resumed: add --resume."))
            else:
                self._kill(scope, options["reason"])
        except ArbError as error:
            fields = [
                render(text) for texts in getattr(error, "fields", {}).values() for text in texts
            ]
            raise CommandError(" ".join([render(error.message), *fields])) from error

    def _kill(self, scope: HaltScope, reason: str) -> None:
        report = stop_trading(reason=reason, scope=scope)
        halt, withdrawn, are_open = report.halt, len(report.withdrawn), len(report.open)
        told = {"state": halt.get_state_display(), "scope": name_of(halt)}
        self._say(Message("Trading is {state} for {scope}.", told))
        became = Message(
            "Orders that were not sent yet and were withdrawn: {withdrawn}. Open ones that are "
            "being cancelled: {open}.",
            {"withdrawn": withdrawn, "open": are_open},
        )
        self._say(became)
        left = cancel_halted_orders()
        for order in left:
            what = {"order": str(order), "state": order.get_state_display()}
            self._say(
                Message("Order {order} is {state}: it is looked up until its end is known.", what)
            )
        if not left:
            self._say(Message("No order is open or unknown."))

    def _flatten(self, reason: str, *, is_dry: bool) -> None:
        """Carry it out here: there may be no worker."""
        rows = list_flattenings() if is_dry else flatten(reason=reason)
        for row in rows:
            self._say(*_describe(row))
            if row.is_possible and not is_dry:
                after = repair_execution(execution_id=row.execution.pk)
                what = {"execution_id": after.pk, "state": after.get_state_display()}
                self._say(Message("Execution {execution_id} is {state} now.", what))
        if not rows:
            self._say(Message("No execution has left anything unhedged that nobody took note of."))
        elif is_dry:
            self._say(Message("Nothing was sent."))

    def _say(self, *messages: Message) -> None:
        self.stdout.write(" ".join(map(render, messages)))


def _refusal(message: Message) -> CommandError:
    return CommandError(render(message))


def _describe(row: Flattening) -> list[Message]:
    left = ", ".join(f"{to_plain(part.amount)} {part.asset}" for part in row.exposures)
    head = {
        "execution_id": row.execution.pk,
        "state": row.execution.get_state_display(),
        "strategy": str(row.execution.strategy),
        "left": left or "0",
    }
    said = [Message("Execution {execution_id} ({state}) of {strategy}: left over {left}.", head)]
    order, loss = row.verdict.order, row.estimated_loss
    if order is not None and row.market is not None and loss is not None:
        deal = {
            "side": Message(order.side.value),
            "quantity": order.quantity,
            "symbol": row.market.symbol,
            "venue": row.market.venue.code,
            "limit": order.limit_price,
            "loss": f"{loss:.8f} {row.execution.profit_asset.code}",
            "loss_bps": f"{row.verdict.loss_bps:.2f}",
            "max_loss_bps": row.max_loss_bps,
        }
        order_told = Message(
            "{side} {quantity} {symbol} at {venue}, limit {limit}, estimated loss {loss} "
            "({loss_bps} of at most {max_loss_bps} bps).",
            deal,
        )
        said.append(order_told)
    if row.is_possible:
        return [*said, row.reason]
    return [*said, Message("Not possible: {reason}", {"reason": row.reason})]
