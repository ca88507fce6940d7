"""Keeps venues' dead-man switches wound up while orders of ours rest there.

Such a switch cancels all orders of an account by itself once it has not been renewed for a while:
should every process of the platform die, nothing stays in the books. It is armed only while orders
rest, and disarmed afterwards, since it would cancel what a person places by hand as well.
"""

import logging
from collections.abc import Iterable

from django.core.cache import cache

from accounts.models import VenueAccount
from accounts.selectors import get_account_with_secrets
from accounts.services.accounts import open_gateway
from arbplatform.core.errors import ArbError
from ledger.domain.orders import SWITCH_MS
from ledger.selectors.orders import list_accounts_with_resting_orders

logger = logging.getLogger(__name__)

_ARMED = "dead-man:armed"
_KEPT_S = 86_400


def renew_switches() -> list[int]:
    """Arm or renew the switch of every account with resting orders; disarm those without.

    Returns:
        The ids of the accounts whose switch is armed now.
    """
    wanted = set(list_accounts_with_resting_orders())
    before = set(_read_armed())
    armed = {account_id for account_id in sorted(wanted) if _set(account_id, SWITCH_MS)}
    armed |= {account_id for account_id in sorted(before - wanted) if not _set(account_id, 0)}
    if armed or before:
        cache.set(_ARMED, sorted(armed), timeout=_KEPT_S)
    return sorted(armed & wanted)


def _set(account_id: int, delay_ms: int) -> bool:
    """Return whether the venue did as it was told, where it has such a switch."""
    try:
        account: VenueAccount = get_account_with_secrets(account_id)
        if not account.venue.capabilities.has_dead_man_timer:
            return False
        open_gateway(account, even_if_disabled=True).set_dead_man_switch(delay_ms)
    except ArbError as error:
        logger.warning("The dead-man switch of account %s was not set: %s", account_id, error)
        return False
    return True


def _read_armed() -> Iterable[int]:
    found = cache.get(_ARMED)
    return found if isinstance(found, list) else []
