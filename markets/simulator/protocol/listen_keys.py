"""Listen keys: names of user data streams that a client opens by address."""

import secrets
from typing import Any

from markets.simulator.protocol import codes
from markets.simulator.protocol.params import Call, require
from markets.simulator.venue import Venue

VALID_FOR_MS = 3_600_000
LISTEN_KEYS_MAX = 10_000


class ListenKeys:
    """Who may listen to which account, for an hour after the last sign of life.

    In memory only: as after a restart of the real venue, clients must ask for new ones.
    """

    def __init__(self) -> None:
        self._expiry_by_key: dict[tuple[str, str], tuple[str, int]] = {}

    def open(self, venue: str, label: str, now_ms: int) -> str:
        """Return the account's key, a new one unless it has a valid one."""
        for (at_venue, key), (owner, expires_ms) in self._expiry_by_key.items():
            if at_venue == venue and owner == label and expires_ms > now_ms:
                self._expiry_by_key[at_venue, key] = (label, now_ms + VALID_FOR_MS)
                return key
        if len(self._expiry_by_key) >= LISTEN_KEYS_MAX:
            del self._expiry_by_key[next(iter(self._expiry_by_key))]
        key = secrets.token_hex(32)
        self._expiry_by_key[venue, key] = (label, now_ms + VALID_FOR_MS)
        return key

    def owner_of(self, venue: str, key: str, now_ms: int) -> str | None:
        """Return the label of the account that a key stands for, while it is valid."""
        label, expires_ms = self._expiry_by_key.get((venue, key), ("", 0))
        return label if expires_ms > now_ms else None

    def extend(self, venue: str, key: str, now_ms: int) -> bool:
        """Keep a key valid for another hour; return whether it was known."""
        label = self.owner_of(venue, key, now_ms)
        if label is None:
            return False
        self._expiry_by_key[venue, key] = (label, now_ms + VALID_FOR_MS)
        return True

    def close(self, venue: str, key: str) -> None:
        """Forget a key."""
        self._expiry_by_key.pop((venue, key), None)


def start(call: Call) -> dict[str, Any]:
    """Return a listen key for the account."""
    venue: Venue = call.venue
    key = call.world.listen_keys.open(venue.code, call.account.label, venue.clock.now_ms())
    return {"listenKey": key}


def keep_alive(call: Call) -> dict[str, Any]:
    """Keep a listen key valid."""
    key = require(call.params, "listenKey")
    if not call.world.listen_keys.extend(call.venue.code, key, call.venue.clock.now_ms()):
        raise codes.UNKNOWN_LISTEN_KEY
    return {}


def close(call: Call) -> dict[str, Any]:
    """Give a listen key back."""
    call.world.listen_keys.close(call.venue.code, require(call.params, "listenKey"))
    return {}
