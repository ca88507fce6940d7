"""Commands on transfers: request, send once, and follow until the funds have arrived."""

import logging
from decimal import Decimal
from typing import Final

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction

from accounts.domain.transfers import (
    REQUEST_MAX_AGE,
    SWEEP_AFTER,
    TRANSFER_TRANSITIONS,
    TransferEvent,
    TransferState,
)
from accounts.errors import IdempotencyConflict, TransferExpired
from accounts.models import ReservationPurpose, Transfer, VenueAccount
from accounts.selectors import (
    find_transfer,
    get_account_with_secrets,
    get_transfer,
    list_due_transfer_ids,
    reserved_total,
)
from accounts.services.accounts import open_gateway
from accounts.services.lookups import judge_wallet_transfer, judge_withdrawal, look_up
from accounts.services.preconditions import (
    check_amount,
    check_funds,
    check_wallets,
    find_destination,
    refuse_beyond,
)
from accounts.services.progress import Sighting, claim, postpone, record
from accounts.services.reservations import Want, reserve
from arbplatform.background.commit import enqueue_on_commit
from arbplatform.background.draining import DRAIN
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.errors import ArbError, InvalidInput, Message
from arbplatform.core.ids import derive_client_id
from markets.domain.funds import DepositAddress, VenueTransfer, Wallet
from markets.errors import OutcomeUnknown, VenueRejected, VenueUnavailable
from markets.gateway.base import VenueGateway
from markets.selectors import get_asset

logger = logging.getLogger(__name__)

POLL_BATCH_MAX: Final = 100
KEY_LENGTH_MAX: Final = 64


def request_transfer(
    *,
    from_account_id: int,
    to_account_id: int | None = None,
    from_wallet: Wallet,
    to_wallet: Wallet,
    asset: str,
    amount: Decimal,
    network: str = "",
    idempotency_key: str,
    user: AbstractBaseUser | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Transfer:
    """Write down a transfer that can be carried out; a task sends it after the commit.

    The same key with the same request returns the transfer that it made before.

    Args:
        from_account_id: sends.
        to_account_id: receives; ``None``: the same account.
        from_wallet: of the sending account.
        to_wallet: of the receiving account.
        asset: its code.
        amount: what leaves the source, network fee included [units of asset].
        network: its unified name; empty: the destination's default.
        idempotency_key: the caller's name for this request.
        user: who asked.
        clock: source of time.

    Raises:
        InvalidInput: amount or key are not usable.
        InvalidTransfer: source and destination do not fit.
        IdempotencyConflict: the key was used for another request.
        AccountNotFound, AccountDisabled, VenueDisabled: an account is not there to be used.
        NotFound: no such asset.
        BalanceTooLow: not enough is free at the venue now.
        VenueError: a venue did not tell what has to be known before.
    """
    check_amount(amount)
    key = _check_key(idempotency_key)
    source = get_account_with_secrets(from_account_id)
    target = (
        source
        if to_account_id in {None, source.pk}
        else get_account_with_secrets(to_account_id or 0)
    )
    draft = Transfer(
        idempotency_key=key,
        client_transfer_id=derive_client_id(settings.ARB_INSTALL_ID, "transfer", key),
        from_account=source,
        from_wallet=Wallet(from_wallet),
        to_account=target,
        to_wallet=Wallet(to_wallet),
        asset=get_asset(asset),
        amount=amount,
        network="" if target is source else network.strip(),
        requested_by_id=None if user is None else user.pk,
        next_lookup_at=clock.now() + SWEEP_AFTER,
    )
    known = find_transfer(key)
    if known is not None:
        return _adopt(known, draft)
    free = _check_feasible(draft, source, target)
    return _write(draft, free)


def submit_transfer(*, transfer_id: int, clock: Clock = SYSTEM_CLOCK) -> Transfer:
    """Send a requested transfer to its venue, once, and record what was learned.

    Safe to deliver twice: only the caller that claims the row sends. The network is used outside
    any transaction. Never raises for a venue's outcome.

    Raises:
        TransferNotFound: no transfer has this id.
    """
    transfer = get_transfer(transfer_id)
    if transfer.state != TransferState.REQUESTED:
        return transfer
    if clock.now() - transfer.created_at > REQUEST_MAX_AGE:
        expired = Sighting(TransferEvent.REFUSE, error=TransferExpired())
        return record(transfer_id=transfer_id, sighting=expired, clock=clock)
    if not claim(transfer_id=transfer_id, clock=clock):
        return get_transfer(transfer_id)
    return record(transfer_id=transfer_id, sighting=_send(transfer), clock=clock)


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
    if state is TransferState.REQUESTED:
        return submit_transfer(transfer_id=transfer_id, clock=clock)
    if state is TransferState.SUBMITTING:
        if transfer.next_lookup_at is not None and transfer.next_lookup_at > clock.now():
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
    """Poll every live transfer that is due; one's failure does not stop the others.

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
    return len(due)


def _check_key(idempotency_key: str) -> str:
    key = idempotency_key.strip()
    if not 0 < len(key) <= KEY_LENGTH_MAX:
        complaint = Message("Give a key of 1 to {maximum} characters.", {"maximum": KEY_LENGTH_MAX})
        raise InvalidInput(fields={"idempotency_key": [complaint]})
    return key


def _check_feasible(draft: Transfer, source: VenueAccount, target: VenueAccount) -> Decimal:
    """Ask the venues, and fill in where the funds go; return what is free at the source."""
    from_wallet, to_wallet = Wallet(draft.from_wallet), Wallet(draft.to_wallet)
    asset = draft.asset.code
    check_wallets(source=source, target=target, from_wallet=from_wallet, to_wallet=to_wallet)
    open_gateway(target)  # a disabled destination is told before anything is asked
    free = check_funds(source=source, wallet=from_wallet, asset=asset, amount=draft.amount)
    if draft.is_internal:
        return free
    destination = find_destination(source=source, target=target, asset=asset, network=draft.network)
    draft.address = destination.address
    draft.tag = destination.tag or ""
    draft.network = destination.network or ""
    return free


def _write(draft: Transfer, free: Decimal) -> Transfer:
    try:
        with transaction.atomic():
            draft.save(force_insert=True)
            _reserve(draft, free)
            for account_id in sorted({draft.from_account_id, draft.to_account_id}):
                enqueue_on_commit("ledger.open_account", account_id=account_id)
            enqueue_on_commit("accounts.submit_transfer", transfer_id=draft.pk)
    except IntegrityError:
        known = find_transfer(draft.idempotency_key)
        if known is None:
            raise
        return _adopt(known, draft)
    return draft


def _reserve(draft: Transfer, free: Decimal) -> None:
    """Set the amount aside, so that no order spends it before it has left.

    The venue says what is free, which the books do not know of an account that was not opened; so
    the database does not judge, but whoever reserves holds the total's row until the commit.

    Raises:
        BalanceTooLow: what is free is set aside for orders and other transfers.
    """
    want = Want(
        purpose=ReservationPurpose.TRANSFER,
        owner_id=draft.pk,
        account_id=draft.from_account_id,
        wallet=Wallet(draft.from_wallet),
        asset_id=draft.asset_id,
        amount=draft.amount,
    )
    reserve([want], is_forced=True)
    others = reserved_total(want.account_id, want.wallet, want.asset_id) - want.amount
    refuse_beyond(draft, free - others)


def _adopt(known: Transfer, draft: Transfer) -> Transfer:
    """Return the transfer that the same request made before."""
    same = ("from_account_id", "from_wallet", "to_account_id", "to_wallet", "asset_id", "amount")
    is_same = all(getattr(known, name) == getattr(draft, name) for name in same)
    # A request that leaves the network open was completed with the destination's default.
    is_same = is_same and draft.network.upper() in {"", known.network.upper()}
    if not is_same:
        raise IdempotencyConflict
    return known


def _send(transfer: Transfer) -> Sighting:
    """Tell the venue, and say what its answer, or the lack of one, means."""
    try:
        gateway = open_gateway(get_account_with_secrets(transfer.from_account_id))
    except ArbError as error:
        return Sighting(TransferEvent.REFUSE, error=error)  # nothing was sent
    try:
        stated = _call(gateway, transfer)
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


def _call(gateway: VenueGateway, transfer: Transfer) -> VenueTransfer:
    asset = transfer.asset.code
    if transfer.is_internal:
        return gateway.transfer(
            asset=asset,
            amount=transfer.amount,
            from_wallet=Wallet(transfer.from_wallet),
            to_wallet=Wallet(transfer.to_wallet),
        )
    destination = DepositAddress(
        asset=asset,
        address=transfer.address,
        tag=transfer.tag or None,
        network=transfer.network or None,
    )
    return gateway.withdraw(
        amount=transfer.amount,
        destination=destination,
        client_transfer_id=transfer.client_transfer_id,
    )


def _interrupted(transfer: Transfer) -> OutcomeUnknown:
    venue = transfer.from_account.venue.code
    return OutcomeUnknown(venue=venue, cause=Message("the request was interrupted"))
