"""What people say to a transfer that was not sent yet: the second one agrees, or one stops it."""

from django.db import transaction

from accounts.domain.transfers import UNSENT_STATES, TransferEvent, TransferState
from accounts.errors import TrialFailed
from accounts.models import Transfer
from accounts.selectors import lock_transfer
from accounts.services.history import Person, check_reason, require_second_person, require_staff
from accounts.services.progress import Sighting, has_ended, has_passed, record
from arbplatform.authors import keep_author
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.errors import IllegalTransition, Message
from arbplatform.persistence.retries import retried


@retried
@transaction.atomic
def approve_transfer(
    *, transfer_id: int, user: Person | None, clock: Clock = SYSTEM_CLOCK
) -> Transfer:
    """Agree to a transfer that somebody else asked for.

    Raises:
        TransferNotFound: no transfer has this id.
        Denied: not a member of staff.
        SecondPersonNeeded: whoever asked for it may not approve it.
        IllegalTransition: it does not wait for approval.
    """
    transfer = lock_transfer(transfer_id)
    approver = require_second_person(user, transfer.requested_by_id)
    if transfer.state != TransferState.UNAPPROVED:
        raise IllegalTransition(
            "The transfer is {state}: it does not wait for approval.",
            state=Message(transfer.get_state_display()),
        )
    Transfer.objects.filter(pk=transfer_id).update(approved_by_id=approver.pk)
    approved = Sighting(TransferEvent.APPROVE)
    transfer = record(transfer_id=transfer_id, sighting=approved, clock=clock)
    return release_tested(transfer, clock=clock)


def release_tested(transfer: Transfer, *, clock: Clock) -> Transfer:
    """Let a transfer go that has no test amount, or whose test amount has arrived.

    Args:
        transfer: which, approved if that is needed; in the caller's transaction.
        clock: tells the time.
    """
    test = transfer.test_transfer
    if test is not None and not has_ended(test):
        return transfer
    if test is None or has_passed(test):
        sighting = Sighting(TransferEvent.RELEASE)
    else:
        sighting = Sighting(TransferEvent.REFUSE, error=TrialFailed(id=test.pk))
    return record(transfer_id=transfer.pk, sighting=sighting, clock=clock)


@retried
@transaction.atomic
def cancel_transfer(
    *, transfer_id: int, reason: str, user: Person | None, clock: Clock = SYSTEM_CLOCK
) -> Transfer:
    """Stop a transfer that was not sent yet; one person is enough for that.

    Raises:
        TransferNotFound: no transfer has this id.
        Denied: not a member of staff.
        InvalidInput: there is no reason.
        IllegalTransition: it was sent, or may have been, or has ended.
    """
    person = require_staff(user)
    note = f"{keep_author(person)}: {check_reason(reason)}"
    transfer = lock_transfer(transfer_id)
    if transfer.state not in UNSENT_STATES:
        raise IllegalTransition(
            "The transfer is {state}: only one that was not sent yet can be cancelled.",
            state=Message(transfer.get_state_display()),
        )
    sighting = Sighting(TransferEvent.REFUSE, note=note)
    return record(transfer_id=transfer_id, sighting=sighting, only_in=UNSENT_STATES, clock=clock)
