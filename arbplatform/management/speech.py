"""What the supervisor says, in the language of the terminal.

It runs without Django, so it reads the compiled catalogue itself.
"""

import gettext
import os
import unicodedata
from collections.abc import Mapping
from functools import cache

from arbplatform.core.errors import Message
from arbplatform.settings.env import BASE_DIR

LOCALE_DIR = BASE_DIR / "arbplatform" / "locale"
CHINESE = "zh_Hans"


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


def find_language(environment: Mapping[str, str]) -> str:
    """Return the language by the rules of the shell; empty is English.

    Args:
        environment: of the process: the first variable that is set counts.
    """
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if environment.get(name):
            return CHINESE if environment[name].startswith("zh") else ""
    return ""


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    if not language:
        return gettext.NullTranslations()
    return gettext.translation("django", LOCALE_DIR, [language], fallback=True)
