"""The right of an engine to run a strategy: one engine at a time, for as long as it lives.

A lease is the same claim as that of a scheduled tick, on the same columns, so everything that a
tick has to show an engine has to show too. It is short and renewed every second, and whoever takes
it counts the fencing number of the strategy up. Times are compared by the database's clock alone.
An engine goes by a clock of its own only to stop early: it measures how long ago it asked for its
last renewal, and acts no more well before anybody else may.

A lease that has lapsed in either sense never comes back to life: what had been begun under it may
be recovered by others already. The engine takes it anew, with the next number, like anybody else.
"""

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext_noop as _

from arbplatform.core.clock import Clock, elapsed_ms
from arbplatform.persistence.clock import DATABASE_CLOCK
from arbplatform.persistence.retries import retried
from ledger.models import LogEntry, LogLevel
from ledger.services.logs import draft_log, write_log, write_logs
from strategies.domain.states import StrategyState
from strategies.models import EngineProcess, Strategy
from strategies.selectors import engines as selectors
from strategies.services.claims import TickClaim
from strategies.services.runs import settle_stopping

LEASE: Final = timedelta(milliseconds=3_500)
"""So long after its last renewal others leave a strategy to its engine."""
HOLD_MS: Final = 3_000
"""So long after it asked for a renewal an engine itself counts on it [ms]."""
TAKEN_MAX: Final = 500
"""Strategies that an engine takes at once."""

_TAKEN: Final = _("Engine {engine} runs the strategy now (lease {fence}).")
_TAKEN_OVER: Final = _(
    "Engine {engine} has taken the strategy over (lease {fence}) from engine {before}, which has "
    "given no sign of life. What that one had begun is looked up and finished."
)
_RETAKEN: Final = _(
    "Engine {engine} had lost the strategy, since it was paused or could not reach the database in "
    "time. It runs the strategy again (lease {fence}); what it had begun is looked up and finished."
)
_RELEASED: Final = _("Engine {engine} has given the strategy back (lease {fence}).")


@dataclass(frozen=True, slots=True)
class Engine:
    """One engine process, as others see it.

    Attributes:
        name: its own and nobody else's: machine, process and a random part.
        machine: on which it runs.
        pid: of the process, on its machine.
    """

    name: str
    machine: str
    pid: int

    @classmethod
    def on(cls, machine: str, pid: int) -> "Engine":
        """Return a new one."""
        return cls(f"{machine}:{pid}:{secrets.token_hex(4)}", machine, pid)


@dataclass(slots=True)
class LeaseClaim(TickClaim):
    """A lease, as the engine that holds it knows it.

    Attributes:
        good_until_ms: until when the engine counts on it, by ``read_ms`` [ms].
        read_ms: a monotonic clock that does not stand still while the machine sleeps.
    """

    good_until_ms: float = 0.0
    read_ms: Callable[[], float] = field(default=elapsed_ms, repr=False, compare=False)
    _is_over: bool = field(default=False, init=False)

    def is_kept(self) -> bool:
        """Return whether the engine may still act under it; once it may not, it never may."""
        if not self._is_over and self.read_ms() >= self.good_until_ms:
            self._is_over = True
        return not self._is_over

    def prolong(self, good_until_ms: float) -> bool:
        """Note a renewal; return ``False`` when the lease had lapsed before it was confirmed."""
        if not self.is_kept():
            return False
        self.good_until_ms = good_until_ms
        return True

    def give_up(self) -> None:
        """Act no more under it."""
        self._is_over = True


@dataclass(frozen=True, slots=True)
class HeldStrategy:
    """A strategy that an engine holds.

    Attributes:
        strategy_id: of the strategy.
        claim: what orders are written under; kept alive by the engine.
        run_id: the run in which it was taken.
        fence: the number of the lease.
        is_taken_over: whether the engine before did not give it back.
    """

    strategy_id: int
    claim: LeaseClaim
    run_id: int
    fence: int
    is_taken_over: bool = False


@dataclass(frozen=True, slots=True)
class Renewal:
    """What came of a renewal.

    Attributes:
        renewed: strategies whose leases hold anew.
        lost: those that are somebody else's, or nobody's, by now.
    """

    renewed: frozenset[int]
    lost: frozenset[int]


@transaction.atomic
def renew_leases(
    *, engine: Engine, tokens: Mapping[int, str], clock: Clock = DATABASE_CLOCK
) -> Renewal:
    """Renew the leases of an engine, and leave its sign of life.

    Rows that somebody else is writing are not waited for: they are neither renewed nor lost, and
    their turn comes with the next renewal.

    Args:
        engine: whose.
        tokens: of its leases, by strategy.
        clock: the database's.
    """
    now = clock.now()
    seen = EngineProcess.objects.filter(name=engine.name).update(heartbeat_at=now)
    if not seen:
        EngineProcess.objects.create(
            name=engine.name,
            machine=engine.machine,
            pid=engine.pid,
            started_at=now,
            heartbeat_at=now,
        )
    known = selectors.list_claimed(tokens)
    alive = {pk: tokens[pk] for pk, until in known.items() if until is not None and until > now}
    renewed = selectors.lock_claimed(alive, is_patient=False)
    Strategy.objects.filter(pk__in=renewed).update(tick_expires_at=now + LEASE)
    return Renewal(frozenset(renewed), frozenset(tokens.keys() - alive.keys()))


def read_share(*, engine: Engine, clock: Clock = DATABASE_CLOCK) -> tuple[int, int]:
    """Return how many strategies an engine should hold at most, and how many engines live."""
    others = selectors.count_live_engines(now=clock.now(), lease=LEASE, besides=engine.name)
    engine_count = others + 1
    return -(-selectors.count_streams() // engine_count), engine_count


@retried
@transaction.atomic
def acquire_leases(
    *,
    engine: Engine,
    limit: int,
    besides: Collection[int] = (),
    clock: Clock = DATABASE_CLOCK,
    read_ms: Callable[[], float] = elapsed_ms,
) -> list[HeldStrategy]:
    """Take running strategies that nobody holds, first those on accounts that are used already.

    Args:
        engine: who takes them.
        limit: at most so many.
        besides: not these.
        clock: the database's.
        read_ms: what the engine measures its own time with.
    """
    good_until_ms = read_ms() + HOLD_MS
    now = clock.now()
    rows = selectors.lock_free_streams(
        now=now, limit=min(limit, TAKEN_MAX), besides=besides, holder=engine.name
    )
    runs = selectors.map_open_runs([row.pk for row in rows])
    rows = [row for row in rows if row.pk in runs]
    if not rows:
        return []
    token = secrets.token_hex(16)
    Strategy.objects.filter(pk__in=[row.pk for row in rows]).update(
        tick_token=token,
        tick_expires_at=now + LEASE,
        last_tick_at=now,
        lease_holder=engine.name,
        lease_fence=F("lease_fence") + 1,
    )
    write_logs(_draft_taken(row, engine) for row in rows)
    return [
        HeldStrategy(
            strategy_id=row.pk,
            claim=LeaseClaim(
                strategy_id=row.pk,
                token=token,
                claimed_at=now,
                expires_at=now + LEASE,
                fence=row.lease_fence + 1,
                holder=engine.name,
                good_until_ms=good_until_ms,
                read_ms=read_ms,
            ),
            run_id=runs[row.pk],
            fence=row.lease_fence + 1,
            is_taken_over=bool(row.tick_token),
        )
        for row in rows
    ]


@retried
@transaction.atomic
def release_leases(*, held: Sequence[HeldStrategy], clock: Clock = DATABASE_CLOCK) -> None:
    """Give leases back at once; those that are somebody else's by now are left alone.

    Strategies that were to stop have stopped then.
    """
    tokens = {item.strategy_id: item.claim.token for item in held}
    for item in held:
        item.claim.give_up()
    ours = selectors.lock_claimed(tokens, is_patient=True)
    _free(ours)
    by_id = {item.strategy_id: item for item in held}
    write_logs(
        draft_log(
            strategy_id=pk,
            level=LogLevel.INFO,
            event="strategy_released",
            template=_RELEASED,
            engine=by_id[pk].claim.holder,
            fence=by_id[pk].fence,
        )
        for pk in ours
    )
    stopping = Strategy.objects.filter(pk__in=ours, state=StrategyState.STOPPING)
    for pk in stopping.values_list("pk", flat=True):
        settle_stopping(strategy_id=pk, clock=clock)


@retried
@transaction.atomic
def revoke_lease(*, strategy_id: int, token: str, clock: Clock = DATABASE_CLOCK) -> bool:
    """Take a lease from an engine that has begun an execution and left it alone.

    Nobody else gets the strategy before the engine, however late it is, counts on the lease no
    more; then whoever takes it recovers the execution.

    Args:
        strategy_id: of the strategy.
        token: of the lease.
        clock: the database's.

    Returns:
        Whether it was still that lease.
    """
    rows = Strategy.objects.filter(pk=strategy_id, tick_token=token)
    revoked = rows.update(
        tick_token=f"{selectors.REVOKED} {secrets.token_hex(8)}",
        tick_expires_at=clock.now() + LEASE,
    )
    if revoked:
        write_log(
            strategy_id=strategy_id,
            level=LogLevel.ERROR,
            event="lease_revoked",
            template=_(
                "An engine has begun an execution and done nothing about it for too long. Its "
                "lease was taken from it; the execution is looked up and finished."
            ),
        )
    return bool(revoked)


def drain_engine(*, engine: Engine, clock: Clock = DATABASE_CLOCK) -> None:
    """Write down that an engine takes nothing any more: the others share what it held."""
    EngineProcess.objects.filter(name=engine.name).update(draining_at=clock.now())


def strike_engine(*, engine: Engine, clock: Clock = DATABASE_CLOCK) -> None:
    """Write down that an engine has ended."""
    EngineProcess.objects.filter(name=engine.name).update(stopped_at=clock.now())


def is_live(engine: EngineProcess, now: datetime) -> bool:
    """Return whether an engine lives, by its last sign of life and the database's time."""
    return engine.stopped_at is None and engine.heartbeat_at > now - LEASE


def _free(strategy_ids: Collection[int]) -> None:
    Strategy.objects.filter(pk__in=strategy_ids).update(
        tick_token="", tick_expires_at=None, lease_holder=""
    )


def _draft_taken(row: Strategy, engine: Engine) -> LogEntry:
    level, event, template = LogLevel.WARNING, "strategy_taken_over", _TAKEN_OVER
    if not row.tick_token:
        level, event, template = LogLevel.INFO, "strategy_taken", _TAKEN
    elif row.lease_holder == engine.name:
        event, template = "strategy_retaken", _RETAKEN
    return draft_log(
        strategy_id=row.pk,
        level=level,
        event=event,
        template=template,
        engine=engine.name,
        fence=row.lease_fence + 1,
        before=row.lease_holder,
    )
