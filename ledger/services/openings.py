"""Open the books of an account: take over what it holds, once."""

from django.db import transaction

from accounts.models import VenueAccount
from accounts.selectors import get_account_with_secrets, lock_account
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.decimals import ZERO
from arbplatform.persistence.retries import retried
from ledger.domain.postings import opening_lines
from ledger.models import AccountReconciliation, Entry, EntryKind
from ledger.selectors import find_entry, list_holdings
from ledger.services.entries import book_entry
from ledger.services.statements import Statement, read_statement


def ensure_opened(*, account_id: int, clock: Clock = SYSTEM_CLOCK) -> Entry:
    """Book what an account holds at its venue as its capital, unless that was done before.

    Afterwards the books say what the venue says, and every fill and transfer keeps it so.

    Args:
        account_id: venue account.
        clock: tells when.

    Returns:
        The opening entry.

    Raises:
        AccountNotFound: no account has this id.
        AccountDisabled: the account is switched off.
        VenueError: the venue did not tell; nothing was booked.
    """
    opened = find_entry(opening_key(account_id))
    if opened is not None:
        return opened
    account = get_account_with_secrets(account_id)
    return _open(account, read_statement(account), clock)


def is_opened(*, account_id: int) -> bool:
    """Return whether the books know what the account held at the beginning."""
    return find_entry(opening_key(account_id)) is not None


@retried
@transaction.atomic
def _open(account: VenueAccount, statement: Statement, clock: Clock) -> Entry:
    """Book the difference between statement and books: something may be booked already."""
    lock_account(account.pk)
    opened = find_entry(opening_key(account.pk))
    if opened is not None:
        return opened  # somebody else was faster
    missing = dict(statement.holdings)
    for holding in list_holdings(account.pk):
        purse = (holding.wallet, holding.asset)
        missing[purse] = missing.get(purse, ZERO) - holding.amount
    # the books are made equal to the statement: nothing has to be compared yet
    AccountReconciliation.objects.update_or_create(
        account_id=account.pk, defaults={"last_clean_at": clock.now()}
    )
    return book_entry(
        key=opening_key(account.pk),
        kind=EntryKind.OPENING,
        lines=opening_lines(account_id=account.pk, holdings=missing),
        occurred_at=clock.now(),
        memo=str(account),
    )


def opening_key(account_id: int) -> str:
    """Return the key of the entry that opens the books of an account."""
    return f"opening:{account_id}"
