"""The faults of one venue: which are armed, which strike, and how often they did."""

from collections import Counter, deque
from collections.abc import Collection, Iterable
from random import Random
from typing import Any, Protocol

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from markets.simulator.faults.config import FaultConfig
from markets.simulator.faults.kinds import FaultKind, Group
from markets.simulator.faults.names import SYSTEM_STATUS

FAULTS_MAX = 100
"""Armed at once; the oldest are forgotten beyond."""
ENDED_KEPT_MAX = 100
"""Ended faults that are still listed."""


class Target(Protocol):
    """What a fault may strike. What is not known is empty, and struck only by faults for any."""

    @property
    def address(self) -> tuple[str, str]:
        """Method and path below the venue."""
        ...

    @property
    def market_id(self) -> str:
        """Such as ``BTCUSDT``."""
        ...

    @property
    def side(self) -> str:
        """``buy`` or ``sell``."""
        ...

    @property
    def account(self) -> str:
        """Label."""
        ...

    @property
    def asset(self) -> str:
        """Code."""
        ...

    @property
    def stream(self) -> str:
        """``market`` or ``user``."""
        ...


class Thing:
    """A target that is no request: an order, a message, a transfer."""

    __slots__ = ("account", "address", "asset", "market_id", "side", "stream")

    def __init__(
        self,
        *,
        market_id: str = "",
        side: str = "",
        account: str = "",
        asset: str = "",
        stream: str = "",
    ) -> None:
        self.address = ("", "")
        self.market_id = market_id
        self.side = side
        self.account = account
        self.asset = asset
        self.stream = stream


ANYTHING = Thing()


class Armed:
    """A fault and how often it may still strike.

    Attributes:
        number: unique at the venue.
        config: what was asked for.
        passed: matching targets so far.
        struck: how often it struck.
        left: how often it still may; ``None`` for ever.
        ends_ms: when it is over [ms since epoch]; ``None`` for never.
    """

    def __init__(self, number: int, config: FaultConfig, now_ms: int) -> None:
        self.number = number
        self.config = config
        self.armed_ms = now_ms
        self.passed = 0
        self.struck = 0
        self.left = config.times
        self.ends_ms = None if config.after else self._end_from(now_ms)

    def matches(self, target: Target) -> bool:
        """Return whether it is about this target."""
        config = self.config
        method, path = target.address
        if config.method not in {"", method}:
            return False
        addresses = config.addresses
        if addresses is not None and not addresses & {(method, path), ("", path)}:
            return False
        if config.kind is FaultKind.MAINTENANCE and path == SYSTEM_STATUS:
            return False
        if config.spec.group is Group.ACT:
            # Market, side, account and asset say what is done, not when.
            return True
        # What the fault does not name is not asked for: reading it may take a look-up.
        return (
            (not config.account or config.account == target.account)
            and (not config.market_id or config.market_id == target.market_id)
            and (not config.side or config.side == target.side)
            and (not config.asset or config.asset == target.asset)
            and (not config.stream or config.stream == target.stream)
        )

    def _end_from(self, now_ms: int) -> int | None:
        return None if self.config.for_ms is None else now_ms + self.config.for_ms

    def strikes(self, random: Random, now_ms: int) -> bool:
        """Count a matching target; return whether this one is struck."""
        self.passed += 1
        if self.passed == self.config.after:
            self.ends_ms = self._end_from(now_ms)
        if self.passed <= self.config.after or random.random() >= self.config.chance:
            return False
        self.struck += 1
        if self.left is not None:
            self.left -= 1
        return True

    def left_ms(self, now_ms: int) -> int | None:
        """Return how long it stays armed [ms]; ``None`` for ever."""
        return None if self.ends_ms is None else max(self.ends_ms - now_ms, 0)

    def to_row(self, now_ms: int) -> dict[str, Any]:
        """Return what it is and how far it came, as JSON values."""
        return {
            "id": self.number,
            "fault": self.config.to_row(),
            "armed_ms": self.armed_ms,
            "struck": self.struck,
            "left": self.left,
            "left_ms": self.left_ms(now_ms),
        }


class FaultPlan:
    """The faults of one venue.

    Attributes:
        struck: how often each kind ever struck, by its name.

    Args:
        faults: from the start.
        random: for those that strike by chance.
        clock: for those that end by themselves.
    """

    def __init__(
        self, faults: Iterable[FaultConfig], random: Random, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._random = random
        self._clock = clock
        self._armed: list[Armed] = []
        self._ended: deque[Armed] = deque(maxlen=ENDED_KEPT_MAX)
        self._last_number = 0
        self.struck: Counter[str] = Counter()
        for fault in reversed(list(faults)):
            self.add(fault)

    @property
    def is_armed(self) -> bool:
        """Whether anything may go wrong at all: the one question on the path of every request."""
        return bool(self._armed)

    def add(self, fault: FaultConfig) -> int:
        """Arm one more, before the others; return its number.

        The oldest are forgotten beyond the bound.
        """
        self._last_number += 1
        self._armed.insert(0, Armed(self._last_number, fault, self._clock.now_ms()))
        self._ended.extendleft(self._armed[FAULTS_MAX:])
        del self._armed[FAULTS_MAX:]
        return self._last_number

    def remove(self, number: int) -> bool:
        """Disarm one; return whether it was armed."""
        found = next((armed for armed in self._armed if armed.number == number), None)
        if found is not None:
            self._end(found)
        return found is not None

    def clear(self) -> int:
        """Let nothing go wrong any more; return how many were armed."""
        count = len(self._armed)
        for armed in list(self._armed):
            self._end(armed)
        return count

    def count_act(self, fault: FaultConfig) -> int:
        """Remember an act that happened at once; return its number."""
        self._last_number += 1
        armed = Armed(self._last_number, fault, self._clock.now_ms())
        armed.struck, armed.left = 1, 0
        self.struck[fault.kind.value] += 1
        self._ended.appendleft(armed)
        return armed.number

    def state(self, kind: FaultKind, target: Target = ANYTHING) -> FaultConfig | None:
        """Return the armed condition of the venue that shows to this target, and count it."""
        found = self.pick((kind,), target)
        return None if found is None else found.config

    def shows(self, kind: FaultKind, target: Target = ANYTHING) -> FaultConfig | None:
        """Return the armed condition of the venue about this target, without counting it."""
        self._end_what_is_over()
        return next(
            (a.config for a in self._armed if a.config.kind is kind and a.matches(target)), None
        )

    def is_in_force(self, armed: Armed) -> bool:
        """Return whether a fault that struck before is still armed."""
        self._end_what_is_over()
        return armed in self._armed

    def rows(self) -> list[dict[str, Any]]:
        """Return the armed faults as JSON values, the first to strike first."""
        self._end_what_is_over()
        now_ms = self._clock.now_ms()
        return [armed.to_row(now_ms) for armed in self._armed]

    def ended_rows(self) -> list[dict[str, Any]]:
        """Return faults that are over, the last one first."""
        now_ms = self._clock.now_ms()
        return [armed.to_row(now_ms) for armed in self._ended]

    def pick(self, kinds: Collection[FaultKind], target: Target) -> Armed | None:
        """Return the fault of some kinds that strikes this target, if any, and count it."""
        self._end_what_is_over()
        for armed in self._armed:
            if (
                armed.config.kind in kinds
                and armed.matches(target)
                and armed.strikes(self._random, self._clock.now_ms())
            ):
                self.struck[armed.config.kind.value] += 1
                if armed.left == 0:
                    self._end(armed)
                return armed
        return None

    def _end(self, armed: Armed) -> None:
        self._armed.remove(armed)
        self._ended.appendleft(armed)

    def _end_what_is_over(self) -> None:
        if not self._armed:
            return
        now_ms = self._clock.now_ms()
        for armed in [one for one in self._armed if one.left_ms(now_ms) == 0]:
            self._end(armed)
