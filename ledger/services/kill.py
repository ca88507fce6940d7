"""The kill switch: no new order in any process, and an end to those that are out there."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from arbplatform.background.commit import enqueue_on_commit
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.errors import ArbError, Message
from ledger.domain.halts import (
    EVERYTHING,
    HaltScope,
    TradingEvent,
    TradingState,
    strictest,
)
from ledger.domain.orders import CANCEL_REPEAT_MS, OrderState
from ledger.models import Order, TradingChange, TradingHalt
from ledger.selectors.halts import list_halts, list_live_orders, list_trading_changes
from ledger.selectors.orders import list_pending_cancellations
from ledger.services.halts import Person, change_trading, name_of
from ledger.services.journal import cancel_order
from markets.errors import VenueRateLimited, VenueUnavailable

logger = logging.getLogger(__name__)

BATCH_MAX = 200
"""Orders that one call cancels; the sweep takes the rest."""

HANGING_MS = 2_000
"""A venue that says nothing of an order for longer is asked for no other in that round [ms]."""

_SILENCE = frozenset({VenueUnavailable.code, VenueRateLimited.code})
"""What is written down about an order whose venue did not answer when it was looked up."""


@dataclass(frozen=True, slots=True)
class KillReport:
    """What the switch found.

    Attributes:
        halt: the state as it is now.
        withdrawn: orders that were written, never sent, and never will be.
        open: orders at a venue; they are being cancelled.
        unknown: orders that may be at a venue; they are looked up until that is known.
    """

    halt: TradingHalt
    withdrawn: Sequence[Order]
    open: Sequence[Order]
    unknown: Sequence[Order]


@dataclass(frozen=True, slots=True)
class Standing:
    """What may be traded at this moment.

    Attributes:
        state: of the whole platform.
        restrictions: every state that is not active.
        orders: under a halt, not ended yet.
        changes: the newest lines of the history.
    """

    state: TradingState
    restrictions: Sequence[TradingHalt]
    orders: Sequence[Order]
    changes: Sequence[TradingChange]

    @property
    def named(self) -> list[tuple[TradingHalt, Message]]:
        """The restrictions with what each of them covers."""
        return [(halt, name_of(halt)) for halt in self.restrictions]

    @property
    def is_halted(self) -> bool:
        """Whether everything is halted."""
        return self.state is TradingState.HALTED


def read_standing() -> Standing:
    """Return what may be traded, and what is still out there although it may not."""
    restrictions = list_halts()
    everything = (row for row in restrictions if row.key == EVERYTHING.key)
    halted = [row for row in restrictions if row.state == TradingState.HALTED]
    return Standing(
        state=strictest(TradingState(row.state) for row in everything),
        restrictions=restrictions,
        orders=list_live_orders(halted, limit=BATCH_MAX),
        changes=list_trading_changes(),
    )


def stop_trading(
    *,
    reason: str,
    scope: HaltScope = EVERYTHING,
    user: Person | None = None,
    is_reducing: bool = False,
    clock: Clock = SYSTEM_CLOCK,
) -> KillReport:
    """Halt trading at once; what is at a venue is cancelled right afterwards by a worker.

    Args:
        reason: why, for people.
        scope: what is halted.
        user: who asks; ``None``: the platform itself or its command line.
        is_reducing: still allow orders that bring an exposure down; then open ones may stay.
        clock: tells the time.

    Raises:
        InvalidInput: there is no reason, or it is too long.
        NotFound: there is no such venue, account or strategy.
        IllegalTransition: only reducing was asked for, and is in force already.
    """
    event = TradingEvent.REDUCE if is_reducing else TradingEvent.HALT
    halt = change_trading(event=event, scope=scope, reason=reason, user=user, clock=clock)
    if is_reducing:
        return KillReport(halt, withdrawn=[], open=[], unknown=[])
    enqueue_on_commit("ledger.cancel_halted_orders")
    withdrawn = []
    for order in list_live_orders([halt], states=[OrderState.PENDING], limit=BATCH_MAX):
        try:
            withdrawn.append(cancel_order(order_id=order.pk, clock=clock))
        except ArbError as error:
            logger.info("order %s was claimed just before the halt: %s", order.pk, error)
    live = list_live_orders([halt], limit=BATCH_MAX)
    return KillReport(
        halt=halt,
        withdrawn=withdrawn,
        open=[order for order in live if order.state == OrderState.OPEN],
        unknown=[order for order in live if order.state != OrderState.OPEN],
    )


def cancel_halted_orders(*, clock: Clock = SYSTEM_CLOCK) -> list[Order]:
    """Cancel every open order under a halt; return those whose end is still not known.

    May be called any number of times. An order whose outcome is not known is left to the look-up
    by its client id; should it turn out to be open, the next call cancels it.
    """
    halts = [halt for halt in list_halts() if halt.state == TradingState.HALTED]
    if not halts:
        return []
    states = [OrderState.PENDING, OrderState.OPEN]
    _cancel_each(list_live_orders(halts, states=states, limit=BATCH_MAX), clock)
    return list_live_orders(halts, limit=BATCH_MAX)


def repeat_cancellations(*, clock: Clock = SYSTEM_CLOCK) -> list[Order]:
    """Ask again for every cancellation that a venue has not shown for a while.

    To cancel twice does no harm, so one whose fate is not known may be asked for again, unlike an
    order.

    Returns:
        The orders as they stand now.
    """
    before = clock.now() - timedelta(milliseconds=CANCEL_REPEAT_MS)
    return _cancel_each(list_pending_cancellations(asked_before=before, limit=BATCH_MAX), clock)


def _cancel_each(orders: Iterable[Order], clock: Clock) -> list[Order]:
    """Cancel orders one by one, and return those that were asked for, as they stand now.

    None keeps the others waiting: not one that cannot be written down, and not a venue that hangs.
    That is asked once, and last if it did not answer before. A venue that refuses one order at once
    is asked for the next one: it may be about this market, or this key, alone.
    """
    hanging: set[int] = set()
    done: list[Order] = []
    for order in sorted(orders, key=lambda row: (row.error_code in _SILENCE, row.pk)):
        venue_id = order.market.venue_id
        if venue_id in hanging and order.state != OrderState.PENDING:
            continue
        began_ms, asked = clock.monotonic_ms(), None
        try:
            asked = cancel_order(order_id=order.pk, clock=clock)
            done.append(asked)
        except ArbError as error:
            logger.warning("order %s could not be cancelled yet: %s", order.pk, error)
        except Exception:
            # one order that cannot be written down must not keep the others from being cancelled
            logger.exception("order %s could not be cancelled", order.pk)
        is_answered = asked is not None and asked.error_code not in _SILENCE
        if not is_answered and clock.monotonic_ms() - began_ms > HANGING_MS:
            hanging.add(venue_id)
    return done
