"""The text of a message: some notices, in the language of their channel."""

from collections.abc import Sequence
from typing import Final

from django.conf import settings
from django.utils import translation
from django.utils.timezone import get_default_timezone
from django.utils.translation import gettext_noop as _

from arbplatform.core.errors import Message
from arbplatform.core.masking import redact
from arbplatform.notices.models import Alarm, Notice, NoticeChannel, NoticeKind
from arbplatform.notices.robots import ELLIPSIS
from arbplatform.notices.rules import Severity
from arbplatform.wording import render

LINES_MAX: Final = 10
"""Notices that a message spells out; of the rest it says how many there are."""
LINE_LENGTH_MAX: Final = 400

_CRITICAL: Final = _("{time} CRITICAL: {text}")
_TEMPLATES: Final = {
    NoticeKind.RAISED: _("{time} Alarm: {text}"),
    NoticeKind.AGAIN: _("{time} Again: {text}"),
    NoticeKind.OVER: _("{time} Over: {text}"),
    NoticeKind.HEARTBEAT: _("{time} {text}"),
    NoticeKind.TEST: _("{time} {text}"),
}


def compose(channel: NoticeChannel, notices: Sequence[Notice], *, alarms: Sequence[Alarm]) -> str:
    """Return what a channel is to carry, as one text.

    Args:
        channel: whose language it is in.
        notices: at least one, the oldest first.
        alarms: those that are open, for a sign of life to list.
    """
    with translation.override(channel.language):
        lines = [f"arbplatform · {settings.MACHINE_NAME}"]
        lines += [
            render(Message("The channel {name} does not work; this one stands in.", {"name": name}))
            for name in sorted({notice.stands_in_for for notice in notices} - {""})
        ]
        lines += [_line(notice) for notice in _choose(notices)]
        if len(notices) > LINES_MAX:
            count = len(notices) - LINES_MAX
            lines.append(render(Message("… and {count} more, in the console.", {"count": count})))
        if any(notice.kind == NoticeKind.HEARTBEAT for notice in notices):
            lines += [f"· {_cut(render(alarm.to_message()))}" for alarm in alarms]
        return redact("\n".join(lines))


def _choose(notices: Sequence[Notice]) -> list[Notice]:
    """Return the gravest ones, the oldest first."""
    gravest = sorted(notices, key=lambda notice: (-notice.severity, notice.pk))[:LINES_MAX]
    return sorted(gravest, key=lambda notice: notice.pk)


def _line(notice: Notice) -> str:
    template = _TEMPLATES[NoticeKind(notice.kind)]
    if notice.kind == NoticeKind.RAISED and notice.severity >= Severity.CRITICAL:
        template = _CRITICAL
    moment = notice.created_at.astimezone(get_default_timezone())
    context = {"time": f"{moment:%m-%d %H:%M}", "text": _cut(render(notice.to_message()))}
    return render(Message(template, context))


def _cut(text: str) -> str:
    return text if len(text) <= LINE_LENGTH_MAX else text[: LINE_LENGTH_MAX - 1] + ELLIPSIS
