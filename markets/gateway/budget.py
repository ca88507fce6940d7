"""The rate budget of a venue and an outgoing address, shared by all processes through Redis.

One step in Redis decides on everything that a request needs: whether the venue wants silence,
whether its weight fits, and whether its account may send another order. It goes by Redis' own
clock, so processes whose clocks differ still share one budget.
"""

import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from markets.gateway.base import VenueSpec
from markets.gateway.capabilities import capabilities_of
from markets.gateway.limiter import (
    BURST_MS,
    TRIES_MAX,
    WAIT_MS_MAX,
    RateLimiter,
    TooManyRequests,
    Urgency,
    reserve_of,
)

logger = logging.getLogger(__name__)

TIMEOUT_S: Final = 0.25
"""Longest wait for Redis [s]: an order's way to the venue leads past here."""

AWAY_MS: Final = 1_000
"""How long Redis is left alone after it did not answer [ms]."""

LOCAL_SHARE: Final = 4
"""A process that cannot see the others takes this part of the budget: 4 stands for a quarter."""

PROXY_OPTIONS: Final = frozenset(
    name
    for kind in ("http", "https", "socks")
    for name in (f"{kind}Proxy", f"{kind}_proxy", f"{kind}ProxyCallback")
) | {"proxies", "proxy", "aiohttp_proxy", "aiohttpProxy"}
"""Options with which requests leave from another address."""

DIGEST_LENGTH: Final = 16

# What is kept: until when the venue wants silence; from when on the bucket is free; the same for
# the orders of each account. A turn that is given moves the latter two by what it takes.
_TAKE: Final = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + clock[2] / 1000
local silent_until = tonumber(redis.call('GET', KEYS[1]) or '0')
if silent_until > now then return {0, math.ceil(silent_until - now), 1} end
local cost, burst, reserve = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local account, order, order_burst = ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
local pace_end = math.max(tonumber(redis.call('GET', KEYS[2]) or '0'), now - burst) + cost
local wait, order_end = math.max(0, pace_end + reserve - now), 0
if account ~= '' then
  local from = tonumber(redis.call('HGET', KEYS[3], account) or '0')
  order_end = math.max(from, now - order_burst) + order
  wait = math.max(wait, order_end - now)
end
if wait > tonumber(ARGV[4]) or (reserve > 0 and wait > 0) then return {0, math.ceil(wait), 0} end
local life = math.ceil(burst + wait) + 1000
redis.call('SET', KEYS[2], string.format('%.3f', pace_end), 'PX', life)
if account ~= '' then
  redis.call('HSET', KEYS[3], account, string.format('%.3f', order_end))
  redis.call('PEXPIRE', KEYS[3], math.ceil(order_burst + wait) + 60000)
end
return {1, math.ceil(wait), 0}
"""

_SILENCE: Final = """
local clock = redis.call('TIME')
local silent_until = clock[1] * 1000 + clock[2] / 1000 + ARGV[1]
if silent_until > tonumber(redis.call('GET', KEYS[1]) or '0') then
  redis.call('SET', KEYS[1], string.format('%.3f', silent_until), 'PX', ARGV[1])
end
return 1
"""

_HOLD: Final = """
local clock = redis.call('TIME')
local from = clock[1] * 1000 + clock[2] / 1000 + ARGV[2]
redis.call('HSET', KEYS[3], ARGV[1], string.format('%.3f', from))
redis.call('PEXPIRE', KEYS[3], ARGV[2] + 60000)
return 1
"""

_LOOK: Final = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + clock[2] / 1000
local function of(value) return tonumber(value or '0') - now end
local orders = 0 - tonumber(ARGV[1])
for _, from in ipairs(redis.call('HVALS', KEYS[3])) do orders = math.max(orders, of(from)) end
return {
  math.ceil(of(redis.call('GET', KEYS[1]))),
  math.ceil(of(redis.call('GET', KEYS[2]))),
  math.ceil(orders),
}
"""


@dataclass(frozen=True, slots=True)
class Budget:
    """What a venue allows to one outgoing address.

    Attributes:
        venue_key: names the venue to all processes.
        address: names the address that requests leave from.
        unit_ms: what one unit of weight takes [ms].
        order_ms: what one order takes of its account's count [ms].
        order_window_ms: the span that orders are counted in [ms].
    """

    venue_key: str
    address: str
    unit_ms: float
    order_ms: float
    order_window_ms: int

    @property
    def keys(self) -> Sequence[str]:
        """The keys in Redis: silence, pace, orders; all in one slot of a cluster."""
        place = f"arb:budget:{{{self.venue_key}}}"
        return (
            f"{place}:{self.address}:silence",
            f"{place}:{self.address}:pace",
            f"{place}:orders",
        )

    def local(self, sleep: Callable[[float], None] = time.sleep) -> RateLimiter:
        """Return this process's own cautious part of the budget."""
        return RateLimiter(
            self.unit_ms * LOCAL_SHARE,
            order_ms=self.order_ms * LOCAL_SHARE,
            hold_ms=self.order_window_ms,
            sleep=sleep,
        )


@dataclass(frozen=True, slots=True)
class BudgetHealth:
    """How much of a budget is left.

    Attributes:
        silent_ms: how long the venue still wants silence [ms].
        free_percent: of the weight that may be spent at once.
        orders_free_percent: of the orders that the busiest account may send at once.
    """

    silent_ms: int
    free_percent: int
    orders_free_percent: int


def budget_for(spec: VenueSpec, unit_ms: float, address: str) -> Budget:
    """Return the budget that requests to a venue count against.

    Venues of one class at one place share it, whatever we call them; a proxy is an address of
    its own.

    Args:
        spec: how to reach the venue.
        unit_ms: what one unit of weight takes [ms].
        address: this machine's outgoing address, by a name.
    """
    proxies = {key: spec.options[key] for key in sorted(PROXY_OPTIONS & spec.options.keys())}
    # An order may come at any time of the venue's window: half the count at once and half the
    # count during the window never exceed it.
    limit = capabilities_of(spec.ccxt_id).order_limit
    return Budget(
        venue_key=f"{spec.ccxt_id}@{_digest(spec.rest_origin)}"
        if spec.rest_origin
        else spec.ccxt_id,
        address=f"proxy-{_digest(_text(proxies))}" if proxies else address,
        unit_ms=unit_ms,
        order_ms=2 * limit.window_ms / limit.count,
        order_window_ms=limit.window_ms,
    )


class Redis:
    """The server that budgets are kept in; never asked twice, and left alone while it is away.

    Args:
        url: in redis-py's spelling.
        now_ms: a monotonic clock [ms].
    """

    def __init__(
        self, url: str, *, now_ms: Callable[[], float] = lambda: time.monotonic_ns() / 1_000_000
    ) -> None:
        self._client = redis.Redis.from_url(
            url,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            # redis-py would repeat a step that may have been taken: a turn would count twice.
            retry=Retry(NoBackoff(), 0),
        )
        self._scripts: dict[str, Any] = {}
        self._now_ms = now_ms
        self._away_until_ms = float("-inf")
        self._lock = threading.Lock()

    def run(self, script: str, keys: Sequence[str], *arguments: float | str) -> list[int] | None:
        """Return what a script says, or ``None`` if Redis is away: nobody knows what was done."""
        if self._now_ms() < self._away_until_ms:
            return None
        if script not in self._scripts:
            self._scripts[script] = self._client.register_script(script)
        try:
            answer = self._scripts[script](keys=keys, args=arguments)
        except (redis.RedisError, OSError) as error:
            with self._lock:
                self._away_until_ms = self._now_ms() + AWAY_MS
            logger.warning(
                "Redis is away, rates are kept by each process: %s", type(error).__name__
            )
            return None
        return list(answer) if isinstance(answer, list) else [int(answer)]

    def look(self, budget: Budget) -> BudgetHealth | None:
        """Return how much of a budget is left, or ``None`` if Redis is away."""
        answer = self.run(_LOOK, budget.keys, budget.order_window_ms)
        if answer is None:
            return None
        silent_ms, pace_ms, orders_ms = answer
        return BudgetHealth(
            silent_ms=max(0, silent_ms),
            free_percent=_percent(-pace_ms, BURST_MS),
            orders_free_percent=_percent(-orders_ms, budget.order_window_ms),
        )

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()


class SharedLimiter:
    """Paces the requests to one venue together with all other processes.

    While Redis is away, each process keeps to its cautious part. What the venue told this process
    itself, it remembers without Redis.

    Args:
        budget: what is shared.
        store: where it is kept.
        sleep: waits so many seconds.
    """

    def __init__(
        self, budget: Budget, store: Redis, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.unit_ms = budget.unit_ms
        self._budget = budget
        self._store = store
        self._sleep = sleep
        self._local = budget.local(sleep)

    def acquire(
        self, cost: float = 1.0, *, urgency: Urgency = Urgency.WRITE, account: str = ""
    ) -> None:
        """Wait for a turn; a step whose reply is lost counts here and in the process's own part.

        Raises:
            TooManyRequests: it would come too late, or the venue wants silence.
        """
        silent_ms = self._local.silent_ms()
        if silent_ms > WAIT_MS_MAX:
            raise TooManyRequests(silent_ms, is_blocked=True)
        budget, waited_ms, is_silent = self._budget, 0, False
        cost_ms = cost * budget.unit_ms
        reserve_ms = reserve_of(urgency, cost_ms)
        for _try in range(TRIES_MAX):
            room_ms = WAIT_MS_MAX - waited_ms
            answer = self._store.run(
                _TAKE,
                budget.keys,
                *(cost_ms, BURST_MS, reserve_ms, room_ms),
                *(account, budget.order_ms, budget.order_window_ms),
            )
            if answer is None:
                self._local.acquire(cost, urgency=urgency, account=account)
                return
            is_taken, wait_ms, is_silent = bool(answer[0]), answer[1], bool(answer[2])
            if wait_ms > room_ms:
                raise TooManyRequests(wait_ms, is_blocked=is_silent)
            if wait_ms > 0:
                self._sleep(wait_ms / 1_000)
            if is_taken:
                return
            waited_ms += wait_ms
        raise TooManyRequests(WAIT_MS_MAX, is_blocked=is_silent)

    def silence(self, duration_ms: float) -> None:
        """Let no process send anything for ``duration_ms`` [ms]: the venue asked for it."""
        self._local.silence(duration_ms)
        self._store.run(_SILENCE, self._budget.keys, max(1, int(duration_ms)))

    def silent_ms(self) -> float:
        """Return how long the venue still wants silence, by what any process was told [ms]."""
        health = self._store.look(self._budget)
        return max(self._local.silent_ms(), health.silent_ms if health else 0)

    def hold_orders(self, account: str) -> None:
        """Let no process send orders of ``account`` until the venue's count begins anew."""
        self._local.hold_orders(account)
        self._store.run(_HOLD, self._budget.keys, account, self._budget.order_window_ms)


def account_key(api_key: str) -> str:
    """Return how orders of an API key are counted, without naming it."""
    return _digest(api_key)


def _percent(part: float, whole: float) -> int:
    return max(0, min(100, round(100 * part / whole)))


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]
