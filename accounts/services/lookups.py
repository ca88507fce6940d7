"""Finds out at the venues what has become of a transfer; only reads there, writes nothing here."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from accounts.domain.matching import (
    SentFunds,
    find_deposit,
    find_withdrawal,
    may_have_arrived,
    may_have_left,
)
from accounts.domain.transfers import (
    ABSENT_AGE_MIN,
    ABSENT_LOOKUPS_MIN,
    TransferEvent,
    TransferState,
)
from accounts.errors import ArrivalDiffers, TransferAbsent, TransferRefused
from accounts.models import Transfer
from accounts.selectors import get_account_with_secrets, list_claimed_venue_ids
from accounts.services.accounts import open_gateway
from accounts.services.progress import Sighting
from arbplatform.core.clock import Clock, to_ms
from arbplatform.core.decimals import ZERO, Amount, to_plain
from arbplatform.core.errors import Message
from arbplatform.core.vigil import Vigil
from markets.domain.funds import VenueTransfer, VenueTransferStatus, Wallet
from markets.errors import OutcomeUnknown
from markets.gateway.base import VenueGateway

_SILENCES = Vigil()
"""By transfer and when it was made; the wall clock, which may jump, does not tell how long ago."""

_NO_NEWS = {
    TransferState.SUBMITTED: TransferEvent.ACCEPT,
    TransferState.IN_TRANSIT: TransferEvent.DEPART,
    TransferState.UNKNOWN: TransferEvent.LOSE_TRACK,
}


def look_up(transfer: Transfer, *, clock: Clock) -> Sighting:
    """Return what the venues show of a transfer that was, or may have been, sent.

    Also disabled accounts are asked: switching one off must not hide funds that are on their way.

    Raises:
        VenueError: a venue did not tell: no silence of it counts until it has answered again.
        SecretUnreadable: the configured keys do not open the secrets.
    """
    try:
        return _look_up(transfer, clock)
    except Exception:  # whatever it was: nobody could listen, and no silence counts
        _SILENCES.interrupt(_name(transfer), clock)
        raise


def _look_up(transfer: Transfer, clock: Clock) -> Sighting:
    source = open_gateway(get_account_with_secrets(transfer.from_account_id), even_if_disabled=True)
    sent = to_sent_funds(transfer, clock)
    taken, _deposits = list_claimed_venue_ids(transfer)
    found, listed = _search(
        sent, partial(_list_sent, source, transfer), lambda rows: find_withdrawal(sent, rows, taken)
    )
    if found is None:
        is_doubted = may_have_left(sent, listed, taken)
        return _explain_absence(transfer, sent, clock, is_doubted=is_doubted)
    if transfer.is_internal:
        return judge_wallet_transfer(transfer, found)
    sighting = judge_withdrawal(transfer, found)
    if sighting.event is not TransferEvent.DEPART:
        return sighting
    return _seek_arrival(transfer, sent, sighting)


def to_sent_funds(transfer: Transfer, clock: Clock) -> SentFunds:
    """Return what is known about a transfer that was claimed, as the matching wants it."""
    # one that is to come was told by a clock that was ahead
    moment = min(transfer.submitted_at or transfer.created_at, clock.now())
    return SentFunds(
        amount=transfer.amount,
        sent_at_ms=to_ms(moment),
        client_transfer_id=None if transfer.is_internal else transfer.client_transfer_id,
        venue_transfer_id=transfer.venue_transfer_id or None,
        address=transfer.address or None,
        fee=transfer.fee,
        tx_id=transfer.tx_id or None,
    )


def judge_wallet_transfer(transfer: Transfer, stated: VenueTransfer) -> Sighting:
    """Return what a venue's record says about a transfer between wallets."""
    if stated.status is VenueTransferStatus.FAILED:
        return _refused(transfer, stated)
    if stated.status is VenueTransferStatus.PENDING:
        return Sighting(TransferEvent.ACCEPT, venue_transfer_id=stated.venue_transfer_id)
    return Sighting(
        TransferEvent.ARRIVE,
        venue_transfer_id=stated.venue_transfer_id,
        fee=ZERO,
        arrived_amount=transfer.amount,
    )


def judge_withdrawal(transfer: Transfer, stated: VenueTransfer) -> Sighting:
    """Return what the source's record says; whether funds arrived only the destination knows."""
    if stated.status is VenueTransferStatus.FAILED:
        return _refused(transfer, stated)
    has_left = bool(stated.tx_id) or stated.status is VenueTransferStatus.DONE
    return Sighting(
        TransferEvent.DEPART if has_left else TransferEvent.ACCEPT,
        venue_transfer_id=stated.venue_transfer_id,
        tx_id=stated.tx_id or None,
        fee=stated.fee,
    )


def _search(
    sent: SentFunds,
    ask: Callable[[int], list[VenueTransfer]],
    find: Callable[[Sequence[VenueTransfer]], VenueTransfer | None],
) -> tuple[VenueTransfer | None, Sequence[VenueTransfer]]:
    """Look through a history from when the funds were sent, then from much earlier.

    A clock that was ahead does not hide them then; among those earlier ones only an id tells.

    Returns:
        The record, if there is one, and what the history showed.
    """
    listed = ask(sent.since_ms)
    found = find(listed)
    if found is None:
        listed = ask(sent.doubted_since_ms)
        found = find(listed)
    return found, listed


def _list_sent(gateway: VenueGateway, transfer: Transfer, since_ms: int) -> list[VenueTransfer]:
    asset = transfer.asset.code
    if not transfer.is_internal:
        return list(gateway.fetch_withdrawals(asset, since_ms=since_ms))
    return list(
        gateway.fetch_wallet_transfers(
            asset,
            from_wallet=Wallet(transfer.from_wallet),
            to_wallet=Wallet(transfer.to_wallet),
            since_ms=since_ms,
        )
    )


def _list_received(transfer: Transfer, since_ms: int) -> list[VenueTransfer]:
    target = open_gateway(get_account_with_secrets(transfer.to_account_id), even_if_disabled=True)
    return list(target.fetch_deposits(transfer.asset.code, since_ms=since_ms))


def _seek_arrival(transfer: Transfer, known: SentFunds, departed: Sighting) -> Sighting:
    """Return the arrival of funds that left the source, or that they are still on their way."""
    sent = SentFunds(
        amount=known.amount,
        sent_at_ms=known.sent_at_ms,
        address=known.address,
        fee=departed.fee if departed.fee is not None else known.fee,
        tx_id=departed.tx_id or known.tx_id,
    )
    _withdrawals, taken = list_claimed_venue_ids(transfer)
    deposit, _listed = _search(
        sent, partial(_list_received, transfer), lambda rows: find_deposit(sent, rows, taken)
    )
    if deposit is None or deposit.status is not VenueTransferStatus.DONE:
        return departed
    fee = sent.fee if sent.fee is not None else transfer.amount - deposit.amount
    problem = _find_difference(transfer, sent, deposit.amount)
    return Sighting(
        TransferEvent.ARRIVE if problem is None else TransferEvent.MISMATCH,
        venue_transfer_id=departed.venue_transfer_id,
        tx_id=sent.tx_id or deposit.tx_id,
        fee=fee if problem is None else sent.fee,
        venue_deposit_id=deposit.venue_transfer_id,
        arrived_amount=deposit.amount,
        error=problem,
    )


def _find_difference(transfer: Transfer, sent: SentFunds, arrived: Amount) -> ArrivalDiffers | None:
    """Return what is wrong with the amount that was credited.

    The fee that the source states decides. A source that states none may have taken up to the fee
    that was accepted; where nothing is known of a fee, the difference is one.
    """
    most = transfer.amount - (sent.fee or ZERO)
    least = most
    if sent.fee is None:
        least = ZERO if transfer.fee_max is None else transfer.amount - transfer.fee_max
    if least <= arrived <= most and arrived > 0:
        return None
    return ArrivalDiffers(
        venue=transfer.to_account.venue.code,
        arrived=to_plain(arrived),
        asset=transfer.asset.code,
        expected=to_plain(most),
    )


def _explain_absence(
    transfer: Transfer, sent: SentFunds, clock: Clock, *, is_doubted: bool
) -> Sighting:
    """Return what it means that the source does not list the transfer.

    One it had accepted is not doubted. One whose reply was lost is given up only after many
    look-ups over a long time, and only if nothing at either venue can be it.
    """
    state = TransferState(transfer.state)
    if state is not TransferState.UNKNOWN:
        return Sighting(_NO_NEWS[state])
    count = transfer.lookup_count + 1
    silence_ms = int(_SILENCES.lasted_ms(_name(transfer), clock, kept_ms=transfer.silence_ms))
    silence = timedelta(milliseconds=silence_ms)
    is_long_ago = count >= ABSENT_LOOKUPS_MIN and silence >= ABSENT_AGE_MIN
    venue = transfer.from_account.venue.code
    if is_long_ago and not is_doubted and not _may_have_arrived(transfer, sent):
        minutes = int(silence.total_seconds() // 60)
        absent = TransferAbsent(venue=venue, count=count, minutes=minutes)
        return Sighting(TransferEvent.REFUSE, error=absent)
    cause = Message("the transfer is not in its history yet")
    unknown = OutcomeUnknown(venue=venue, cause=cause)
    return Sighting(_NO_NEWS[state], error=unknown, silence_ms=silence_ms)


def _name(transfer: Transfer) -> tuple[int, datetime]:
    return transfer.pk, transfer.created_at


def _may_have_arrived(transfer: Transfer, sent: SentFunds) -> bool:
    if transfer.is_internal:
        return False
    _withdrawals, taken = list_claimed_venue_ids(transfer)
    received = _list_received(transfer, sent.doubted_since_ms)
    return may_have_arrived(sent, received, taken)


def _refused(transfer: Transfer, stated: VenueTransfer) -> Sighting:
    return Sighting(
        TransferEvent.REFUSE,
        venue_transfer_id=stated.venue_transfer_id,
        error=TransferRefused(venue=transfer.from_account.venue.code),
    )
