"""The command for what no look-up can find out: a person says how a transfer ended."""

from decimal import Decimal
from typing import Final

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from accounts.domain.transfers import TransferEvent, TransferState
from accounts.models import Transfer
from accounts.selectors import lock_transfer
from accounts.services.progress import Sighting, record
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.errors import IllegalTransition, InvalidInput, Message
from arbplatform.persistence.retries import retried

REASON_LENGTH_MAX: Final = 200
SETTLEABLE: Final = frozenset(
    {TransferState.UNKNOWN, TransferState.SUBMITTED, TransferState.IN_TRANSIT}
)


@retried
@transaction.atomic
def settle_transfer(
    *,
    transfer_id: int,
    has_arrived: bool,
    arrived_amount: Decimal | None = None,
    reason: str,
    user: AbstractBaseUser,
    clock: Clock = SYSTEM_CLOCK,
) -> Transfer:
    """End a transfer by hand: after a look at both venues' own pages, with a reason.

    The ledger books what is said here, as if a venue had said it.

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
    transfer = lock_transfer(transfer_id)
    if TransferState(transfer.state) not in SETTLEABLE:
        raise IllegalTransition(
            "The transfer is {state}: only one that was sent and has not ended can be settled.",
            state=transfer.state,
        )
    note = f"{user.get_username()}: {_check_reason(reason)}"
    if not has_arrived:
        sighting = Sighting(TransferEvent.REFUSE, note=note)
    else:
        arrived = _check_arrived(transfer, arrived_amount)
        fee = transfer.amount - arrived if transfer.fee is None else transfer.fee
        sighting = Sighting(TransferEvent.ARRIVE, arrived_amount=arrived, fee=fee, note=note)
    return record(transfer_id=transfer_id, sighting=sighting, clock=clock)


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
    arrived = expected if stated is None else stated
    if not (arrived.is_finite() and 0 < arrived <= transfer.amount):
        complaint = Message("Give a number above zero that is not more than what was sent.")
        raise InvalidInput(fields={"arrived_amount": [complaint]})
    return arrived
