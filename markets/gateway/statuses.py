"""What the HTTP status of an answer says about how much a venue still wants to hear."""

import re
from collections.abc import Mapping

SILENCE_MS = 1_000
SILENCE_MS_MAX = 600_000
"""Longest silence that a venue's Retry-After can impose on us [ms]."""

BAN_STATUS = 418
BAN_MS = 120_000
"""How long a ban is taken to last that names no end: the shortest that a venue gives [ms]."""

BAN_MS_MAX = 3 * 86_400_000
"""Longest ban that is believed [ms]: no venue states longer ones."""

RATE_STATUSES = frozenset({BAN_STATUS, 429})
DIGITS_MAX = 9


def note_status(error: BaseException, http_status: int) -> None:
    """Remember on an exception which HTTP status it came with; 0 if there was no answer."""
    error.http_status = http_status  # type: ignore[attr-defined]  # ours, on any class


def status_of(error: BaseException) -> int:
    """Return the HTTP status that an exception came with; 0 if there was none."""
    return int(getattr(error, "http_status", 0))


_BANNED_UNTIL = re.compile(r"banned until (\d{13})\b")


def silence_ms(status: int, headers: Mapping[str, str], text: str, venue_now_ms: int) -> float:
    """Return how long the venue wants to hear nothing [ms]: the longest that it states."""
    is_ban = status == BAN_STATUS
    header = str(headers.get("Retry-After", "")).strip() if headers else ""
    stated = [int(header) * 1_000] if header.isdigit() and len(header) <= DIGITS_MAX else []
    banned_until = _BANNED_UNTIL.search(text)
    if banned_until:
        is_ban = True
        stated.append(max(0, int(banned_until[1]) - venue_now_ms))
    wait_ms = max(stated, default=BAN_MS if is_ban else SILENCE_MS)
    return min(wait_ms, BAN_MS_MAX if is_ban else SILENCE_MS_MAX)
