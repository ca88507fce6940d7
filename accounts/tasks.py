"""Background work on accounts: ids in, one service each, safe to deliver twice."""

import logging

from celery import shared_task

from accounts.selectors import list_syncable_account_ids
from accounts.services import accounts, balances, transfers
from arbplatform.background.draining import DRAIN
from arbplatform.background.single import alone
from arbplatform.core.errors import ArbError

logger = logging.getLogger(__name__)


@shared_task(name="accounts.test_connection", ignore_result=True)
def test_connection(account_id: int) -> None:
    """Test the connection of one account; the outcome is kept with it."""
    try:
        accounts.test_connection(account_id=account_id)
    except ArbError as error:
        logger.warning("The connection of account %s does not work: %s", account_id, error)


@shared_task(name="accounts.sync_balances", ignore_result=True)
def sync_balances(account_id: int) -> None:
    """Synchronise the balances of one account."""
    try:
        balances.sync_balances(account_id=account_id)
    except ArbError as error:
        logger.warning("Balances of account %s were not synchronised: %s", account_id, error)


@shared_task(name="accounts.sync_all_balances", ignore_result=True)
@alone(longest_s=120)
def sync_all_balances() -> None:
    """Synchronise every account that may be; one's failure does not stop the others."""
    for account_id in list_syncable_account_ids():
        if DRAIN.has_begun:
            return
        try:
            balances.sync_balances(account_id=account_id)
        except ArbError as error:
            logger.warning("Balances of account %s were not synchronised: %s", account_id, error)


@shared_task(name="accounts.submit_transfer", acks_late=True, ignore_result=True)
def submit_transfer(transfer_id: int) -> None:
    """Send one transfer; the service skips one that was sent already."""
    transfers.submit_transfer(transfer_id=transfer_id)


@shared_task(name="accounts.poll_transfers", ignore_result=True)
def poll_transfers() -> None:
    """Look up every live transfer that is due."""
    transfers.poll_transfers()
