"""Compare the books with what the venues themselves state."""

from collections.abc import Collection
from dataclasses import dataclass

from django.db import transaction

from accounts.models import VenueAccount
from accounts.selectors import get_account, get_account_with_secrets
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.decimals import ZERO, Amount
from arbplatform.core.errors import Message
from ledger.domain.postings import Purse, external_lines
from ledger.errors import DifferenceChanged, NoDifference
from ledger.models import AccountReconciliation, Entry, EntryKind
from ledger.selectors import list_holdings
from ledger.services.entries import book_entry
from ledger.services.statements import PurseKey, Statement, read_statement
from markets.domain.funds import Wallet

READS_MAX = 3
"""Statements that are read until one was not overtaken by a booking."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A balance on which the books and the venue disagree.

    Attributes:
        wallet: purse inside the account.
        asset: code.
        booked: by the books [units of the asset].
        stated: by the venue, held amounts included [units of the asset].
    """

    wallet: Wallet
    asset: str
    booked: Amount
    stated: Amount

    @property
    def gap(self) -> Amount:
        """What the venue has more than the books [units of the asset]."""
        return self.stated - self.booked


@dataclass(frozen=True, slots=True)
class Comparison:
    """The books beside a statement.

    Attributes:
        differences: every balance on which they disagree.
        wallets: those that the venue told about. Of the others nothing is known.
        booked: what the books said.
        is_settled: whether the books stood still while the statement was read.
    """

    differences: list[Difference]
    wallets: frozenset[Wallet]
    booked: dict[PurseKey, Amount]
    is_settled: bool


def compare_with_venue(*, account_id: int) -> list[Difference]:
    """Return every balance on which the books and the venue's statement of now disagree.

    An order that is being executed, or a transfer that is on its way, may show as a difference
    until it is booked; when the books change while the statement is read, it is read again.

    Args:
        account_id: venue account.

    Raises:
        AccountNotFound: no account has this id.
        AccountDisabled: the account is switched off.
        VenueError: the venue did not tell: that is not a difference.
    """
    return compare_balances(get_account_with_secrets(account_id)).differences


def compare_balances(account: VenueAccount) -> Comparison:
    """Return the books beside the venue's statement of now.

    Raises:
        AccountDisabled: the account is switched off.
        VenueError: the venue did not tell: that is not a difference.
    """
    comparison = _read(account)
    for _again in range(1, READS_MAX):
        if comparison.is_settled or not comparison.differences:
            break
        comparison = _read(account)
    return comparison


def adopt_difference(
    *,
    account_id: int,
    wallet: Wallet,
    asset: str,
    memo: Message | str,
    expected: Amount | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Entry:
    """Book what the venue has more or less than the books as moved without the platform.

    For deposits, withdrawals and trades that a person made at the venue; never for a gap that is
    not understood. The venue is asked for a statement first.

    Args:
        account_id: venue account.
        wallet: purse inside the account.
        asset: code.
        memo: what it was, and who says so.
        expected: what the person who decides saw as the difference; ``None``: whatever it is now.
        clock: tells when.

    Raises:
        NoDifference: books and venue agree, or the books changed meanwhile; nothing was booked.
        DifferenceChanged: it is not what the person saw; nothing was booked.
        AccountNotFound: no account has this id.
        AccountDisabled: the account is switched off.
        VenueError: the venue did not tell.
    """
    found = [
        difference
        for difference in compare_with_venue(account_id=account_id)
        if (difference.wallet, difference.asset) == (wallet, asset)
    ]
    if not found:
        raise NoDifference(account=str(get_account(account_id)), asset=asset)
    difference, now = found[0], clock.now()
    if expected is not None and difference.gap != expected:
        raise DifferenceChanged(asset=asset, gap=difference.gap, expected=expected)
    with transaction.atomic():
        lock_books(account_id)
        if not stands_still(account_id, {(wallet, asset): difference.booked}):
            raise NoDifference(account=str(get_account(account_id)), asset=asset)
        return book_entry(
            key=f"external:{account_id}:{wallet}:{asset}:{clock.now_ms()}",
            kind=EntryKind.EXTERNAL,
            lines=external_lines(
                purse=Purse(account_id, difference.wallet),
                asset=difference.asset,
                amount=difference.gap,
            ),
            occurred_at=now,
            memo=memo,
        )


def lock_books(account_id: int) -> AccountReconciliation:
    """Let nobody else book differences of an account until the transaction ends.

    Its own row is locked for that: the account's is referred to by every order and posting.
    """
    AccountReconciliation.objects.get_or_create(account_id=account_id)
    return AccountReconciliation.objects.select_for_update().get(account_id=account_id)


def stands_still(account_id: int, booked: dict[PurseKey, Amount]) -> bool:
    """Return whether the books still say of some purses what they said when they were compared."""
    now = _booked(account_id)
    return all(now.get(purse, ZERO) == amount for purse, amount in booked.items())


def booked_of(comparison: Comparison, purses: Collection[PurseKey]) -> dict[PurseKey, Amount]:
    """Return what the books said of some purses."""
    return {purse: comparison.booked.get(purse, ZERO) for purse in purses}


def _read(account: VenueAccount) -> Comparison:
    before = _booked(account.pk)
    statement = read_statement(account)
    after = _booked(account.pk)
    return Comparison(_compare(after, statement), statement.wallets, after, before == after)


def _booked(account_id: int) -> dict[PurseKey, Amount]:
    return {
        (holding.wallet, holding.asset): holding.amount for holding in list_holdings(account_id)
    }


def _compare(booked: dict[PurseKey, Amount], statement: Statement) -> list[Difference]:
    stated = statement.holdings
    pairs = [
        Difference(
            wallet, asset, booked.get((wallet, asset), ZERO), stated.get((wallet, asset), ZERO)
        )
        for wallet, asset in sorted(booked.keys() | stated.keys())
        if wallet in statement.wallets
    ]
    return [pair for pair in pairs if pair.gap]
