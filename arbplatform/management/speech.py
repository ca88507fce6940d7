"""What the supervisor says, in the language of the terminal.

It runs without Django, so it reads the compiled catalogue itself.
"""

import gettext
import os
import unicodedata
from functools import cache

from arbplatform.core.errors import Message
from arbplatform.core.languages import find_language
from arbplatform.settings.env import BASE_DIR

LOCALE_DIR = BASE_DIR / "arbplatform" / "locale"


def render(message: Message) -> str:
    """Return ``message`` in the language that the terminal is set to: Chinese or English."""
    template = _catalogue(find_language(os.environ)).gettext(message.template)
    context = {
        name: render(value) if isinstance(value, Message) else value
        for name, value in message.context.items()
    }
    return template.format(**context) if context else template


def label(message: Message, width: int) -> str:
    """Return ``message`` filled with spaces to ``width`` columns; Chinese letters take two."""
    text = render(message)
    columns = sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
    return text + " " * (width - columns)


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    if not language:
        return gettext.NullTranslations()
    return gettext.translation("django", LOCALE_DIR, [language], fallback=True)
