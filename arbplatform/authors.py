"""Who did something, as columns keep it: a person's name, or a word for the platform itself."""

import unicodedata
from functools import cache
from typing import Final

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.utils.translation import override

from arbplatform.core.errors import Message
from arbplatform.wording import render

SYSTEM: Final = "system"
"""The platform itself, or its command line."""
_LOOK_ALIKES: Final = str.maketrans(
    {
        **dict.fromkeys("\u0455\ua731\u0282\u13da5$", "s"),
        **dict.fromkeys("\u0443\u04af\u028f\u03b3\u03c5\u13a9", "y"),
        **dict.fromkeys("\u0442\u03c4\u1d1b\u13a2", "t"),
        **dict.fromkeys("\u0435\u0454\u03b5\u13ac3", "e"),
        **dict.fromkeys("\u043c\u1d0d\u03bc\u13b7", "m"),
        "\u7d71": "\u7edf",
    }
)
"""Letters of other scripts, and digits, that are read as those of the words for the platform."""


def keep_author(user: AbstractBaseUser | AnonymousUser | None) -> str:
    """Return what a column keeps of who did something.

    Nobody passes for the platform: a person who is called as it is, in any language or in letters
    that look like it, is named with their number.

    Args:
        user: ``None``: the platform itself, or its command line.
    """
    name = user.get_username() if user is not None else ""
    return f"{name} (#{user.pk})" if user and _as_read(name) in _own_names() else name or SYSTEM


def tell_author(kept: str) -> Message | str:
    """Return the same as a value of a sentence: names stay as they are in each language."""
    return Message("system") if kept == SYSTEM else kept


def say_author(kept: str) -> str:
    """Return the same for a page, in the reader's language."""
    told = tell_author(kept)
    return render(told) if isinstance(told, Message) else told


@cache
def _own_names() -> frozenset[str]:
    names = {SYSTEM}
    for language, _name in settings.LANGUAGES:
        with override(language):
            names.add(_as_read(render(Message("system"))))
    return frozenset(names)


def _as_read(name: str) -> str:
    """Return what a person reads: only letters, without marks, in one case and one script."""
    plain = unicodedata.normalize("NFKD", name).casefold().translate(_LOOK_ALIKES)
    return "".join(letter for letter in plain if letter.isalpha())
