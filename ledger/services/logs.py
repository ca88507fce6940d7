"""Write lines into the logs that people read, and push them to whoever is looking."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from arbplatform.core.decimals import to_plain
from arbplatform.core.errors import ArbError, Message
from arbplatform.core.masking import redact
from arbplatform.persistence.sentences import keep_document
from arbplatform.push.publisher import publish_on_commit
from arbplatform.push.topics import TopicKind
from arbplatform.wording import untranslated
from ledger.models import LogEntry, LogLevel, Order, SideChoice


def write_log(
    *, strategy_id: int | None, level: LogLevel, event: str, template: str, **context: object
) -> LogEntry:
    """Write one line into the log of a strategy, or of the platform.

    The sentence is kept as a template and its values, so that it is shown in the language of
    whoever reads it; a value may itself be a sentence, or an error. Mark it with ``gettext_noop``
    where it is written down.

    Args:
        strategy_id: whose log; ``None``: the platform's.
        level: severity.
        event: what happened, as a slug to filter by: ``order_unknown``.
        template: English sentence with named placeholders.
        context: values of the placeholders; never secrets.
    """
    entry = LogEntry.objects.create(**_fields(strategy_id, level, event, template, context))
    _push(entry)
    return entry


def write_logs(drafts: Iterable[LogEntry]) -> None:
    """Write lines that ``draft_log`` has made, all at once."""
    for entry in LogEntry.objects.bulk_create(drafts):
        _push(entry)


def draft_log(
    *, strategy_id: int | None, level: LogLevel, event: str, template: str, **context: object
) -> LogEntry:
    """Return a line that is not written yet, for ``write_logs``; arguments as of ``write_log``."""
    return LogEntry(**_fields(strategy_id, level, event, template, context))


def draft_order_log(
    order: Order, level: LogLevel, event: str, template: str, **context: object
) -> LogEntry:
    """Return a line about an order that is not written yet.

    Args:
        order: with its market; its error is the cause.
        level: severity.
        event: what happened, as a slug.
        template: English sentence, with ``order_id``, ``side``, ``quantity``, ``market`` and
            ``cause`` as it likes.
        context: values of more placeholders.
    """
    return draft_log(
        strategy_id=order.strategy_id,
        level=level,
        event=event,
        template=template,
        order_id=order.pk,
        side=untranslated(SideChoice(order.side).label),
        quantity=order.quantity,
        market=str(order.market),
        cause=order.to_error(),
        **context,
    )


def _push(entry: LogEntry) -> None:
    publish_on_commit(
        TopicKind.LOGS,
        {
            "id": entry.pk,
            "strategy_id": entry.strategy_id,
            "level": LogLevel(entry.level).name.lower(),
            "event": entry.event,
            "message": entry.to_message(),
            "created_at": entry.created_at,
        },
    )


def _fields(
    strategy_id: int | None,
    level: LogLevel,
    event: str,
    template: str,
    context: Mapping[str, object],
) -> dict[str, object]:
    return {
        "strategy_id": strategy_id,
        "level": level,
        "event": event,
        "template": template,
        "context": as_context(context),
    }


def as_context(context: Mapping[str, object]) -> dict[str, object]:
    """Return the values of a sentence as JSON keeps them: money as exact text, secrets masked."""
    return {name: _storable(value) for name, value in context.items()}


def _storable(value: object) -> object:
    """Return ``value`` as JSON keeps it; numbers of money as exact text, sentences as such."""
    if isinstance(value, ArbError):
        return keep_document(value.message)
    if isinstance(value, Message):
        return keep_document(value)
    if isinstance(value, Decimal):
        return to_plain(value)
    if value is None or isinstance(value, bool | int):
        return value
    return redact(str(value))
