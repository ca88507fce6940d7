"""The right to run a tick: one at a time per strategy, and only for so long.

A claim is one conditional UPDATE, so of two workers that got the same message one wins. It
carries a token, which every later write of the tick has to show, and an end: a worker that was
killed blocks its strategy only until then. A tick extends its claim before each step that sends
orders; one that finds its claim gone sends nothing more.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q

from arbplatform.background.draining import DRAIN
from arbplatform.core.clock import Clock
from ledger.services.batches import Unmet
from strategies.domain.states import StrategyDriver, StrategyState
from strategies.models import Strategy

STEP_CALLS = 3
"""A step of a tick makes at most so many venue calls one after the other: submit, read, fills."""
LEASE_MARGIN_S = 5
SPACING_DIVISOR = 2
"""Two ticks are at least the interval divided by this apart: a late message is dropped."""


@dataclass(slots=True)
class TickClaim:
    """A won claim.

    Attributes:
        strategy_id: of the strategy.
        token: proves that the claim is ours.
        claimed_at: when it was won.
        expires_at: until when nobody else can win one.
        fence: of the engine's lease that it is; 0 for that of a scheduled tick.
        holder: name of the engine; empty for a scheduled tick.
    """

    strategy_id: int
    token: str
    claimed_at: datetime
    expires_at: datetime
    fence: int = 0
    holder: str = ""

    def is_kept(self) -> bool | None:
        """Return whether somebody keeps the claim alive; ``None``: whoever uses it has to."""
        return None


def claim_tick(
    strategy: Strategy, *, clock: Clock, is_spacing_kept: bool = True
) -> TickClaim | None:
    """Claim the next tick of ``strategy``; ``None`` when there is nothing to claim.

    A process that ends claims nothing, and what is driven by a stream has no ticks. Nor is anything
    claimed with what was read of an earlier run: it may have been edited since.

    Args:
        strategy: whose tick; only its id, its interval and when it was started are used.
        clock: tells the time.
        is_spacing_kept: whether a tick that comes too soon after the last one is dropped. A
            message that waited behind a long tick arrives right after the next one's.
    """
    if DRAIN.has_begun:
        return None
    now = clock.now()
    token = secrets.token_hex(16)
    free = Q(tick_token="") | Q(tick_expires_at__isnull=True) | Q(tick_expires_at__lte=now)
    rows = Strategy.objects.filter(
        free,
        pk=strategy.pk,
        state=StrategyState.RUNNING,
        driver=StrategyDriver.SCHEDULE,
        started_at=strategy.started_at,
    )
    if is_spacing_kept:
        spacing = timedelta(milliseconds=strategy.interval_ms) / SPACING_DIVISOR
        # a last tick in the future means that the clock was set back: it must not block
        rows = rows.filter(
            Q(last_tick_at__isnull=True)
            | Q(last_tick_at__lte=now - spacing)
            | Q(last_tick_at__gt=now)
        )
    claim = TickClaim(strategy.pk, token, claimed_at=now, expires_at=now + lease())
    claimed = rows.update(tick_token=token, tick_expires_at=claim.expires_at, last_tick_at=now)
    return claim if claimed == 1 else None


def extend_claim(claim: TickClaim, *, clock: Clock) -> bool:
    """Make sure that a claim holds for one more step; return ``False`` when it was lost.

    Nothing is written while the time that is left suffices: in a normal tick it always does. The
    lease of an engine is kept by the engine; here it is only looked whether it still is.
    """
    if DRAIN.is_over:
        return False  # the process ends: who comes after it goes on
    is_kept = claim.is_kept()
    if is_kept is not None:
        return is_kept
    now = clock.now()
    if claim.expires_at - now >= step_max():
        return True
    expires_at = now + lease()
    mine = Strategy.objects.filter(
        pk=claim.strategy_id, tick_token=claim.token, tick_expires_at__gt=now
    )
    if mine.update(tick_expires_at=expires_at) != 1:
        return False
    claim.expires_at = expires_at
    return True


def require_claim(claim: TickClaim) -> None:
    """Make sure that a claim is still ours, and keep it so until the transaction ends.

    Args:
        claim: somebody else may have taken it after it had run out.

    Raises:
        Unmet: it is not ours any more.
    """
    mine = Strategy.objects.select_for_update(no_key=True).order_by()
    mine = mine.filter(pk=claim.strategy_id, tick_token=claim.token)
    if mine.values_list("pk", flat=True).first() is None:
        raise Unmet("claim")


def step_max() -> timedelta:
    """Return how long one step of a tick takes at most: its venue calls time out."""
    return timedelta(milliseconds=STEP_CALLS * settings.VENUE_TIMEOUT_MS)


def lease() -> timedelta:
    """Return how long a claim holds without being extended."""
    return step_max() + timedelta(seconds=LEASE_MARGIN_S)
