"""Records what becomes of a transfer: the only place that changes its state."""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from accounts.domain.addresses import BLOCKED_STATES
from accounts.domain.transfers import (
    BOOKED_STATES,
    LIVE_STATES,
    SENDABLE_STATES,
    SUBMITTING_MAX,
    SWEEP_DELAYS,
    TRANSFER_TRANSITIONS,
    TransferEvent,
    TransferState,
    lookup_delay,
)
from accounts.errors import AddressBlocked, TrialFailed
from accounts.models import AddressEntry, AddressStateChoice, ReservationPurpose, Transfer
from accounts.selectors import lock_transfer
from accounts.services.reservations import release
from arbplatform.background.commit import enqueue_on_commit
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.decimals import Amount
from arbplatform.core.errors import ArbError
from arbplatform.persistence.retries import retried
from arbplatform.persistence.sentences import keep_sentence
from arbplatform.wording import untranslated

logger = logging.getLogger(__name__)

POSTPONEMENT = timedelta(seconds=30)
"""Pause after a look-up that the venue did not answer."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What was learned about a transfer at one moment.

    Attributes:
        event: what happened, or what still holds.
        venue_transfer_id: the source's id.
        tx_id: id on the network.
        fee: network fee [units of asset].
        venue_deposit_id: the destination's id.
        arrived_amount: what the destination credited [units of asset].
        error: why it failed, or why its outcome is not known.
        note: what a person who ended it by hand had to say.
        silence_ms: for how long the venues have been asked and showed nothing of it [ms].
    """

    event: TransferEvent
    venue_transfer_id: str | None = None
    tx_id: str | None = None
    fee: Amount | None = None
    venue_deposit_id: str | None = None
    arrived_amount: Amount | None = None
    error: ArbError | None = None
    note: str | None = None
    silence_ms: int = 0


@retried
@transaction.atomic
def claim(*, transfer_id: int, clock: Clock = SYSTEM_CLOCK) -> bool:
    """Take the right to send a transfer; only one caller ever gets it.

    Nobody gets it once the address was revoked or suspended: both lock the entry.

    Raises:
        AddressBlocked: the address may not be sent to any more.
    """
    entry_id = Transfer.objects.filter(pk=transfer_id).values_list("address_entry", flat=True)
    entries = AddressEntry.objects.select_for_update(of=("self",))
    entry = entries.filter(pk__in=list(entry_id)).first()
    if entry is not None and entry.state in BLOCKED_STATES:
        state = untranslated(AddressStateChoice(entry.state).label)
        raise AddressBlocked(entry=f"#{entry.pk}", state=state, reason=entry.to_reason())
    now = clock.now()
    rows = Transfer.objects.filter(pk=transfer_id, state__in=SENDABLE_STATES)
    claimed = rows.update(
        state=TransferState.SUBMITTING,
        submitted_at=now,
        lookup_count=0,
        next_lookup_at=now + SUBMITTING_MAX,
        updated_at=now,
    )
    return claimed == 1


@retried
@transaction.atomic
def record(
    *,
    transfer_id: int,
    sighting: Sighting,
    only_in: Collection[TransferState] = LIVE_STATES,
    clock: Clock = SYSTEM_CLOCK,
) -> Transfer:
    """Move a transfer along its state machine and keep what was learned.

    A sighting that comes too late, because another process saw more, changes nothing; neither does
    one of a venue's record that another transfer has claimed meanwhile. A new state is told to the
    ledger after the commit.

    Args:
        transfer_id: which.
        sighting: what was learned.
        only_in: states for which it holds: what was concluded before it was sent says nothing
            about a transfer that somebody else is sending by now.
        clock: tells the time.

    Raises:
        TransferNotFound: no transfer has this id.
    """
    transfer = lock_transfer(transfer_id)
    before = TransferState(transfer.state)
    if before not in only_in or not TRANSFER_TRANSITIONS.can(before, sighting.event):
        logger.info("%s is %s already: late %s ignored", transfer, before, sighting.event)
        return transfer
    after = TRANSFER_TRANSITIONS.next_state(before, sighting.event)
    _keep_facts(transfer, sighting)
    transfer.state = after
    transfer.lookup_count = 0 if after is not before else transfer.lookup_count + 1
    now = clock.now()
    if TRANSFER_TRANSITIONS.is_terminal(after) or after is TransferState.DISPUTED:
        transfer.next_lookup_at = None
    else:
        delay = SWEEP_DELAYS.get(after, lookup_delay(transfer.lookup_count))
        transfer.next_lookup_at = now + delay
    _keep_times(transfer, sighting, now)
    if not _save(transfer):
        return lock_transfer(transfer_id)
    if after is TransferState.FAILED:
        release(ReservationPurpose.TRANSFER, [transfer.pk])
    if after is not before:
        _announce(transfer, after)
        _settle_main(transfer, after, clock)
    return transfer


def _settle_main(test: Transfer, state: TransferState, clock: Clock) -> None:
    """Let the transfer go whose test amount has arrived as it should, or end it.

    What a person settled by hand is no arrival that a venue has shown.
    """
    main = Transfer.objects.filter(test_transfer=test, state=TransferState.TESTING).first()
    if main is None or state not in {TransferState.ARRIVED, TransferState.FAILED}:
        return
    if has_passed(test):
        sighting = Sighting(TransferEvent.RELEASE)
    else:
        sighting = Sighting(TransferEvent.REFUSE, error=TrialFailed(id=test.pk))
    record(transfer_id=main.pk, sighting=sighting, clock=clock)


def has_ended(transfer: Transfer) -> bool:
    """Return whether the last word about a transfer was spoken."""
    return TRANSFER_TRANSITIONS.is_terminal(TransferState(transfer.state))


def has_passed(test: Transfer) -> bool:
    """Return whether a test amount arrived, as the destination's own record shows, in full."""
    expected = test.amount - (test.fee or 0)
    return (
        test.state == TransferState.ARRIVED
        and bool(test.venue_deposit_id)
        and test.arrived_amount == expected
    )


def postpone(*, transfer_id: int, error: ArbError, clock: Clock = SYSTEM_CLOCK) -> None:
    """Look at a transfer again later: nothing could be learned now, and ``error`` says why."""
    now = clock.now()
    Transfer.objects.filter(pk=transfer_id, next_lookup_at__isnull=False).update(
        next_lookup_at=now + POSTPONEMENT,
        error_code=error.code,
        error=keep_sentence(error.message),
        updated_at=now,
    )


def _save(transfer: Transfer) -> bool:
    """Store the row, unless another transfer has claimed the venue's record that it rests on."""
    try:
        with transaction.atomic():
            transfer.save()
    except IntegrityError:
        logger.warning("%s rests on a record that belongs to another transfer", transfer)
        return False
    return True


def _keep_facts(transfer: Transfer, sighting: Sighting) -> None:
    """Add what is new; what a later look-up does not mention stays known."""
    for name in ("venue_transfer_id", "tx_id", "fee", "venue_deposit_id", "arrived_amount", "note"):
        value = getattr(sighting, name)
        if value is not None:
            setattr(transfer, name, value)
    # another process may have kept more meanwhile
    transfer.silence_ms = max(transfer.silence_ms, sighting.silence_ms)
    error = sighting.error
    transfer.error_code = None if error is None else error.code
    transfer.error = "" if error is None else keep_sentence(error.message)


def _keep_times(transfer: Transfer, sighting: Sighting, now: datetime) -> None:
    if transfer.state == TransferState.ARRIVED:
        transfer.arrived_at = now
    if sighting.event in {TransferEvent.APPROVE, TransferEvent.RELEASE}:
        transfer.released_at = now
    if transfer.submitted_at is not None:
        # one that is still to come was told by a clock that was ahead
        transfer.submitted_at = min(transfer.submitted_at, now)


def _announce(transfer: Transfer, state: TransferState) -> None:
    level = logging.ERROR if state is TransferState.DISPUTED else logging.INFO
    logger.log(
        level,
        "%s is %s: %s",
        transfer,
        state,
        transfer.to_error() if transfer.error else "as expected",
    )
    if state is TransferState.REQUESTED:
        enqueue_on_commit("accounts.submit_transfer", transfer_id=transfer.pk)
    if state in BOOKED_STATES:
        enqueue_on_commit("ledger.book_transfer", transfer_id=transfer.pk)
    if state is TransferState.ARRIVED:
        for account_id in sorted({transfer.from_account_id, transfer.to_account_id}):
            enqueue_on_commit("accounts.sync_balances", account_id=account_id)
