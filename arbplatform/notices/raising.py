"""Keeps alarms, and writes what is to be told of them in the same transaction.

Whoever looks after the platform says each time everything that is wrong. Here it is compared with
what is known: only what is new, or over, is told.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from django.db import transaction
from django.utils.timezone import get_default_timezone

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.notices.models import Alarm, Notice, NoticeChannel, NoticeKind, NoticeState
from arbplatform.notices.rules import (
    END_AFTER,
    REPEAT_AFTER,
    Condition,
    Incident,
    QuietHours,
    Severity,
    kind_of,
)
from arbplatform.notices.selectors import (
    list_enabled_channels,
    list_open_alarms,
    list_told_channel_ids,
    map_marks,
)
from arbplatform.persistence.retries import retried
from arbplatform.persistence.sentences import keep_document


@retried
@transaction.atomic
def keep_alarms(
    *,
    conditions: Iterable[Condition],
    incidents: Sequence[Incident],
    cut: Collection[str] = (),
    clock: Clock = SYSTEM_CLOCK,
) -> None:
    """Raise alarms about what is new, end those about what is over, and write the notices.

    Args:
        conditions: what is wrong now.
        incidents: the newest of each kind; those that are known already may be among them.
        cut: kinds of conditions of which there are more: no alarm of theirs is over by now.
        clock: tells the time.
    """
    keeper = _Keeper(clock.now(), list_enabled_channels())
    keeper.keep_conditions(conditions, cut)
    keeper.keep_incidents(incidents)


class _Keeper:
    """One look.

    Args:
        now: when.
        channels: those that carry anything.
    """

    def __init__(self, now: datetime, channels: Sequence[NoticeChannel]) -> None:
        self._now = now
        self._channels = channels
        # those that stand in for others do the work where there are no others
        self._first = [one for one in channels if not one.is_fallback] or channels

    def keep_conditions(self, conditions: Iterable[Condition], cut: Collection[str]) -> None:
        """Compare what is wrong with the alarms that are open."""
        known = {alarm.key: alarm for alarm in list_open_alarms(is_incident=False)}
        seen = []
        for condition in conditions:
            alarm = known.pop(condition.key, None) or self._raise(condition)
            seen.append(alarm.pk)
            if alarm.told_at is None and self._now - alarm.raised_at >= condition.delay:
                self._tell(alarm, NoticeKind.RAISED)
        Alarm.objects.filter(pk__in=seen).update(last_seen_at=self._now)
        for alarm in known.values():
            if kind_of(alarm.key) in cut:
                continue
            if alarm.told_at is None or self._now - alarm.last_seen_at >= END_AFTER:
                self._end(alarm)

    def keep_incidents(self, incidents: Sequence[Incident]) -> None:
        """Tell of what has happened since, but not of the same kind again and again."""
        known = {alarm.key: alarm for alarm in list_open_alarms(is_incident=True)}
        marks = map_marks(incident.key for incident in incidents)
        for incident in incidents:
            if incident.mark <= marks.get(incident.key, 0):
                continue
            alarm = known.get(incident.key)
            if alarm is None:
                self._tell(self._raise(incident), NoticeKind.RAISED)
                continue
            alarm.mark, alarm.last_seen_at = incident.mark, incident.at
            alarm.message = keep_document(incident.message)
            alarm.save(update_fields=["mark", "last_seen_at", "message"])
            if alarm.told_at is None or self._now - alarm.told_at >= REPEAT_AFTER:
                self._tell(alarm, NoticeKind.AGAIN)
        past = Alarm.objects.filter(ended_at=None, is_incident=True)
        past.filter(last_seen_at__lte=self._now - REPEAT_AFTER).update(ended_at=self._now)

    def _raise(self, cause: Condition | Incident) -> Alarm:
        mark = cause.mark if isinstance(cause, Incident) else 0
        return Alarm.objects.create(
            key=cause.key,
            severity=cause.severity,
            message=keep_document(cause.message),
            is_incident=isinstance(cause, Incident),
            mark=mark,
            raised_at=self._now,
            last_seen_at=cause.at if isinstance(cause, Incident) else self._now,
        )

    def _end(self, alarm: Alarm) -> None:
        """Close an alarm; who was not told of it is not told that it is over."""
        alarm.ended_at = self._now
        alarm.save(update_fields=["ended_at"])
        unsent = alarm.notices.filter(state=NoticeState.WAITING, due_at__gt=self._now)
        unsent.update(state=NoticeState.WITHDRAWN)
        told = list_told_channel_ids(alarm)
        self._write(alarm, NoticeKind.OVER, [one for one in self._channels if one.pk in told])

    def _tell(self, alarm: Alarm, kind: NoticeKind) -> None:
        alarm.told_at = self._now
        alarm.save(update_fields=["told_at"])
        self._write(alarm, kind, [one for one in self._first if alarm.severity >= one.severity_min])

    def _write(self, alarm: Alarm, kind: NoticeKind, channels: Iterable[NoticeChannel]) -> None:
        Notice.objects.bulk_create(
            Notice(
                channel=channel,
                alarm=alarm,
                kind=kind,
                severity=alarm.severity,
                message=alarm.message,
                mark=alarm.mark,
                created_at=self._now,
                due_at=find_due(channel, kind, alarm.severity, self._now),
            )
            for channel in channels
        )


def find_due(channel: NoticeChannel, kind: str, severity: int, now: datetime) -> datetime:
    """Return from when on a notice may be sent: what is critical at any hour, and nothing else."""
    if severity >= Severity.CRITICAL and kind != NoticeKind.OVER:
        return now
    hours = QuietHours(channel.quiet_from, channel.quiet_until, get_default_timezone())
    return hours.find_end(now) or now
