"""Whether a request leaves in time, and whether one that failed has left."""

import ssl
from typing import Any

from urllib3 import exceptions as http_errors

from arbplatform.core.clock import SYSTEM_CLOCK
from markets.domain.orders import Write
from markets.gateway.error_map import TooLate

CAUSE_CHAIN_LENGTH_MAX = 12


def write_in_time(write: Write, before_ms: float | None) -> None:
    """Write a request, unless its time is over.

    Args:
        write: does it.
        before_ms: reading of the monotonic clock after which it must not leave [ms].

    Raises:
        TooLate: it is; nothing was sent.
    """
    if before_ms is not None and SYSTEM_CLOCK.monotonic_ms() > before_ms:
        raise TooLate
    write()


def is_never_sent(error: BaseException) -> bool:
    """Return whether no byte of a request left: it was held back, or there was no connection."""
    return any(isinstance(link, _NEVER_SENT) for link in _chain(error))


_NEVER_SENT = (
    TooLate,
    http_errors.NewConnectionError,
    http_errors.ConnectTimeoutError,
    http_errors.NameResolutionError,
    ssl.SSLCertVerificationError,
)


def _chain(error: BaseException) -> list[BaseException]:
    """Return the error and what it was made of, in a bounded walk."""
    found: list[BaseException] = []
    waiting: list[Any] = [error]
    while waiting and len(found) < CAUSE_CHAIN_LENGTH_MAX:
        link = waiting.pop(0)
        if not isinstance(link, BaseException) or link in found:
            continue
        found.append(link)
        # Never ``__context__``: it may be an older failure that was being handled meanwhile.
        waiting += [link.__cause__, getattr(link, "reason", None), *link.args]
    return found
