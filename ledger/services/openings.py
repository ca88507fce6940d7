"""Open the books of an account: take over what it holds, once."""

from django.db import transaction
from django.db.models import F

from accounts.models import VenueAccount
from accounts.selectors import get_account_with_secrets, lock_account
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.decimals import ZERO, Amount
from arbplatform.persistence.retries import retried
from ledger.domain.postings import opening_lines
from ledger.errors import OpeningPostponed
from ledger.models import AccountReconciliation, Entry, EntryKind
from ledger.selectors import find_entry, has_moving_transfers, list_holdings
from ledger.services.entries import book_entry
from ledger.services.statements import Statement, read_statement
from markets.domain.funds import Wallet

Books = dict[tuple[Wallet, str], Amount]
"""What the books hold by wallet and asset."""


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
        OpeningPostponed: funds of the account are moving.
        VenueError: the venue did not tell; nothing was booked.
    """
    opened = find_entry(opening_key(account_id))
    if opened is not None:
        return opened
    account = get_account_with_secrets(account_id)
    before = _read_books(account_id)
    _require_rest(account)
    return _open(account, before, read_statement(account), clock)


def is_opened(*, account_id: int) -> bool:
    """Return whether the books know what the account held at the beginning."""
    return find_entry(opening_key(account_id)) is not None


@retried
@transaction.atomic
def _open(account: VenueAccount, before: Books, statement: Statement, clock: Clock) -> Entry:
    """Book the difference between statement and books: something may be booked already.

    What moved while the venue was asked may be in the one and not in the other; then it is asked
    again later. A transfer that is claimed after this look has not left before the statement.
    """
    lock_account(account.pk)
    opened = find_entry(opening_key(account.pk))
    if opened is not None:
        return opened  # somebody else was faster
    booked = _read_books(account.pk)
    if booked != before:
        raise OpeningPostponed(account=str(account))
    _require_rest(account)
    missing = dict(statement.holdings)
    for purse, amount in booked.items():
        missing[purse] = missing.get(purse, ZERO) - amount
    # the books are made equal to the statement: nothing has to be compared yet
    row, _is_new = AccountReconciliation.objects.get_or_create(account_id=account.pk)
    AccountReconciliation.objects.filter(pk=row.pk).update(
        last_clean_at=clock.now(),
        round_count=F("round_count") + 1,
        clean_round=F("round_count") + 1,
    )
    return book_entry(
        key=opening_key(account.pk),
        kind=EntryKind.OPENING,
        lines=opening_lines(account_id=account.pk, holdings=missing),
        occurred_at=clock.now(),
        memo=str(account),
    )


def _read_books(account_id: int) -> Books:
    return {(row.wallet, row.asset): row.amount for row in list_holdings(account_id)}


def _require_rest(account: VenueAccount) -> None:
    """Go on if no transfer moves funds of the account that the books do not know of.

    Raises:
        OpeningPostponed: one does.
    """
    if has_moving_transfers(account.pk):
        raise OpeningPostponed(account=str(account))


def opening_key(account_id: int) -> str:
    """Return the key of the entry that opens the books of an account."""
    return f"opening:{account_id}"
