"""Sentences in columns, so that each reader gets them in their own language.

A column of text holds the template of a sentence and its values. What was kept as a finished text
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

    One that only shows a secret when it is put together is kept in English, as a finished text.

    Args:
        message: may hold other sentences, and what a venue said; one that says nothing is kept
            as the empty text.
    """
    return to_document(keep_document(message)) if message.template else ""


def keep_document(message: Message) -> dict[str, Any]:
    """Return what a column of JSON keeps of a sentence that may hold what somebody else said.

    It is masked like ``keep_sentence``, and read by ``message_from_json``.
    """
    kept = _masked(message_to_json(message))
    return message_to_json(Message(redact(str(message)))) if _shows_secret(kept) else kept


def keep_words(text: str) -> str:
    """Return what a column of sentences keeps of what a person typed: it comes back as it is.

    Args:
        text: nothing of it is masked; if it looks like a sentence that is kept, it is no such one.
    """
    return to_document(message_to_json(Message(text))) if text.startswith(_HEAD) else text


def read_sentence(text: str) -> Message:
    """Return the sentence that a column keeps, still to be translated.

    Args:
        text: the column's content; empty if there is nothing to say.
    """
    if not text.startswith(_HEAD):
        return Message(text)
    try:
        return message_from_json(orjson.loads(text))
    except (TypeError, ValueError):
        return Message(text)  # no such one, or cut off


def _masked(sentence: dict[str, Any]) -> dict[str, Any]:
    """Mask each part by itself: within JSON the quotes of a venue's text stand escaped."""
    template, context = sentence["template"], sentence["context"]
    return {
        # where a value follows, the mask would swallow half of its placeholder
        "template": template if context else redact(template),
        "context": {name: _masked_value(value) for name, value in context.items()},
    }


def _masked_value(value: Any) -> Any:
    if isinstance(value, dict):
        return _masked(value)
    return redact(value) if isinstance(value, str) else value


def _shows_secret(sentence: dict[str, Any]) -> bool:
    """Return whether a secret stands beside its name, with each of them in a part of its own."""
    try:
        said = str(message_from_json(sentence))
    except (LookupError, ValueError, AttributeError, TypeError):
        return True  # a template that wants more than texts and numbers: it is finished at once
    return redact(said) != said
