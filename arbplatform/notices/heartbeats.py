"""Writes the daily sign of life: whoever misses it knows that something is wrong."""

from collections.abc import Callable
from typing import Final

from django.db import transaction

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.errors import Message
from arbplatform.notices.channels import find_heartbeat, withdraw
from arbplatform.notices.models import Notice, NoticeChannel, NoticeKind
from arbplatform.notices.rules import Severity
from arbplatform.notices.selectors import lock_channel
from arbplatform.persistence.sentences import keep_document

DUE_MAX: Final = 50


def write_heartbeats(sentence: Callable[[], Message], *, clock: Clock = SYSTEM_CLOCK) -> int:
    """Write a sign of life for each channel whose time has come; return for how many.

    Args:
        sentence: makes what is said; asked only if somebody wants it.
        clock: tells the time.
    """
    rows = NoticeChannel.objects.filter(is_enabled=True, heartbeat_due_at__lte=clock.now())
    due = list(rows.order_by("pk").values_list("pk", flat=True)[:DUE_MAX])
    message = sentence() if due else Message("")
    return sum(_write(channel_id, message, clock) for channel_id in due)


@transaction.atomic
def _write(channel_id: int, message: Message, clock: Clock) -> bool:
    channel = lock_channel(channel_id)
    now = clock.now()
    if channel.heartbeat_due_at is None or channel.heartbeat_due_at > now:
        return False  # another process was first
    withdraw(channel, kind=NoticeKind.HEARTBEAT)  # yesterday's has become wrong
    Notice.objects.create(
        channel=channel,
        kind=NoticeKind.HEARTBEAT,
        severity=Severity.NOTE,
        message=keep_document(message),
        created_at=now,
        due_at=now,
    )
    channel.heartbeat_due_at = find_heartbeat(channel, clock)
    channel.save(update_fields=["heartbeat_due_at", "updated_at"])
    return True
