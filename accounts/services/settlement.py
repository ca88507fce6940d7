"""The command for what no look-up can find out: a person says how a transfer ended."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from django.db import transaction

from accounts.domain.transfers import TransferEvent, TransferState
from accounts.models import Transfer
from accounts.selectors import lock_transfer
from accounts.services.accounts import is_simulated
from accounts.services.history import Person, require_second_person
from accounts.services.progress import Sighting, record
from arbplatform.authors import keep_author
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.decimals import to_decimal, to_plain
from arbplatform.core.errors import ChangedMeanwhile, IllegalTransition, InvalidInput, Message
from arbplatform.fingerprints import fingerprint
from arbplatform.persistence.retries import retried

REASON_LENGTH_MAX: Final = 200
NOTE_LENGTH_MAX: Final = 300
SETTLEABLE: Final = frozenset(
    {
        TransferState.UNKNOWN,
        TransferState.SUBMITTED,
        TransferState.IN_TRANSIT,
        TransferState.DISPUTED,
    }
)


@retried
@transaction.atomic
def settle_transfer(
    *,
    transfer_id: int,
    has_arrived: bool,
    arrived_amount: Decimal | None = None,
    reason: str,
    user: Person,
    clock: Clock = SYSTEM_CLOCK,
) -> Transfer:
    """Say how a transfer ended: after a look at both venues' own pages, with a reason.

    Another member of staff has to confirm it, but for transfers between simulated venues. The
    ledger then books what is said here, as if a venue had said it; what is missing beyond the
    network fee is a loss.

    Args:
        transfer_id: which.
        has_arrived: whether the funds are at the destination; else they never left the source.
        arrived_amount: what was credited [units of asset]; default: the amount less known fee.
        reason: what was seen, and where.
        user: who looked.
        clock: source of time.

    Raises:
        TransferNotFound: no transfer has this id.
        IllegalTransition: it has ended already, or may still be sent.
        InvalidInput: no reason, or an amount that cannot have arrived.
    """
    transfer = _lock_settleable(transfer_id)
    if transfer.state == TransferState.DISPUTED and not has_arrived:
        complaint = Message("The destination has credited something: say how much.")
        raise InvalidInput(fields={"outcome": [complaint]})
    arrived = _check_arrived(transfer, arrived_amount) if has_arrived else None
    transfer.settlement = {
        "arrived": None if arrived is None else to_plain(arrived),
        "reason": _check_reason(reason),
    }
    transfer.settlement_by_id = user.pk
    if _takes_one_person(transfer):
        return _apply(transfer, keep_author(user), clock)
    transfer.save(update_fields=["settlement", "settlement_by", "updated_at"])
    return transfer


@retried
@transaction.atomic
def confirm_settlement(
    *,
    transfer_id: int,
    user: Person | None,
    seen: str | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Transfer:
    """Agree to what another person says about the end of a transfer.

    Args:
        transfer_id: which.
        user: who agrees.
        seen: the ``name_proposal`` of what the person has read; ``None``: whatever is proposed.
        clock: source of time.

    Raises:
        TransferNotFound: no transfer has this id.
        IllegalTransition: nobody has said anything, or it has ended meanwhile.
        Denied: not a member of staff.
        SecondPersonNeeded: it is the same person.
        ChangedMeanwhile: something else is proposed than what the person has read.
    """
    transfer = _lock_settleable(transfer_id)
    if transfer.settlement is None:
        raise IllegalTransition("Nobody has proposed yet how the transfer ended.")
    second = require_second_person(user, transfer.settlement_by_id)
    if seen is not None and seen != name_proposal(transfer):
        raise ChangedMeanwhile
    first = transfer.settlement_by
    names = f"{keep_author(first) if first else ''}, {keep_author(second)}"
    return _apply(transfer, names, clock)


def read_proposal(transfer: Transfer) -> Mapping[str, object]:
    """Return what is proposed about the end of a transfer, and who proposes it."""
    return {"settlement": transfer.settlement, "by": transfer.settlement_by_id}


def name_proposal(transfer: Transfer) -> str:
    """Return what tells a proposal from all others: its author may propose another end any time."""
    return fingerprint({"transfer": transfer.pk, **read_proposal(transfer)})


def _lock_settleable(transfer_id: int) -> Transfer:
    transfer = lock_transfer(transfer_id)
    if TransferState(transfer.state) not in SETTLEABLE:
        raise IllegalTransition(
            "The transfer is {state}: only one that was sent and has not ended can be settled.",
            state=Message(transfer.get_state_display()),
        )
    return transfer


def _takes_one_person(transfer: Transfer) -> bool:
    entry = transfer.address_entry
    if entry is not None and entry.approved_at is not None:
        return False  # two people sent it to a real venue, wherever that is said to be by now
    return is_simulated(transfer.from_account.venue) and is_simulated(transfer.to_account.venue)


def _apply(transfer: Transfer, names: str, clock: Clock) -> Transfer:
    """End the transfer as its settlement says."""
    said = transfer.settlement or {}
    note = f"{names}: {said['reason']}"[-NOTE_LENGTH_MAX:]
    transfer.save(update_fields=["settlement", "settlement_by", "updated_at"])
    if said["arrived"] is None:
        sighting = Sighting(TransferEvent.REFUSE, note=note)
    else:
        arrived = to_decimal(said["arrived"])
        fee = _find_fee(transfer, arrived)
        sighting = Sighting(TransferEvent.ARRIVE, arrived_amount=arrived, fee=fee, note=note)
    return record(transfer_id=transfer.pk, sighting=sighting, clock=clock)


def _find_fee(transfer: Transfer, arrived: Decimal) -> Decimal:
    """Return what the network took; what is missing beyond that is a loss."""
    missing: Decimal = transfer.amount - arrived
    known: Decimal | None = transfer.fee
    stated: Decimal | None = transfer.fee_stated
    if known is not None:
        return known
    return missing if stated is None else min(stated, missing)


def _check_reason(reason: str) -> str:
    text = " ".join(reason.split())
    if not 0 < len(text) <= REASON_LENGTH_MAX:
        complaint = Message(
            "Say in 1 to {maximum} characters what you saw.", {"maximum": REASON_LENGTH_MAX}
        )
        raise InvalidInput(fields={"reason": [complaint]})
    return text


def _check_arrived(transfer: Transfer, stated: Decimal | None) -> Decimal:
    expected: Decimal = transfer.amount - (transfer.fee or 0)
    if transfer.state == TransferState.DISPUTED and transfer.arrived_amount is not None:
        expected = transfer.arrived_amount
    arrived = expected if stated is None else stated
    is_more_shown = transfer.arrived_amount is not None and arrived == transfer.arrived_amount
    if not (arrived.is_finite() and arrived > 0 and (arrived <= transfer.amount or is_more_shown)):
        complaint = Message("Give a number above zero that is not more than what was sent.")
        raise InvalidInput(fields={"arrived_amount": [complaint]})
    return arrived
