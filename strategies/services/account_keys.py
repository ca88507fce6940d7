"""The keys of the accounts that some strategies use, for those who listen to their venues."""

import logging
from collections.abc import Collection
from dataclasses import dataclass, field

from accounts.selectors import list_accounts_with_secrets
from accounts.services.accounts import check_enabled, check_key
from arbplatform.core.errors import ArbError
from markets.gateway.base import Credentials, VenueSpec
from strategies.selectors.engines import list_account_ids

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AccountKey:
    """How to listen to what a venue tells an account.

    Attributes:
        account_id: of the account.
        spec: how to reach its venue.
        credentials: of the account; they are shown nowhere.
    """

    account_id: int
    spec: VenueSpec
    credentials: Credentials = field(repr=False)


def read_account_keys(*, strategy_ids: Collection[int]) -> list[AccountKey]:
    """Return the keys of the accounts that strategies use; those that cannot be used are left out.

    Args:
        strategy_ids: ids of strategies.
    """
    found = []
    for account in list_accounts_with_secrets(list_account_ids(strategy_ids)):
        try:
            check_enabled(account)
            check_key(account)
        except ArbError as error:
            # asked every few seconds; the page of the account says what is wrong with it
            logger.debug("Account %s is not listened to: %s", account.pk, error)
            continue
        found.append(AccountKey(account.pk, account.venue.to_spec(), account.to_credentials()))
    return found
