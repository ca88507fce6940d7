"""Every query about channels, alarms and notices."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final

from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from arbplatform.notices.errors import ChannelNotFound
from arbplatform.notices.models import Alarm, Notice, NoticeChannel, NoticeKind, NoticeState
from arbplatform.notices.rules import FAILURES_MAX

CHANNELS_MAX: Final = 50
"""Channels that are told anything; nobody has so many."""
BATCH_MAX: Final = 500
"""Notices that one message of a channel is made of."""


def list_channels() -> QuerySet[NoticeChannel]:
    """Return all channels; their addresses are read and decrypted only when a row is asked."""
    return NoticeChannel.objects.defer("address")


def list_enabled_channels() -> list[NoticeChannel]:
    """Return the channels that carry notices."""
    return list(list_channels().filter(is_enabled=True).order_by("pk")[:CHANNELS_MAX])


def lock_channel(channel_id: int) -> NoticeChannel:
    """Return a channel, locked until the transaction ends.

    Raises:
        ChannelNotFound: there is none with this id.
    """
    channel = list_channels().select_for_update().filter(pk=channel_id).first()
    if channel is None:
        raise ChannelNotFound(id=channel_id)
    return channel


def list_due_channel_ids(now: datetime) -> list[int]:
    """Return the channels that have something to carry now, those that work first."""
    waiting = Q(notices__state=NoticeState.WAITING, notices__due_at__lte=now)
    rows = NoticeChannel.objects.filter(waiting, claimable(now)).order_by("failure_count", "pk")
    return list(rows.values_list("pk", flat=True).distinct()[:CHANNELS_MAX])


def claimable(now: datetime) -> Q:
    """Return the condition under which a channel may be used for a message now."""
    return (
        Q(is_enabled=True)
        & (Q(next_try_at=None) | Q(next_try_at__lte=now))
        & (Q(claimed_until=None) | Q(claimed_until__lte=now))
    )


def list_due_notices(channel_id: int, now: datetime) -> list[Notice]:
    """Return what waits to be told over a channel now, the oldest first."""
    rows = Notice.objects.filter(channel_id=channel_id, state=NoticeState.WAITING, due_at__lte=now)
    return list(rows.order_by("pk")[:BATCH_MAX])


def list_unhelped_notices(channel_id: int, helper: NoticeChannel, now: datetime) -> list[Notice]:
    """Return what waits to be told over a channel now and was not given to a helper, oldest first.

    Args:
        channel_id: which one.
        helper: stands in, for what is grave enough for it.
        now: when.
    """
    same = {name: OuterRef(name) for name in ("alarm_id", "kind", "mark")}
    rows = Notice.objects.filter(channel_id=channel_id, state=NoticeState.WAITING, due_at__lte=now)
    rows = rows.filter(severity__gte=helper.severity_min).exclude(alarm=None)
    rows = rows.exclude(Exists(Notice.objects.filter(channel=helper, **same)))
    return list(rows.order_by("pk")[:BATCH_MAX])


def list_notices() -> QuerySet[Notice]:
    """Return all notices with their channels, the newest first."""
    return Notice.objects.select_related("channel").defer("channel__address")


def list_told_channel_ids(alarm: Alarm) -> set[int]:
    """Return the channels over which an alarm was told, or is about to be."""
    rows = alarm.notices.exclude(state=NoticeState.WITHDRAWN)
    rows = rows.filter(kind__in=(NoticeKind.RAISED, NoticeKind.AGAIN))
    return set(rows.values_list("channel_id", flat=True))


def list_alarms() -> QuerySet[Alarm]:
    """Return all alarms, the newest first."""
    return Alarm.objects.order_by("-id")


def list_open_alarms(*, is_incident: bool) -> list[Alarm]:
    """Return the alarms that are not over, whether they were told or not."""
    return list(Alarm.objects.filter(ended_at=None, is_incident=is_incident).order_by("pk"))


def list_told_alarms(*, limit: int, besides: Collection[str] = ()) -> list[Alarm]:
    """Return the alarms that people were told of and that are not over, the gravest first.

    Args:
        limit: how many at most.
        besides: without those whose keys begin with one of these.
    """
    rows = Alarm.objects.filter(ended_at=None).exclude(told_at=None)
    for beginning in besides:
        rows = rows.exclude(key__startswith=beginning)
    return list(rows.order_by("-severity", "pk")[:limit])


def count_open() -> int:
    """Return how many alarms people were told of that are not over."""
    return Alarm.objects.filter(ended_at=None).exclude(told_at=None).count()


def map_marks(keys: Iterable[str]) -> dict[str, int]:
    """Return the last incident of each kind that there was an alarm about."""
    rows = Alarm.objects.filter(key__in=list(keys), is_incident=True).order_by()
    return dict(rows.values_list("key").annotate(last=Max("mark")))


def count_channels(now: datetime) -> dict[str, int]:
    """Return how many channels there are, how many of them fail, and what they owe by now."""
    rows = NoticeChannel.objects.filter(is_enabled=True)
    unsent = Notice.objects.filter(state=NoticeState.WAITING, channel__is_enabled=True)
    return {
        "channels": rows.count(),
        "failing": rows.filter(failure_count__gte=FAILURES_MAX).count(),
        "unsent": unsent.filter(due_at__lte=now).count(),
    }
