"""Background work on the ledger: ids in, one service each, safe to deliver twice."""

import logging
from typing import Any

from celery import shared_task, signals
from django.db import connection
from kombu.exceptions import OperationalError

from arbplatform.background.single import alone
from arbplatform.core.errors import ArbError
from ledger.errors import OpeningPostponed, ReconciliationBusy
from ledger.services import conditions, deadman, equity, kill, openings, reconciler, transfers
from ledger.services.journal import resolve_unknown_orders as resolve_orders
from ledger.services.readiness import READINESS
from ledger.services.spooling import replay_spool

logger = logging.getLogger(__name__)

OPENING_RETRY_S = 30
OPENING_RETRIES_MAX = 240
"""Books that cannot be opened while a transfer is under way are tried again for two hours."""

STARTUP_EXPIRES_S = 60


@signals.worker_init.connect(weak=False, dispatch_uid="ledger.readiness.begin")
def _begin(**_: object) -> None:
    """Let nothing trade until its accounts were compared by this worker or after its start."""
    READINESS.begin()
    connection.close()  # the main thread asks no more


@signals.worker_ready.connect(weak=False, dispatch_uid="ledger.readiness.compare")
def _compare(**_: object) -> None:
    """Compare all accounts at once; should the message be lost, the schedule does so."""
    try:
        reconcile_accounts.apply_async(expires=STARTUP_EXPIRES_S)
    except OperationalError as error:
        logger.warning("The accounts are compared when their turn comes: %s", error)


@shared_task(name="ledger.resolve_unknown_orders", ignore_result=True)
def resolve_unknown_orders() -> None:
    """Book what was spooled, then look up every order that is due; two sweeps share the work."""
    try:
        replay_spool()
    except OSError:
        # orders are looked up at their venues whatever the disk is like
        logger.exception("What was spooled cannot be read")
    report = resolve_orders()
    if report.looked_up or report.skipped:
        logger.info("Orders looked up: %s", report)


@shared_task(name="ledger.book_transfer", acks_late=True, ignore_result=True)
def book_transfer(transfer_id: int) -> None:
    """Book what one transfer has moved."""
    transfers.book_transfer(transfer_id=transfer_id)


@shared_task(name="ledger.book_transfers", ignore_result=True)
def book_transfers() -> None:
    """Book every transfer whose message was lost."""
    transfers.book_transfers()


@shared_task(
    name="ledger.open_account",
    ignore_result=True,
    bind=True,
    max_retries=OPENING_RETRIES_MAX,
    default_retry_delay=OPENING_RETRY_S,
)
def open_account(self: Any, account_id: int) -> None:
    """Take over what an account holds, once; a start of a strategy does so as well."""
    try:
        openings.ensure_opened(account_id=account_id)
    except OpeningPostponed as error:
        logger.info("The books of account %s are opened later: %s", account_id, error)
        if not self.request.called_directly:
            raise self.retry() from None
    except ArbError as error:
        logger.warning("The books of account %s were not opened: %s", account_id, error)


@shared_task(name="ledger.take_equity_snapshot", ignore_result=True)
@alone(longest_s=120)
def take_equity_snapshot() -> None:
    """Value everything that the books know."""
    equity.take_snapshot()


@shared_task(name="ledger.heed_venue", acks_late=True, ignore_result=True)
def heed_venue(venue_id: int) -> None:
    """Let trading at a venue follow its state."""
    conditions.heed_venue(venue_id=venue_id)


@shared_task(name="ledger.heed_account", acks_late=True, ignore_result=True)
def heed_account(account_id: int) -> None:
    """Let trading for an account follow whether its key is accepted."""
    conditions.heed_account(account_id=account_id)


@shared_task(name="ledger.renew_dead_man_switches", ignore_result=True)
def renew_dead_man_switches() -> None:
    """Keep venues' dead-man switches armed while orders rest there."""
    deadman.renew_switches()


@shared_task(name="ledger.heed_conditions", ignore_result=True)
def heed_conditions() -> None:
    """Let trading follow the states of all venues and keys, should a message be lost."""
    conditions.heed_conditions()


@shared_task(name="ledger.repeat_cancellations", ignore_result=True)
def repeat_cancellations() -> None:
    """Ask again for cancellations that no venue has shown yet."""
    kill.repeat_cancellations()


@shared_task(name="ledger.cancel_halted_orders", ignore_result=True)
def cancel_halted_orders() -> None:
    """Cancel what is open although trading is halted."""
    kill.cancel_halted_orders()


@shared_task(name="ledger.reconcile_account", ignore_result=True)
def reconcile_account(account_id: int) -> None:
    """Compare one account with its venue, unless that is done already at this moment."""
    try:
        reconciler.reconcile_account(account_id=account_id)
    except ReconciliationBusy as error:
        logger.info("Account %s is left to who is at it: %s", account_id, error)
    except ArbError as error:
        logger.warning("Account %s was not reconciled: %s", account_id, error)


@shared_task(name="ledger.reconcile_accounts", ignore_result=True)
def reconcile_accounts() -> None:
    """Compare every account with its venue. Two sweeps at the same time share the work."""
    reconciler.reconcile_accounts()
