"""The right to publish schedules: one beat leads, and what two publish is sent once."""

import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from django.conf import settings

from arbplatform.background.batches import Bucket
from arbplatform.background.queues import connect
from arbplatform.background.redis_lease import RedisLease

LEASE_MS: Final = 10_000
SLOT_SHARE: Final = 0.8
"""The part of its interval in which a schedule is published once."""
_LEASE_KEY: Final = "arb:beat:leader"

_TAKE: Final = """
local taken = {}
for number, key in ipairs(KEYS) do
    local holder = redis.call('GET', key)
    if not holder or holder == ARGV[1] then
        redis.call('SET', key, ARGV[1], 'PX', ARGV[number + 1])
        taken[#taken + 1] = number
    end
end
return taken
"""


class Leadership:
    """The right to publish, of one beat among several.

    Args:
        client: of the Redis that carries the messages.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._token = secrets.token_hex(16)
        self._lease = RedisLease(_LEASE_KEY, self._token, LEASE_MS)

    def hold(self) -> bool:
        """Take or renew the lease; return whether it is ours.

        Raises:
            RedisError: it cannot be asked.
        """
        return self._lease.hold(self._client)

    def take_slot(self, name: str, interval: timedelta) -> bool:
        """Return whether a schedule may be published now: nobody did a moment ago.

        Args:
            name: of the schedule.
            interval: from one time to the next.

        Raises:
            RedisError: it cannot be asked.
        """
        kept_ms = max(1, int(interval.total_seconds() * 1_000 * SLOT_SHARE))
        return bool(self._client.set(f"arb:beat:slot:{name}", self._token, nx=True, px=kept_ms))

    def take_buckets(self, buckets: Sequence[tuple[Bucket, int]]) -> list[tuple[Bucket, int]]:
        """Return those of some buckets that no other beat published a moment ago.

        Raises:
            RedisError: it cannot be asked.
        """
        keys = [f"arb:beat:slot:batch:{bucket.name}" for bucket, _due_ms in buckets]
        kept_ms = [max(1, int(bucket.interval_ms * SLOT_SHARE)) for bucket, _due_ms in buckets]
        taken = self._client.eval(_TAKE, len(keys), *keys, self._token, *kept_ms)
        return [buckets[number - 1] for number in taken]

    def leave(self) -> None:
        """Give the lease back, so that another beat need not wait for its end."""
        self._lease.leave(self._client)


def make_leadership() -> Leadership | None:
    """Return the leadership to compete for; none where the broker is in memory."""
    if settings.REDIS_URL.startswith("memory:"):
        return None
    return Leadership(connect())
