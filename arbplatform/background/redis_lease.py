"""A right that one of many processes has, kept in Redis until nobody renews it.

Good for what may as well be done twice for a moment: a lease in Redis does not survive that Redis
is emptied. What must never be done twice has a lease in the database.
"""

from dataclasses import dataclass
from typing import Any, Final

_HOLD: Final = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_LEAVE: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""


@dataclass(frozen=True, slots=True)
class RedisLease:
    """One right, as one process competes for it.

    Attributes:
        key: of Redis, the same for all who compete.
        name: of the process; no other one has it.
        kept_ms: a holder that says nothing for so long is replaced [ms].
    """

    key: str
    name: str
    kept_ms: int

    def hold(self, client: Any) -> bool:
        """Take or renew the lease; return whether it is ours.

        Args:
            client: of Redis.

        Raises:
            RedisError, OSError: it does not answer.
        """
        return bool(client.eval(_HOLD, 1, self.key, self.name, self.kept_ms))

    def leave(self, client: Any) -> None:
        """Give the lease back, so that another one need not wait for its end.

        Args:
            client: of Redis.

        Raises:
            RedisError, OSError: it does not answer.
        """
        client.eval(_LEAVE, 1, self.key, self.name)
