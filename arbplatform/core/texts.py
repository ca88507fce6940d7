"""Texts of others, made fit to be kept."""

import re
from typing import Final

_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
"""Control characters, and halves of characters, which JSON can name but UTF-8 cannot."""


def one_line(text: str) -> str:
    """Return ``text`` in one line, without what no database takes.

    Venues and plugins may say anything; PostgreSQL refuses a whole row for one NUL in it.
    """
    return " ".join(_UNPRINTABLE.sub(" ", text).split())


def storable(text: str) -> str:
    """Return ``text`` as it is, unless something in it cannot be shown: then as ``one_line``."""
    return text if text.isprintable() else one_line(text)


def phrase(text: str) -> str:
    """Return ``text`` in one line as a part of a sentence of ours, which has a full stop itself."""
    return one_line(text).rstrip(" .。")
