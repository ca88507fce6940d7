"""Who sent a request: API key, signature, time window."""

import hmac
import re
from typing import TYPE_CHECKING

from markets.simulator.protocol import codes
from markets.simulator.protocol.params import Params

if TYPE_CHECKING:
    from markets.simulator.venue import ApiKey, Venue

RECV_WINDOW_MS = 5_000
RECV_WINDOW_MAX_MS = 60_000
CLOCK_AHEAD_MAX_MS = 1_000
_KEY_FORMAT = re.compile(r"[A-Za-z0-9_.\-]{1,256}")


def find_key(venue: "Venue", value: str | None, permission: str) -> "ApiKey":
    """Return the API key of a request, if it may do what is asked.

    Raises:
        WireError: no key, an unknown one, or one without the permission.
    """
    if not value or not _KEY_FORMAT.fullmatch(value):
        raise codes.BAD_KEY_FORMAT
    key = venue.keys.get(value)
    if key is None or permission not in key.permissions:
        raise codes.KEY_REJECTED
    return key


def split_signature(text: str) -> tuple[str, str]:
    """Return ``text`` (a query string or form) without its signature, and the signature."""
    start = text.rfind("signature=")
    if start < 0 or (start and text[start - 1] != "&"):
        return text, ""
    end = text.find("&", start)
    signature = text[start + len("signature=") : end if end >= 0 else None]
    rest = text[: max(start - 1, 0)]
    if end >= 0:
        rest = text[:start] + text[end + 1 :]
    return rest, signature


def check_signature(secret: bytes, payload: str, signature: str) -> None:
    """Refuse a signature that the secret did not make.

    Raises:
        WireError: missing or wrong.
    """
    if not signature:
        raise codes.missing("signature")
    wanted = hmac.digest(secret, payload.encode(), "sha256").hex()
    if not hmac.compare_digest(wanted, signature.lower()):
        raise codes.BAD_SIGNATURE


def check_time(params: Params, now_ms: int) -> None:
    """Refuse a request that is too old or from the future.

    Raises:
        WireError: no timestamp, or outside the window.
    """
    sent = params.get("timestamp")
    if not sent:
        raise codes.missing("timestamp")
    window = params.get("recvWindow", "")
    window_ms = float(window) if window.replace(".", "", 1).isdecimal() else RECV_WINDOW_MS
    if window_ms > RECV_WINDOW_MAX_MS:
        raise codes.RECV_WINDOW_TOO_LARGE
    if not sent.isdecimal():
        raise codes.illegal("timestamp", "^[0-9]{1,20}$")
    sent_ms = int(sent)
    if sent_ms >= now_ms + CLOCK_AHEAD_MAX_MS:
        raise codes.TIMESTAMP_AHEAD
    if now_ms - sent_ms > window_ms:
        raise codes.TIMESTAMP_OUTSIDE
