"""Lets trading follow what the platform itself finds: the state of a venue, the key of an account.

These restrictions are scopes of their own: they never touch what a person has halted, and no
person has to lift them.
"""

import logging

from accounts.errors import AccountNotFound
from accounts.selectors import get_account, list_refused_account_ids
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.errors import IllegalTransition, Message
from arbplatform.wording import untranslated
from ledger.domain.halts import HaltLevel, HaltScope, TradingEvent, TradingState
from ledger.models import TradingHalt
from ledger.selectors.halts import list_halts
from ledger.services.halts import change_trading
from markets.domain.health import VenueState
from markets.errors import UnknownVenue
from markets.models import Venue, VenueStateChoice
from markets.selectors import get_venue_by_id

logger = logging.getLogger(__name__)

_WANTED = {
    VenueState.HEALTHY: TradingState.ACTIVE,
    # nothing can be sent there, not even a cancellation
    VenueState.BLOCKED: TradingState.HALTED,
}
_EVENTS = {
    TradingState.ACTIVE: TradingEvent.RESUME,
    TradingState.REDUCING: TradingEvent.REDUCE,
    TradingState.HALTED: TradingEvent.HALT,
}


def heed_venue(*, venue_id: int, clock: Clock = SYSTEM_CLOCK) -> TradingState:
    """Open nothing at a venue that is not healthy; let repairs and cancellations go.

    May be called any number of times.

    Args:
        venue_id: which venue.
        clock: tells the time.

    Returns:
        What may be sent there, as far as its state is concerned.
    """
    try:
        venue = get_venue_by_id(venue_id)
    except UnknownVenue:
        return TradingState.ACTIVE  # deleted since
    wanted = _WANTED.get(VenueState(venue.state), TradingState.REDUCING)
    reason, why = untranslated(VenueStateChoice(venue.state).label), venue.to_state_reason()
    if why.template:
        reason = Message("{state}: {reason}", {"state": reason, "reason": why})
    _steer(HaltScope(HaltLevel.VENUE_STATE, venue_id), wanted, reason, clock)
    return wanted


def heed_account(*, account_id: int, clock: Clock = SYSTEM_CLOCK) -> TradingState:
    """Send nothing for an account whose key its venue does not accept.

    May be called any number of times.

    Args:
        account_id: which account.
        clock: tells the time.

    Returns:
        What may be sent for it, as far as its key is concerned.
    """
    try:
        account = get_account(account_id)
    except AccountNotFound:
        return TradingState.ACTIVE  # deleted since
    wanted = TradingState.HALTED if account.is_key_refused else TradingState.ACTIVE
    error = account.to_error()
    reason = error if error.template else Message("The key works.")
    _steer(HaltScope(HaltLevel.ACCOUNT_KEY, account_id), wanted, reason, clock)
    return wanted


def heed_conditions(*, clock: Clock = SYSTEM_CLOCK) -> None:
    """Do that for all venues and accounts that it concerns: the sweep behind lost messages."""
    ill = set(Venue.objects.exclude(state=VenueState.HEALTHY).values_list("pk", flat=True))
    for venue_id in sorted(ill | _restricted(HaltLevel.VENUE_STATE)):
        heed_venue(venue_id=venue_id, clock=clock)
    refused = set(list_refused_account_ids())
    for account_id in sorted(refused | _restricted(HaltLevel.ACCOUNT_KEY)):
        heed_account(account_id=account_id, clock=clock)


def _restricted(level: HaltLevel) -> set[int]:
    return {
        halt.target_id
        for halt in list_halts()
        if halt.level == level and halt.target_id is not None
    }


def _steer(scope: HaltScope, wanted: TradingState, reason: Message, clock: Clock) -> None:
    row = TradingHalt.objects.filter(key=scope.key).first()
    now = TradingState.ACTIVE if row is None else TradingState(row.state)
    if now is not wanted:
        try:
            change_trading(event=_EVENTS[wanted], scope=scope, reason=reason, clock=clock)
        except IllegalTransition:
            logger.info("%s is %s already: somebody else was faster", scope.key, wanted)
