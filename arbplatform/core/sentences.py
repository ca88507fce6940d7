"""Sentences as JSON: template and context, so that each reader gets them in their own language."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from arbplatform.core.decimals import to_plain
from arbplatform.core.errors import Message
from arbplatform.core.texts import storable

INTEGER_BITS: Final = 64
"""Integers that are longer, with their sign, are kept as text: no document of ours takes them."""


def message_to_json(message: Message) -> dict[str, Any]:
    """Return a sentence as template and context: strings, numbers and nested sentences."""
    return {
        "template": storable(message.template),
        "context": {name: _to_json(value) for name, value in message.context.items()},
    }


def message_from_json(value: Mapping[str, Any]) -> Message:
    """Return the sentence that ``message_to_json`` took apart."""
    context = {
        name: message_from_json(part) if isinstance(part, Mapping) else part
        for name, part in dict(value.get("context") or {}).items()
    }
    return Message(str(value.get("template", "")), context)


def _to_json(value: object) -> Any:
    if isinstance(value, Message):
        return message_to_json(value)
    if isinstance(value, Decimal):
        return to_plain(value)
    if value is None or (isinstance(value, int) and value.bit_length() < INTEGER_BITS):  # bool, too
        return value
    return storable(str(value))
