"""Sentences in columns of text, so that each reader gets them in their own language.

Such a column holds the template of a sentence and its values. What was kept as a finished text
before is a sentence without values: it is shown as it was.
"""

from typing import Any, Final

import orjson

from arbplatform.core.errors import Message
from arbplatform.core.sentences import message_from_json, message_to_json
from arbplatform.logs import redact
from arbplatform.persistence.fields import to_document

_HEAD: Final = '{"template":'
"""How a column begins that holds a sentence, and no text of people or venues."""


def keep_sentence(message: Message) -> str:
    """Return what a column keeps of a sentence; what looks like a secret is masked.

    Args:
        message: may hold other sentences, and what a venue said; one that says nothing is kept
            as the empty text.
    """
    return to_document(_masked(message_to_json(message))) if message.template else ""


def read_sentence(text: str) -> Message:
    """Return the sentence that a column keeps, still to be translated.

    Args:
        text: the column's content; empty if there is nothing to say.
    """
    if not text.startswith(_HEAD):
        return Message(text)
    try:
        return message_from_json(orjson.loads(text))
    except orjson.JSONDecodeError:
        return Message(text)


def _masked(value: Any) -> Any:
    """Mask each part by itself: within JSON the quotes of a venue's text stand escaped."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {name: _masked(part) for name, part in value.items()}
    return value
