"""Turns a message into a sentence in the reader's language: the only place that does.

Pure code writes English templates with placeholders; the edges (API, console, logs) translate the
template first and fill it in afterwards, so that one catalogue entry serves every value.
"""

import logging
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext, override

from arbplatform.core.decimals import to_plain
from arbplatform.core.errors import Message

logger = logging.getLogger(__name__)


def render(message: Message | Promise | str) -> str:
    """Return ``message`` in the active language.

    A context value may itself be a ``Message``; it is rendered in the same language. Decimals are
    written as plain digits.

    Args:
        message: a message, a lazy translation, or an English text that is its own key.
    """
    if not isinstance(message, Message):
        return gettext(str(message)) if isinstance(message, str) and message else str(message)
    context = {name: _present(value) for name, value in message.context.items()}
    return fill(gettext(message.template) if message.template else "", context)


def in_each_language(message: Message | Promise | str) -> dict[str, str]:
    """Return ``message`` in every language of the platform, by its code.

    For readers who are many, and who get the same copy.
    """
    said = {}
    for language, _name in settings.LANGUAGES:
        with override(language):
            said[language] = render(message)
    return said


def untranslated(label: Promise | str) -> Message:
    """Return the label of a choice as a sentence that each reader gets in their own language.

    What ``get_state_display`` returns is in the active language: no reader of another one could be
    told what was kept of it.

    Args:
        label: one without a context of its own in the catalogue.
    """
    with override(None):
        return Message(str(label))


def render_values(message: Message) -> dict[str, Any]:
    """Return what a message is filled with; what is a sentence itself in the active language."""
    return {
        name: render(value) if isinstance(value, Message) else value
        for name, value in message.context.items()
    }


def fill(template: str, context: Mapping[str, object]) -> str:
    """Return ``template`` with ``context`` filled in, or the bare template if it does not fit.

    A wrong placeholder in a translation must not turn a clear refusal into a crash.
    """
    if not context:
        return template
    try:
        return template.format(**context)
    except (LookupError, ValueError, AttributeError, TypeError):
        logger.exception("The template %r does not fit its values.", template)
        return template


def _present(value: object) -> object:
    if isinstance(value, Message):
        return render(value)
    if isinstance(value, Decimal):
        return to_plain(value) if value.is_finite() else str(value)
    return value
