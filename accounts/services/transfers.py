"""Commands on transfers: send once, and follow until the funds have arrived."""

import logging
from typing import Final

from accounts.domain.transfers import (
    AGES_MAX,
    SENDABLE_STATES,
    TRANSFER_TRANSITIONS,
    UNSENT_STATES,
    TransferEvent,
    TransferState,
    is_due,
)
from accounts.errors import NetworkSuspended, TransferExpired
from accounts.models import Transfer
from accounts.selectors import (
    get_account_with_secrets,
    get_transfer,
    list_due_transfer_ids,
)
from accounts.services.accounts import open_gateway
from accounts.services.alarms import raise_alarms
from accounts.services.lookups import judge_wallet_transfer, judge_withdrawal, look_up
from accounts.services.progress import Sighting, claim, postpone, record
from accounts.services.routes import Route
from accounts.services.verification import verify_transfer
from arbplatform.background.draining import DRAIN
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.errors import ArbError, Message
from markets.domain.funds import VenueTransfer, Wallet
from markets.errors import OutcomeUnknown, VenueRejected, VenueUnavailable
from markets.gateway.base import VenueGateway

logger = logging.getLogger(__name__)

POLL_BATCH_MAX: Final = 100


def submit_transfer(*, transfer_id: int, clock: Clock = SYSTEM_CLOCK) -> Transfer:
    """Send a requested transfer to its venue, once, and record what was learned.

    Both venues and the address book are asked again just before. What may pass by itself (a
    suspended network, a venue that does not answer) makes the transfer wait; anything else ends
    it. Safe to deliver twice: only the caller that claims the row sends. The network is used
    outside any transaction. Never raises for a venue's outcome.

    Raises:
        TransferNotFound: no transfer has this id.
    """
    transfer = get_transfer(transfer_id)
    if transfer.state not in SENDABLE_STATES:
        return transfer
    if _is_too_old(transfer, clock):
        return _conclude(transfer_id, TransferEvent.REFUSE, TransferExpired(), clock)
    try:
        route = None if transfer.is_internal else verify_transfer(transfer, clock=clock)
        if not claim(transfer_id=transfer_id, clock=clock):
            return get_transfer(transfer_id)
    except (NetworkSuspended, VenueUnavailable) as error:
        return _conclude(transfer_id, TransferEvent.WAIT, error, clock)
    except ArbError as error:
        return _conclude(transfer_id, TransferEvent.REFUSE, error, clock)
    return record(transfer_id=transfer_id, sighting=_send(transfer, route), clock=clock)


def _conclude(transfer_id: int, event: TransferEvent, error: ArbError, clock: Clock) -> Transfer:
    """Record why a transfer was not sent, unless somebody else is sending it by now."""
    sighting = Sighting(event, error=error)
    return record(transfer_id=transfer_id, sighting=sighting, only_in=UNSENT_STATES, clock=clock)


def poll_transfer(*, transfer_id: int, clock: Clock = SYSTEM_CLOCK) -> Transfer:
    """Find out what has become of a transfer; send it if its message was lost.

    A transfer whose sender died, or whose reply was lost, is looked up and never sent again.

    Raises:
        TransferNotFound: no transfer has this id.
        VenueError: a venue did not tell; it will be asked again later.
        SecretUnreadable: the configured keys do not open the secrets.
    """
    transfer = get_transfer(transfer_id)
    state = TransferState(transfer.state)
    if TRANSFER_TRANSITIONS.is_terminal(state):
        return transfer
    if state in SENDABLE_STATES:
        return submit_transfer(transfer_id=transfer_id, clock=clock)
    if state in UNSENT_STATES:
        if _is_too_old(transfer, clock):
            return _conclude(transfer_id, TransferEvent.REFUSE, TransferExpired(), clock)
        return transfer  # it waits for somebody, or for its test amount
    if state is TransferState.SUBMITTING:
        planned_at = transfer.next_lookup_at
        if planned_at is not None and not is_due(planned_at, clock.now()):
            return transfer  # somebody is sending it right now
        lost = Sighting(TransferEvent.LOSE_TRACK, error=_interrupted(transfer))
        transfer = record(transfer_id=transfer_id, sighting=lost, clock=clock)
    try:
        sighting = look_up(transfer, clock=clock)
    except ArbError as error:
        postpone(transfer_id=transfer_id, error=error, clock=clock)
        raise
    return record(transfer_id=transfer_id, sighting=sighting, clock=clock)


def poll_transfers(*, clock: Clock = SYSTEM_CLOCK) -> int:
    """Poll every live transfer that is due, and raise the alarm about those that take too long.

    One's failure does not stop the others.

    Returns:
        How many were looked at, at most ``POLL_BATCH_MAX``.
    """
    due = list_due_transfer_ids(now=clock.now(), limit=POLL_BATCH_MAX)
    for transfer_id in due:
        if DRAIN.has_begun:
            break
        try:
            poll_transfer(transfer_id=transfer_id, clock=clock)
        except ArbError as error:
            logger.warning("Transfer %s could not be looked up: %s", transfer_id, error)
        except Exception:
            # one that cannot be read or written down must not hide the funds of the others
            logger.exception("Transfer %s could not be looked up", transfer_id)
    raise_alarms(clock=clock)
    return len(due)


def _is_too_old(transfer: Transfer, clock: Clock) -> bool:
    age = clock.now() - (transfer.released_at or transfer.created_at)
    return age > AGES_MAX[TransferState(transfer.state)]


def _send(transfer: Transfer, route: Route | None) -> Sighting:
    """Tell the venue, and say what its answer, or the lack of one, means."""
    try:
        gateway = open_gateway(get_account_with_secrets(transfer.from_account_id))
    except ArbError as error:
        return Sighting(TransferEvent.REFUSE, error=error)  # nothing was sent
    try:
        stated = _call(gateway, transfer, route)
    except (VenueRejected, VenueUnavailable) as error:
        return Sighting(TransferEvent.REFUSE, error=error)  # definitely not carried out
    except ArbError as error:
        return Sighting(TransferEvent.LOSE_TRACK, error=error)
    except Exception:
        # Whatever went wrong in the client, the request may have been sent.
        logger.exception("The outcome of %s is not known", transfer)
        return Sighting(TransferEvent.LOSE_TRACK, error=_interrupted(transfer))
    judge = judge_wallet_transfer if transfer.is_internal else judge_withdrawal
    return judge(transfer, stated)


def _call(gateway: VenueGateway, transfer: Transfer, route: Route | None) -> VenueTransfer:
    asset = transfer.asset.code
    if route is None:
        return gateway.transfer(
            asset=asset,
            amount=transfer.amount,
            from_wallet=Wallet(transfer.from_wallet),
            to_wallet=Wallet(transfer.to_wallet),
        )
    return gateway.withdraw(
        amount=transfer.amount,
        destination=route.to_destination(asset),
        client_transfer_id=transfer.client_transfer_id,
    )


def _interrupted(transfer: Transfer) -> OutcomeUnknown:
    venue = transfer.from_account.venue.code
    return OutcomeUnknown(venue=venue, cause=Message("the request was interrupted"))
