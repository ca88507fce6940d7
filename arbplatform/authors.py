"""Who did something, as columns keep it: a person's name, or a word for the platform itself."""

from functools import cache
from typing import Final

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.utils.translation import override

from arbplatform.core.errors import Message
from arbplatform.wording import render

SYSTEM: Final = "system"
"""The platform itself, or its command line."""


def keep_author(user: AbstractBaseUser | AnonymousUser | None) -> str:
    """Return what a column keeps of who did something.

    Nobody passes for the platform: a person who is called as it is, in any language, is named with
    their number.

    Args:
        user: ``None``: the platform itself, or its command line.
    """
    name = user.get_username() if user is not None else ""
    return f"{name} (#{user.pk})" if user and name.casefold() in _own_names() else name or SYSTEM


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
            names.add(render(Message("system")).casefold())
    return frozenset(names)
