"""Raises the alarm about transfers that are under way for longer than they should be."""

import logging
from typing import Final

from accounts.domain.transfers import TransferState, expected_within
from accounts.models import Transfer
from accounts.selectors import list_sent_transfers
from arbplatform.core.clock import SYSTEM_CLOCK, Clock

logger = logging.getLogger(__name__)

ALARM_BATCH_MAX: Final = 500


def raise_alarms(*, clock: Clock = SYSTEM_CLOCK) -> int:
    """Mark every transfer that is overdue, once, and say so in the log.

    Returns:
        How many are newly overdue.
    """
    now, raised = clock.now(), 0
    for transfer in list_sent_transfers(limit=ALARM_BATCH_MAX):
        state = TransferState(transfer.state)
        age = now - (transfer.submitted_at or transfer.created_at)
        if age <= expected_within(state, transfer.network):
            continue
        rows = Transfer.objects.filter(pk=transfer.pk, state=state, alarmed_at=None)
        if rows.update(alarmed_at=now, updated_at=now):
            raised += 1
            minutes = int(age.total_seconds() // 60)
            logger.error("%s is %s since %s minutes", transfer, state.value, minutes)
    return raised
