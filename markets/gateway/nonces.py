"""One process at a time for a key whose requests must arrive in the order of their nonces.

Within a process such a key has one instance only. Among processes, it has one turn, kept in Redis:
who holds it makes its call, and leaves behind the last nonce that it used, so that the next one
begins above it even if its clock is behind. A turn ends by itself when its process was killed.
While Redis is away each process goes by its own clock, as if it were alone; a nonce that comes too
late then is a definite refusal, after which the same request goes once more.
"""

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

from markets.gateway.client import Client
from markets.gateway.pool import PoolExhausted

LEASE_MARGIN_MS: Final = 2_000
POLL_S: Final = 0.005
"""How often one that waits looks whether it is its turn [s]."""

TAKE: Final = """
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return {0, 0} end
return {1, tonumber(redis.call('GET', KEYS[2]) or '0')}
"""
LEAVE: Final = """
if tonumber(redis.call('GET', KEYS[2]) or '0') < tonumber(ARGV[2]) then
    redis.call('SET', KEYS[2], ARGV[2])
end
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return {1}
"""


class Store(Protocol):
    """What is shared by all processes."""

    def run(self, script: str, keys: Sequence[str], *arguments: float | str) -> list[int] | None:
        """Return what a script says, or ``None`` if the store is away."""
        ...


class Turns:
    """The turns of one key.

    Args:
        key: names the key without telling it.
        store: where the turn is kept.
        timeout_ms: how long a call may take, and be waited for [ms].
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        key: str,
        store: Store,
        *,
        timeout_ms: int,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._keys = (f"arb:nonce:{{{key}}}:turn", f"arb:nonce:{{{key}}}:last")
        self._store = store
        self._timeout_ms = timeout_ms
        self._sleep = sleep

    @contextmanager
    def take(self, client: Client) -> Iterator[None]:
        """Hold the turn for one call of ``client``, whose nonces then rise above all others.

        Raises:
            PoolExhausted: the turn did not come in time; nothing was sent.
        """
        token = secrets.token_hex(8)
        last = self._wait(token)
        if last is None:
            yield
            return
        client.last_nonce = max(client.last_nonce, last)
        try:
            yield
        finally:
            self._store.run(LEAVE, self._keys, token, str(client.last_nonce))

    def _wait(self, token: str) -> int | None:
        """Wait for the turn and return the last nonce, or ``None`` if the store is away."""
        lease_ms = self._timeout_ms + LEASE_MARGIN_MS
        for _try in range(max(1, int(self._timeout_ms / 1_000 / POLL_S))):
            answer = self._store.run(TAKE, self._keys, token, lease_ms)
            if answer is None:
                return None
            is_mine, last = answer
            if is_mine:
                return last
            self._sleep(POLL_S)
        raise PoolExhausted
