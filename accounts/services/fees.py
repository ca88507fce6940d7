"""Asks venues what our accounts pay there."""

import logging
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Final

from django.db import transaction

from accounts.models import VenueAccount
from accounts.selectors import list_accounts, list_syncable_account_ids
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.errors import ArbError
from markets.domain.fees import FeeSchedule
from markets.gateway.factory import gateway_for
from markets.selectors import list_symbols_by_fee_age, lock_venue
from markets.services.own_fees import doubt_low_fees, keep_own_fees

logger = logging.getLogger(__name__)

TOLD_FOR: Final = timedelta(days=1)
"""For so long what a venue told is planned with while it tells nothing new."""


def read_fees(*, venue_id: int, symbols: Collection[str], clock: Clock = SYSTEM_CLOCK) -> int:
    """Ask for the own fees of every enabled account at a venue, and keep the highest.

    A venue that tells them market by market is asked about some of the markets only, those whose
    fees are oldest; the next time comes to the others. One that tells nothing changes nothing, but
    for discounts that it has told of more than ``TOLD_FOR`` ago: these are planned with no more.

    Args:
        venue_id: of the venue.
        symbols: of the markets that matter.
        clock: tells the time.

    Returns:
        On how many markets other fees are planned with than before.
    """
    wanted = list_symbols_by_fee_age(venue_id, symbols)
    accounts = _list_paying(venue_id)
    if not wanted or not accounts:
        return 0
    askable = set(list_syncable_account_ids())
    told = [_ask(account, wanted) if account.pk in askable else {} for account in accounts]
    if not any(told):
        return doubt_low_fees(venue_id=venue_id, told_before=clock.now() - TOLD_FOR)
    with transaction.atomic():
        lock_venue(venue_id)  # accounts join others under this lock
        if set(map(_name, _list_paying(venue_id))) != set(map(_name, accounts)):
            return 0  # nobody has asked for one that is there now: the next time does
        return keep_own_fees(venue_id=venue_id, told=told, told_at=clock.now())


def _list_paying(venue_id: int) -> list[VenueAccount]:
    rows = list_accounts().filter(venue_id=venue_id, is_enabled=True, venue__is_enabled=True)
    return list(rows)


def _name(account: VenueAccount) -> tuple[int, str]:
    return account.pk, account.api_key_tail


def _ask(account: VenueAccount, symbols: list[str]) -> Mapping[str, FeeSchedule]:
    try:
        gateway = gateway_for(account.venue.to_spec(), account.to_credentials())
        return gateway.fetch_fees(symbols)
    except ArbError as error:
        logger.warning("Fees of %s were not told: %s", account, error)
        return {}
