"""Compares the books with the venues from the command line, without Redis, a worker or the web."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.selectors import get_account
from arbplatform.core.errors import ArbError
from arbplatform.wording import render
from ledger.domain.reconciliation import UNSOLVED_STATES, RunOutcome
from ledger.selectors.reconciliation import (
    list_active_discrepancies,
    list_reconcilable_account_ids,
)
from ledger.services.reconciler import reconcile_account


class Command(BaseCommand):
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
            raise CommandError(f"{len(unequal)} of {len(account_ids)} accounts are not equal.")

    def _reconcile(self, account_id: int) -> bool:
        try:
            run = reconcile_account(account_id=account_id)
        except ArbError as error:
            self.stdout.write(f"Account {account_id}: {error}")
            return False
        name = get_account(account_id)
        self.stdout.write(f"{name}: {run.outcome}, {run.booked_count} booked. {run.error}".strip())
        for row in list_active_discrepancies(account_id):
            mark = "!" if row.state in UNSOLVED_STATES else " "
            self.stdout.write(f"  {mark} #{row.pk} {row.state}: {render(row.to_message())}")
        return run.outcome == RunOutcome.CLEAN
