"""Sends what waits: at least once, one message at a time for each channel, until it was taken.

A channel is claimed by one conditional UPDATE. Whoever dies between sending and writing that down
leaves a claim that ends; then the message is sent again, rather twice than never.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from django.db import transaction

from arbplatform.background.draining import DRAIN
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.errors import ArbError
from arbplatform.notices.channels import withdraw
from arbplatform.notices.models import Notice, NoticeChannel, NoticeKind, NoticeState
from arbplatform.notices.raising import find_due
from arbplatform.notices.robots import Letter
from arbplatform.notices.rules import GAP, Severity, find_pause
from arbplatform.notices.selectors import (
    claimable,
    list_due_channel_ids,
    list_due_notices,
    list_enabled_channels,
    list_told_alarms,
    list_unhelped_notices,
    lock_channel,
)
from arbplatform.notices.texts import LINES_MAX, compose
from arbplatform.persistence.retries import retried
from arbplatform.persistence.sentences import keep_document

logger = logging.getLogger(__name__)

CLAIM: Final = timedelta(seconds=60)
"""Longer than any attempt takes."""
ROUND_MS_MAX: Final = 20_000
"""After so long no other channel is begun; the next round goes on [ms]."""


class Post(Protocol):
    """Something that brings letters to addresses."""

    def __call__(self, *, address: str, letter: Letter) -> None:
        """Bring one.

        Raises:
            ArbError: it was not taken.
        """


def post(*, address: str, letter: Letter) -> None:
    """Bring a letter over the network."""
    # a worker without channels does not load the client
    from arbplatform.notices import wire  # noqa: PLC0415

    wire.post(address=address, letter=letter)


def deliver_due(*, bring: Post = post, clock: Clock = SYSTEM_CLOCK) -> int:
    """Send over each channel what is due, as one message; return how many were taken."""
    began_ms = clock.monotonic_ms()
    _pass_on(clock.now())
    count = 0
    for channel_id in list_due_channel_ids(clock.now()):
        if DRAIN.has_begun or clock.monotonic_ms() - began_ms > ROUND_MS_MAX:
            break
        count += _deliver(channel_id, bring, clock)
    return count


def _deliver(channel_id: int, bring: Post, clock: Clock) -> bool:
    """Make one attempt; return whether the message was taken."""
    now = clock.now()
    claim = now + CLAIM
    rows = NoticeChannel.objects.filter(claimable(now), pk=channel_id)
    if not rows.update(claimed_until=claim):
        return False
    notices = list_due_notices(channel_id, now)
    if not notices:
        return False
    try:
        channel = NoticeChannel.objects.get(pk=channel_id)
        severity = Severity(max(notice.severity for notice in notices))
        text = compose(channel, notices, alarms=list_told_alarms(limit=LINES_MAX))
        bring(address=channel.address, letter=Letter(text, severity))
    except NoticeChannel.DoesNotExist:
        return False
    except ArbError as error:
        _keep_failure(channel_id, claim, error, clock.now())
        return False
    _keep_success(channel_id, claim, notices, clock.now())
    return True


@retried
@transaction.atomic
def _keep_success(
    channel_id: int, claim: datetime, notices: Sequence[Notice], now: datetime
) -> None:
    rows = Notice.objects.filter(pk__in=[notice.pk for notice in notices])
    rows.update(state=NoticeState.SENT, sent_at=now)
    NoticeChannel.objects.filter(pk=channel_id, claimed_until=claim).update(
        claimed_until=None,
        next_try_at=now + GAP,
        failure_count=0,
        succeeded_at=now,
        error_code=None,
        error={},
    )


@retried
@transaction.atomic
def _keep_failure(channel_id: int, claim: datetime, error: ArbError, now: datetime) -> None:
    channel = lock_channel(channel_id)
    if channel.claimed_until != claim:
        return  # somebody else has tried since
    channel.claimed_until = None
    channel.failure_count += 1
    channel.next_try_at = now + find_pause(channel.failure_count)
    channel.failed_at, channel.error_code = now, error.code
    channel.error = keep_document(error.message)
    channel.save(
        update_fields=[
            "claimed_until",
            "failure_count",
            "next_try_at",
            "failed_at",
            "error_code",
            "error",
        ]
    )
    logger.warning(
        "The channel %s failed, attempt %s: %s", channel.name, channel.failure_count, error
    )
    withdraw(channel, kind=NoticeKind.TEST)


def _pass_on(now: datetime) -> None:
    """Let those that stand in carry what channels that fail owe by now, each notice once.

    A channel that fails is tried seldom; what comes up in between must not wait for that.
    """
    channels = list_enabled_channels()
    for channel in channels:
        for helper in channels:
            if channel.is_failing and helper.is_fallback and helper.pk != channel.pk:
                _help(channel, helper, now)


@retried
@transaction.atomic
def _help(channel: NoticeChannel, helper: NoticeChannel, now: datetime) -> None:
    Notice.objects.bulk_create(
        (
            Notice(
                channel=helper,
                alarm_id=notice.alarm_id,
                kind=notice.kind,
                severity=notice.severity,
                message=notice.message,
                mark=notice.mark,
                stands_in_for=channel.name,
                created_at=notice.created_at,
                due_at=find_due(helper, notice.kind, notice.severity, now),
            )
            for notice in list_unhelped_notices(channel.pk, helper, now)
        ),
        ignore_conflicts=True,
    )
