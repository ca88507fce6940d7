"""Commands on venue accounts: register, change, remove, test, and open the door to the venue."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.domain.permissions import find_warnings, from_json, may_withdraw, to_json
from accounts.errors import (
    AccountDisabled,
    AccountInUse,
    AccountKeyRefused,
    AccountLabelTaken,
    WithdrawRightRefused,
)
from accounts.models import VenueAccount
from accounts.selectors import get_account, list_account_users, lock_account
from arbplatform.background.commit import enqueue_on_commit
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.errors import ArbError, InvalidInput, Message
from arbplatform.persistence.fields import SecretUnreadable
from arbplatform.persistence.sentences import keep_sentence
from markets.domain.funds import PermissionFinding
from markets.errors import VenueDisabled
from markets.gateway.base import VenueGateway
from markets.gateway.factory import gateway_for
from markets.models import Venue
from markets.services.own_fees import doubt_low_fees

MASK: Final = "••••"
TAIL_LENGTH: Final = 4
KEY_LENGTH_MAX: Final = 8192
"""PEM-encoded private keys, which some venues use as secrets, fit in [characters]."""


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """What a successful test of the connection found out.

    Attributes:
        account: as it is stored now.
        findings: each right that the venue told about.
        warnings: what a person should know about them.
    """

    account: VenueAccount
    findings: tuple[PermissionFinding, ...]
    warnings: tuple[Message, ...]


def is_simulated(venue: Venue) -> bool:
    """Return whether a venue is taken for a simulated one."""
    return bool(settings.TRANSFER_TRUST_LOCAL) and venue.is_local


def open_gateway(account: VenueAccount, *, even_if_disabled: bool = False) -> VenueGateway:
    """Return the door to the account's venue, opened with its key.

    Args:
        account: with its venue.
        even_if_disabled: for what follows from before the switch was turned and opens nothing.

    Raises:
        AccountDisabled: the account is switched off.
        VenueDisabled: its venue is switched off.
        AccountKeyRefused: its venue did not accept the key.
        SecretUnreadable: the configured keys do not open its secrets.
    """
    if not even_if_disabled:
        check_enabled(account)
    check_key(account)
    return gateway_for(account.venue.to_spec(), account.to_credentials())


def check_enabled(account: VenueAccount) -> None:
    """Refuse an account that may not be used.

    Raises:
        AccountDisabled: the account is switched off.
        VenueDisabled: its venue is switched off.
    """
    if not account.is_enabled:
        raise AccountDisabled(account=str(account))
    if not account.venue.is_enabled:
        raise VenueDisabled(venue=account.venue.code)


def check_key(account: VenueAccount) -> None:
    """Refuse an account whose key was refused: only a test of the connection may try it again.

    Raises:
        AccountKeyRefused: its venue did not accept the key.
    """
    if account.is_key_refused:
        raise AccountKeyRefused(account=str(account), cause=account.to_error())


@transaction.atomic
def create_account(
    *,
    venue: Venue,
    label: str,
    api_key: str,
    api_secret: str,
    passphrase: str = "",
    is_enabled: bool = True,
    allows_transfers: bool = False,
) -> VenueAccount:
    """Register an account at a venue; its connection is tested in the background.

    Args:
        venue: where the account is.
        label: tells it from others at the same venue.
        api_key: kept encrypted, as are the next two.
        api_secret: belongs to the key.
        passphrase: for venues that ask for one.
        is_enabled: whether it may be used.
        allows_transfers: whether funds may be sent away, so that a key may have that right.

    Raises:
        InvalidInput: label, key or secret is empty or too long.
        AccountLabelTaken: the venue has an account of this label.
    """
    account = VenueAccount(
        venue=venue,
        label=_check_label(label),
        api_key=_check_secret("api_key", api_key),
        api_secret=_check_secret("api_secret", api_secret),
        passphrase=_check_secret("passphrase", passphrase, is_optional=True),
        api_key_tail=mask(api_key.strip()),
        is_enabled=is_enabled,
        allows_transfers=allows_transfers,
    )
    if is_enabled:
        doubt_low_fees(venue_id=venue.pk)  # before its row, which keeps the venue's from a lock
    _save(account)
    if is_enabled:
        enqueue_on_commit("accounts.test_connection", account_id=account.pk)
    return account


@transaction.atomic
def update_account(
    *,
    account_id: int,
    label: str | None = None,
    api_key: str | None = None,
    api_secret: str | None = None,
    passphrase: str | None = None,
    is_enabled: bool | None = None,
    allows_transfers: bool | None = None,
) -> VenueAccount:
    """Change an account; what is ``None``, and a secret that is empty, stays as it is.

    A new secret makes everything that was found out with the old one void, and is tested in the
    background. The venue cannot be changed: the history would be another one's.

    Raises:
        AccountNotFound: no account has this id.
        InvalidInput: a value is empty or too long.
        AccountLabelTaken: the venue has another account of this label.
        WithdrawRightRefused: the key may withdraw, and transfers are off.
    """
    account = lock_account(account_id)
    fields = ["updated_at"]
    if allows_transfers is not None:
        account.allows_transfers = allows_transfers
        fields.append("allows_transfers")
    if label is not None:
        account.label = _check_label(label)
        fields.append("label")
    joins = is_enabled is True and not account.is_enabled
    if is_enabled is not None:
        account.is_enabled = is_enabled
        fields.append("is_enabled")
    secrets = {"api_key": api_key, "api_secret": api_secret, "passphrase": passphrase}
    fresh = {name: _check_secret(name, value) for name, value in secrets.items() if value}
    if fresh:
        fields += _replace_secrets(account, fresh)
    if account.is_enabled and (is_enabled or allows_transfers is False):
        _check_rights(account, from_json(account.permissions))
    if joins or (fresh and account.is_enabled):
        doubt_low_fees(venue_id=account.venue_id)
    _save(account, fields)
    if fresh and account.is_enabled:
        enqueue_on_commit("accounts.test_connection", account_id=account.pk)
    return account


@transaction.atomic
def delete_account(*, account_id: int) -> None:
    """Remove an account that nothing depends on, with its stored balances.

    Raises:
        AccountNotFound: no account has this id.
        AccountInUse: strategies, orders, transfers or bookings depend on it.
    """
    account = lock_account(account_id)
    check_unused(account)
    account.delete()


def check_unused(account: VenueAccount) -> None:
    """Refuse an account that cannot be deleted because something depends on it; delete nothing.

    Raises:
        AccountInUse: strategies, orders, transfers or bookings depend on it.
    """
    users = list_account_users(account)
    if users:
        text = ", ".join(f"{count} {name}" for name, count in users)
        raise AccountInUse(account=str(account), users=text)


def test_connection(
    *,
    account_id: int,
    clock: Clock = SYSTEM_CLOCK,  # noqa: PT028  a command, not a test
) -> ConnectionReport:
    """Ask the venue what the account's key may do, and keep the answer.

    A key of a real venue that may withdraw is refused unless transfers are switched on for the
    account, and the account is disabled. A success synchronises the balances and opens the books
    of the account in the background.

    Raises:
        AccountNotFound: no account has this id.
        AccountDisabled: the account is switched off.
        VenueDisabled: its venue is switched off.
        WithdrawRightRefused: the key may do more than is wanted.
        SecretUnreadable, UnknownVenueClass, VenueError: the exact cause of the failure, which is
            also kept with the account.
    """
    account = get_account(account_id)
    check_enabled(account)
    try:
        gateway = gateway_for(account.venue.to_spec(), account.to_credentials())
        findings = tuple(gateway.fetch_permissions())
    except ArbError as error:
        _record_test(account, clock=clock, error=error)
        raise
    try:
        _check_rights(account, findings)
    except WithdrawRightRefused as error:
        _record_test(account, clock=clock, findings=findings, error=error)
        raise
    tested = _record_test(account, clock=clock, findings=findings)
    return ConnectionReport(tested, findings, tuple(find_warnings(findings)))


def mask(api_key: str) -> str:
    """Return what may be shown of a key: its end, and of a short one nothing."""
    return MASK + api_key[-TAIL_LENGTH:] if len(api_key) >= 3 * TAIL_LENGTH else MASK


@transaction.atomic
def _record_test(
    tested: VenueAccount,
    *,
    clock: Clock,
    findings: tuple[PermissionFinding, ...] = (),
    error: ArbError | None = None,
) -> VenueAccount:
    """Keep the outcome of a test, unless the key was changed while the venue was asked."""
    account = lock_account(tested.pk)
    if not _has_same_key(tested, account):
        return account
    was_refused = account.is_key_refused
    account.permissions = to_json(findings)
    account.tested_at = clock.now()
    account.test_error_code = None if error is None else error.code
    account.test_error = "" if error is None else keep_sentence(error.message)
    fields = ["permissions", "tested_at", "test_error_code", "test_error", "updated_at"]
    if isinstance(error, WithdrawRightRefused):
        account.is_enabled = False
        fields.append("is_enabled")
    if error is None:
        account.sync_error_code, account.sync_error = None, ""
        fields += ["sync_error_code", "sync_error"]
        enqueue_on_commit("accounts.sync_balances", account_id=account.pk)
        enqueue_on_commit("ledger.open_account", account_id=account.pk)
    account.save(update_fields=fields)
    if account.is_key_refused != was_refused:
        enqueue_on_commit("ledger.heed_account", account_id=account.pk)
    return account


def _check_rights(account: VenueAccount, findings: Sequence[PermissionFinding]) -> None:
    """Refuse a key that can empty an account from which nothing is to be sent away.

    Raises:
        WithdrawRightRefused: the venue is a real one, the key may withdraw, and transfers are off.
    """
    if account.allows_transfers or is_simulated(account.venue):
        return
    if may_withdraw(findings):
        raise WithdrawRightRefused(account=str(account))


def _has_same_key(one: VenueAccount, other: VenueAccount) -> bool:
    try:
        return one.to_credentials() == other.to_credentials()
    except SecretUnreadable:
        return True  # nobody has entered new secrets yet


def _replace_secrets(account: VenueAccount, fresh: dict[str, str]) -> list[str]:
    """Set new secrets, forget what the old ones showed, and return the changed fields."""
    for name, value in fresh.items():
        setattr(account, name, value)
    fields = list(fresh)
    if "api_key" in fresh:
        account.api_key_tail = mask(fresh["api_key"])
        fields.append("api_key_tail")
    account.permissions, account.tested_at = [], None
    account.test_error_code, account.test_error = None, ""
    account.sync_error_code, account.sync_error = None, ""
    return [
        *fields,
        "permissions",
        "tested_at",
        "test_error_code",
        "test_error",
        "sync_error_code",
        "sync_error",
    ]


def _check_label(label: str) -> str:
    text = label.strip()
    length_max = VenueAccount.label.field.max_length or 0
    if not 0 < len(text) <= length_max:
        complaint = Message("Give a name of 1 to {maximum} characters.", {"maximum": length_max})
        raise InvalidInput(fields={"label": [complaint]})
    return text


def _check_secret(name: str, value: str, *, is_optional: bool = False) -> str:
    """Return a secret without the blanks that copying puts around it."""
    text = value.strip()
    if len(text) > KEY_LENGTH_MAX:
        complaint = Message("Longer than {maximum} characters.", {"maximum": KEY_LENGTH_MAX})
        raise InvalidInput(fields={name: [complaint]})
    if not text and not is_optional:
        raise InvalidInput(fields={name: [Message("Must not be empty.")]})
    return text


def _save(account: VenueAccount, fields: list[str] | None = None) -> None:
    try:
        with transaction.atomic():
            account.save(update_fields=fields)
    except IntegrityError:
        raise AccountLabelTaken(venue=account.venue.code, label=account.label) from None
