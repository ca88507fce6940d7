"""Commands on channels: add, change, remove, test."""

from datetime import datetime, time
from typing import Any, Final, TypedDict, Unpack
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.timezone import get_default_timezone

from arbplatform.background.commit import enqueue_on_commit
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.errors import InvalidInput, Message
from arbplatform.core.sentences import message_to_json
from arbplatform.notices.errors import ChannelDisabled, ChannelNameTaken
from arbplatform.notices.hosts import is_literal, is_name, is_public
from arbplatform.notices.models import Notice, NoticeChannel, NoticeKind, NoticeState
from arbplatform.notices.robots import TELEGRAM, find_robot
from arbplatform.notices.rules import Severity, find_next
from arbplatform.notices.selectors import lock_channel

ADDRESS_LENGTH_MAX: Final = 2_000
SWEEP: Final = "notices.sweep"
"""The task that finds alarms and sends what is due."""

_TEST: Final = Message("This is a test of the channel {name}: it works.")


class ChannelSettings(TypedDict, total=False):
    """What a person sets of a channel besides its address; see the model."""

    name: str
    language: str
    severity_min: int
    quiet_from: time | None
    quiet_until: time | None
    heartbeat_at: time | None
    is_fallback: bool
    is_enabled: bool


@transaction.atomic
def create_channel(
    *, address: str, clock: Clock = SYSTEM_CLOCK, **values: Unpack[ChannelSettings]
) -> NoticeChannel:
    """Add a channel; its first sign of life is sent at once, and lists the open alarms.

    Args:
        address: of the webhook; kept encrypted.
        clock: tells the time.
        values: what else is set.

    Raises:
        InvalidInput: nothing can be sent to such an address.
        ChannelNameTaken: another channel has the name.
    """
    checked = check_address(address)
    channel = NoticeChannel(address=checked, service=find_robot(checked).name, **values)
    channel.heartbeat_due_at = None if channel.heartbeat_at is None else clock.now()
    _save(channel)
    enqueue_on_commit(SWEEP)
    return channel


@transaction.atomic
def update_channel(
    *,
    channel_id: int,
    address: str = "",
    clock: Clock = SYSTEM_CLOCK,
    **values: Unpack[ChannelSettings],
) -> NoticeChannel:
    """Change a channel; what is not named, and an address that is empty, stays as it is.

    Raises:
        ChannelNotFound: there is none with this id.
        InvalidInput: nothing can be sent to such an address.
        ChannelNameTaken: another channel has the name.
    """
    channel = lock_channel(channel_id)
    fields = [*values, "heartbeat_due_at", "updated_at"]
    for name, value in values.items():
        setattr(channel, name, value)
    if "heartbeat_at" in values:
        channel.heartbeat_due_at = find_heartbeat(channel, clock)
    if address:
        channel.address = check_address(address)
        channel.service = find_robot(channel.address).name
        fields += ["address", "service", *_forget_failures(channel)]
    _save(channel, fields)
    if not channel.is_enabled:
        withdraw(channel)
    return channel


@transaction.atomic
def delete_channel(*, channel_id: int) -> None:
    """Remove a channel with its notices.

    Raises:
        ChannelNotFound: there is none with this id.
    """
    lock_channel(channel_id).delete()


@transaction.atomic
def test_channel(
    *,
    channel_id: int,
    clock: Clock = SYSTEM_CLOCK,  # noqa: PT028  a command, not a test
) -> None:
    """Have one notice sent at once, by one attempt; the channel's page says what became of it.

    Raises:
        ChannelNotFound: there is none with this id.
        ChannelDisabled: it is switched off.
    """
    channel = lock_channel(channel_id)
    if not channel.is_enabled:
        raise ChannelDisabled(name=channel.name)
    now = clock.now()
    withdraw(channel, kind=NoticeKind.TEST)
    Notice.objects.create(
        channel=channel,
        kind=NoticeKind.TEST,
        severity=Severity.NOTE,
        message=message_to_json(Message(_TEST.template, {"name": channel.name})),
        created_at=now,
        due_at=now,
    )
    channel.next_try_at = None
    channel.save(update_fields=["next_try_at", "updated_at"])
    enqueue_on_commit(SWEEP)


def withdraw(channel: NoticeChannel, **which: Any) -> int:
    """Do not send what waits for a channel; return how many notices that were."""
    rows = Notice.objects.filter(channel=channel, state=NoticeState.WAITING, **which)
    return rows.update(state=NoticeState.WITHDRAWN)


@transaction.atomic
def rotate_addresses() -> int:
    """Encrypt every address again with the first of the configured keys: all of them or none.

    Returns:
        How many channels there are.

    Raises:
        SecretUnreadable: the configured keys do not open an address; nothing was changed.
    """
    channels = list(NoticeChannel.objects.select_for_update().order_by("pk"))
    for channel in channels:
        channel.save(update_fields=["address"])
    return len(channels)


def find_heartbeat(channel: NoticeChannel, clock: Clock) -> datetime | None:
    """Return when the next sign of life is due; None if none is wanted."""
    if channel.heartbeat_at is None:
        return None
    return find_next(clock.now(), channel.heartbeat_at, get_default_timezone())


def check_address(address: str) -> str:
    """Return an address to which notices can be sent.

    Raises:
        InvalidInput: it is none; the refusal does not repeat it.
    """
    address = address.strip()
    problem = _find_problem(address)
    if problem is not None:
        raise InvalidInput(fields={"address": [problem]})
    return address


def _find_problem(address: str) -> Message | None:
    schemes = ("https", "http") if settings.NOTICES_PRIVATE else ("https",)
    try:
        parts = urlsplit(address)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        parts, host = None, ""
    if (
        parts is None
        or not (is_name(host) or is_literal(host))
        or len(address) > ADDRESS_LENGTH_MAX
        or not address.isascii()
        or any(sign.isspace() for sign in address)
    ):
        return Message("Give the whole address of the webhook, as its service shows it.")
    if parts.scheme not in schemes:
        return Message("The address must begin with https://.")
    if is_literal(host) and not is_public(host) and not settings.NOTICES_PRIVATE:
        return Message("The address leads into a private network.")
    if host in TELEGRAM.hosts and "chat_id" not in parse_qs(parts.query):
        return Message(
            "Give the address as https://api.telegram.org/bot<token>/sendMessage?chat_id=<chat>."
        )
    return None


def _forget_failures(channel: NoticeChannel) -> list[str]:
    """Make void what was found out with another address; return the columns."""
    channel.failure_count, channel.next_try_at = 0, None
    channel.error_code, channel.error = None, {}
    return ["failure_count", "next_try_at", "error_code", "error"]


def _save(channel: NoticeChannel, fields: list[str] | None = None) -> None:
    try:
        with transaction.atomic():
            channel.save(update_fields=fields)
    except IntegrityError:
        raise ChannelNameTaken(name=channel.name) from None
