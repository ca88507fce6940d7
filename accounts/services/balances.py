"""Commands that copy balances from the venues."""

import logging
from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from accounts.models import Balance, VenueAccount
from accounts.selectors import get_account, list_balances, lock_account
from accounts.services.accounts import check_enabled
from arbplatform.background.commit import enqueue_on_commit
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.decimals import ZERO
from arbplatform.core.errors import ArbError
from arbplatform.persistence.retries import retried
from arbplatform.persistence.sentences import keep_sentence
from markets.domain.funds import VenueBalance, Wallet
from markets.errors import VenueRejected
from markets.gateway.base import VenueGateway
from markets.gateway.factory import gateway_for
from markets.services.assets import ensure_assets

logger = logging.getLogger(__name__)


def sync_balances(*, account_id: int, clock: Clock = SYSTEM_CLOCK) -> list[Balance]:
    """Read the account's wallets at its venue and store what was said.

    An asset that a successful answer does not name any more is stored as zero; a failed read
    changes no balance, and its cause is kept with the account.

    Returns:
        Every stored balance of the account.

    Raises:
        AccountNotFound: no account has this id.
        AccountDisabled: the account is switched off.
        VenueDisabled: its venue is switched off.
        SecretUnreadable: the configured keys do not open its secrets.
        VenueError: the venue did not tell.
    """
    account = get_account(account_id)
    check_enabled(account)
    asked_at = clock.now()
    try:
        # a person may try a key that was refused; the platform by itself does not
        gateway = gateway_for(account.venue.to_spec(), account.to_credentials())
        _store(account, Wallet.SPOT, gateway.fetch_balances(Wallet.SPOT), asked_at)
        funding = _read_funding(gateway, account)
        if funding is not None:
            _store(account, Wallet.FUNDING, funding, asked_at)
    except ArbError as error:
        _record_failure(account, error)
        raise
    _record_success(account, asked_at)
    return list(list_balances(account_id))


def _read_funding(
    gateway: VenueGateway, account: VenueAccount
) -> Mapping[str, VenueBalance] | None:
    """Return the funding wallet, or ``None`` where the venue has none or does not show it."""
    try:
        return gateway.fetch_balances(Wallet.FUNDING)
    except VenueRejected as refusal:
        logger.debug("No funding wallet for %s: %s", account, refusal)
        return None


@retried
@transaction.atomic
def _store(
    account: VenueAccount, wallet: Wallet, stated: Mapping[str, VenueBalance], asked_at: datetime
) -> None:
    """Write what a wallet holds, unless an answer that was asked for later is there already."""
    row = lock_account(account.pk)
    stored = Balance.objects.filter(account=row, wallet=wallet)
    if stored.filter(synced_at__gt=asked_at).exists():
        return
    assets = ensure_assets(sorted(stated))
    stored.exclude(asset__code__in=list(stated)).update(free=ZERO, held=ZERO, synced_at=asked_at)
    Balance.objects.bulk_create(
        [
            Balance(
                account=row,
                wallet=wallet,
                asset=assets[code],
                free=balance.free,
                held=balance.held,
                synced_at=asked_at,
            )
            for code, balance in stated.items()
        ],
        update_conflicts=True,
        unique_fields=["account", "wallet", "asset"],
        update_fields=["free", "held", "synced_at"],
    )


@transaction.atomic
def _record_success(account: VenueAccount, asked_at: datetime) -> None:
    row = lock_account(account.pk)
    row.synced_at, row.sync_error_code, row.sync_error = asked_at, None, ""
    row.save(update_fields=["synced_at", "sync_error_code", "sync_error", "updated_at"])


@transaction.atomic
def _record_failure(account: VenueAccount, error: ArbError) -> None:
    row = lock_account(account.pk)
    row.sync_error_code, row.sync_error = error.code, keep_sentence(error.message)
    row.save(update_fields=["sync_error_code", "sync_error", "updated_at"])
    if row.is_key_refused:
        enqueue_on_commit("ledger.heed_account", account_id=row.pk)
