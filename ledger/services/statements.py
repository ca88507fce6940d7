"""Read what a venue itself says that an account holds."""

import logging
from dataclasses import dataclass

from accounts.models import VenueAccount
from accounts.services.accounts import open_gateway
from arbplatform.core.decimals import Amount
from markets.domain.funds import Wallet
from markets.errors import VenueRejected

logger = logging.getLogger(__name__)

PurseKey = tuple[Wallet, str]
"""Wallet and asset code."""


@dataclass(frozen=True, slots=True)
class Statement:
    """Everything that a venue states for one account.

    Attributes:
        holdings: all that is there, held amounts included [units of the asset]; never zero.
        wallets: those that the venue told about. Of the others nothing is known.
    """

    holdings: dict[PurseKey, Amount]
    wallets: frozenset[Wallet]


def read_statement(account: VenueAccount) -> Statement:
    """Return what the venue says now. Calls the venue: not inside a transaction.

    Raises:
        AccountDisabled: the account is switched off.
        VenueError: the spot wallet could not be read. A failed read is never an empty wallet.
    """
    gateway = open_gateway(account)
    stated = {Wallet.SPOT: gateway.fetch_balances(Wallet.SPOT)}
    try:
        stated[Wallet.FUNDING] = gateway.fetch_balances(Wallet.FUNDING)
    except VenueRejected as refusal:
        # the venue has no such wallet, or the key may not see it
        logger.debug("No funding wallet for %s: %s", account, refusal)
    holdings = {
        (wallet, asset): balance.total
        for wallet, balances in stated.items()
        for asset, balance in balances.items()
        if balance.total
    }
    return Statement(holdings, frozenset(stated))
