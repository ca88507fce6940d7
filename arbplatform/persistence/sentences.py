"""Sentences in columns, so that each reader gets them in their own language.

A column of text holds the template of a sentence and its values. What was kept as a finished text
before is a sentence without values: it is shown as it was.
"""

from collections.abc import Set as AbstractSet
from string import Formatter
from typing import Any, Final

import orjson

from arbplatform.core.errors import Message
from arbplatform.core.masking import redact
from arbplatform.core.sentences import message_from_json, message_to_json
from arbplatform.persistence.fields import to_document

_HEAD: Final = '{"template":'
"""How a column begins that holds a sentence, and no text of people or venues."""
_AS_TYPED: Final = "{words}"
"""What a person typed is a value: a template would be translated if the catalogue has such one.
Wherever such a sentence stands nothing of it is masked: it is shown as it was typed."""


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


def as_typed(text: str) -> Message:
    """Return what a person typed as a value of a sentence: neither translated nor masked."""
    return Message(_AS_TYPED, {"words": text})


def keep_words(text: str, own: AbstractSet[str] = frozenset()) -> str:
    """Return what a column of sentences keeps of what a person typed: it comes back as it is.

    Args:
        text: nothing of it is masked; if it looks like a sentence that is kept, it is no such one.
        own: bare texts that the platform itself writes into that column.
    """
    if text in own or text.startswith(_HEAD):
        return to_document(message_to_json(as_typed(text)))
    return text


def keep_reason(reason: Message | str, own: AbstractSet[str] = frozenset()) -> str:
    """Return what a column keeps of a sentence of the platform, or of what a person typed.

    Args:
        reason: the one or the other.
        own: as of ``keep_words``.
    """
    return keep_sentence(reason) if isinstance(reason, Message) else keep_words(reason, own)


def read_reason(kept: str, own: AbstractSet[str] = frozenset()) -> Message:
    """Return what ``keep_reason`` was given: what was typed is not translated.

    Args:
        kept: the column's content.
        own: as of ``keep_words``.
    """
    said = read_sentence(kept)
    is_typed = said.template == kept and kept not in own
    return as_typed(kept) if is_typed and kept else said


def read_sentence(text: str) -> Message:
    """Return the sentence that a column keeps, still to be translated.

    Args:
        text: the column's content; empty if there is nothing to say.
    """
    if not text.startswith(_HEAD):
        return Message(text)
    try:
        said = message_from_json(orjson.loads(text))
        return said if _is_ours(said) else Message(text)
    except (TypeError, ValueError):
        return Message(text)  # no such one, or cut off


def _is_ours(sentence: Message) -> bool:
    """Return whether a sentence only wants its values as they are, as each that is kept does.

    An older release kept what people typed as it stood: that may reach into values, or ask for more
    blanks than there is memory.

    Raises:
        ValueError: the template has no proper form.
    """
    if not sentence.context:
        return True  # it is shown as it is
    for _text, name, form, _conversion in Formatter().parse(sentence.template):
        if name is not None and (form or name not in sentence.context):
            return False
    parts = (value for value in sentence.context.values() if isinstance(value, Message))
    return all(map(_is_ours, parts))


def _masked(sentence: dict[str, Any]) -> dict[str, Any]:
    """Mask each part by itself: within JSON the quotes of a venue's text stand escaped."""
    template, context = sentence["template"], sentence["context"]
    if template == _AS_TYPED:
        return sentence
    return {
        # where a value follows, the mask would swallow half of its placeholder
        "template": template if context else redact(template),
        "context": {name: _masked_value(value) for name, value in context.items()},
    }


def _masked_value(value: Any) -> Any:
    if isinstance(value, dict):
        return _masked(value)
    return redact(value) if isinstance(value, str) else value


def _without_typed(sentence: dict[str, Any]) -> dict[str, Any]:
    """Leave out what people typed: a word of ours before it makes no secret of it."""
    if sentence["template"] == _AS_TYPED:
        return {"template": "", "context": {}}
    context = {
        name: _without_typed(value) if isinstance(value, dict) else value
        for name, value in sentence["context"].items()
    }
    return {"template": sentence["template"], "context": context}


def _shows_secret(sentence: dict[str, Any]) -> bool:
    """Return whether a secret stands beside its name, with each of them in a part of its own."""
    try:
        said = str(message_from_json(_without_typed(sentence)))
    except (LookupError, ValueError, AttributeError, TypeError):
        return True  # a template that wants more than texts and numbers: it is finished at once
    return redact(said) != said
