"""Compares the books with the venues from the command line, without Redis, a worker or the web."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from accounts.selectors import get_account
from arbplatform.commands import TerminalCommand
from arbplatform.core.errors import ArbError, Message
from arbplatform.wording import render
from ledger.domain.reconciliation import UNSOLVED_STATES, RunOutcome
from ledger.selectors.reconciliation import (
    list_active_discrepancies,
    list_reconcilable_account_ids,
)
from ledger.services.reconciler import reconcile_account


class Command(TerminalCommand):
    """``manage.py reconcile``."""

    help = (
        "Compare orders, trades, balances and transfers with what the venues state. Ends with an "
        "error unless every account is equal to its venue."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take accounts; without any, all are meant whose books are opened."""
        parser.add_argument("account_ids", nargs="*", type=int, metavar="ACCOUNT_ID")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Compare, and say what differs.

        Raises:
            CommandError: some account differs, or its venue did not answer.
        """
        account_ids = options["account_ids"] or list_reconcilable_account_ids()
        unequal = [account_id for account_id in account_ids if not self._reconcile(account_id)]
        if unequal:
            count = {"count": len(unequal), "total": len(account_ids)}
            raise CommandError(
                render(Message("Accounts that are not equal: {count} of {total}.", count))
            )

    def _reconcile(self, account_id: int) -> bool:
        try:
            run = reconcile_account(account_id=account_id, asks_all=True)
        except ArbError as error:
            what = {"account_id": account_id, "reason": error.message}
            self._say(Message("Account {account_id}: {reason}", what))
            return False
        told = {
            "account": str(get_account(account_id)),
            "outcome": run.get_outcome_display(),
            "count": run.booked_count,
        }
        self._say(Message("{account}: {outcome}, booked: {count}.", told), render(run.to_error()))
        for row in list_active_discrepancies(account_id):
            mark = "!" if row.state in UNSOLVED_STATES else " "
            line = f"  {mark} #{row.pk} {row.get_state_display()}: {render(row.to_message())}"
            self.stdout.write(line)
        return run.outcome == RunOutcome.CLEAN

    def _say(self, message: Message, detail: str = "") -> None:
        self.stdout.write(f"{render(message)} {detail}".strip())
