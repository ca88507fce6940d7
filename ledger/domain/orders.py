"""The life of an order in the journal."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from arbplatform.core.decimals import ZERO, Quantity
from arbplatform.core.transitions import TransitionTable
from markets.domain.orders import VenueOrderStatus


class OrderState(StrEnum):
    """What we know about an order."""

    PENDING = "pending"
    """Written down, not sent."""
    SUBMITTING = "submitting"
    """Claimed by exactly one sender; whether it left is not recorded yet."""
    OPEN = "open"
    FILLED = "filled"
    CANCELED = "canceled"
    """Ended without being wholly filled; the part that was filled is booked."""
    REJECTED = "rejected"
    """The venue definitely refused, or nothing was sent: it does not exist there."""
    UNKNOWN = "unknown"
    """May exist at the venue: looked up by client id, never sent again."""


class OrderEvent(StrEnum):
    """What can happen to an order."""

    CLAIM = "claim"
    ACKNOWLEDGE = "acknowledge"
    FILL = "fill"
    CANCEL = "cancel"
    REFUSE = "refuse"
    LOSE_TRACK = "lose_track"


_S, _E = OrderState, OrderEvent

ORDER_TRANSITIONS: TransitionTable[OrderState, OrderEvent] = TransitionTable(
    name="order",
    edges={
        (_S.PENDING, _E.CLAIM): _S.SUBMITTING,
        (_S.PENDING, _E.REFUSE): _S.REJECTED,
        # REJECTED among the sources: a venue that shows an order which we took for absent is right
        **{
            (source, event): target
            for source in (_S.SUBMITTING, _S.UNKNOWN, _S.OPEN, _S.REJECTED)
            for event, target in (
                (_E.ACKNOWLEDGE, _S.OPEN),
                (_E.FILL, _S.FILLED),
                (_E.CANCEL, _S.CANCELED),
            )
        },
        (_S.SUBMITTING, _E.REFUSE): _S.REJECTED,
        (_S.UNKNOWN, _E.REFUSE): _S.REJECTED,
        # some venues take an order first and refuse it a moment later
        (_S.OPEN, _E.REFUSE): _S.REJECTED,
        (_S.SUBMITTING, _E.LOSE_TRACK): _S.UNKNOWN,
        # a late fill completes an order that was thought to have ended short
        (_S.CANCELED, _E.FILL): _S.FILLED,
    },
)

LIVE_STATES = frozenset({_S.PENDING, _S.SUBMITTING, _S.OPEN, _S.UNKNOWN})
"""States in which money may still move."""

CANCELLABLE_STATES = frozenset({_S.OPEN, _S.UNKNOWN})
"""States in which a venue may have something to cancel."""

LOOKUP_DELAYS_MS: Final = (500, 1_000, 2_000, 5_000, 10_000, 30_000)
"""Pauses before the first, second … look-up of an order whose outcome is not known [ms]."""

DETAIL_DELAY_MAX_MS: Final = 3_600_000
"""Longest pause between look-ups of what an ended order still lacks: fills or fees [ms]."""

SUBMIT_TIMEOUT_MS: Final = 15_000
"""A claimed order without a recorded outcome for so long has lost its sender [ms]."""

SEND_DEADLINE_MS: Final = 800
"""A sender that is so late after its claim (a paused machine) does not send any more [ms].

The kill switch rests on this: nothing is claimed after a halt, so nothing leaves a second after it.
"""

DECIDED_MS_MAX: Final = 2_000
"""An order that was decided on so long before its claim is not sent any more [ms]: its process was
paused, or waited for the database, and prices are others by now."""

PENDING_TIMEOUT_MS: Final = 60_000
"""An order that nobody claimed for so long belongs to a decision that is stale [ms]."""

MISSES_MIN: Final = 3
MISS_SPAN_MIN_MS: Final = 30_000
MISS_DELAY_MAX_MS: Final = 10_000
"""Longest pause between look-ups of an order that its venue does not show [ms].

One process has to have missed it for the whole span. Where several take turns, and some are ended,
pauses as long as the span kept all of them from that for minutes.
"""

COUNT_SPAN_MIN_MS: Final = 2_000
"""What a venue lists of an order that ended is all that it filled, if it stays so this long [ms].

To wait costs a moment's risk; to repair a leg that was filled costs a trade there and one back.
"""

SWITCH_MS: Final = 60_000
"""A venue's dead-man switch cancels our orders if it is not renewed for so long [ms]."""

CANCEL_REPEAT_MS: Final = 5_000
"""A cancellation that the venue still does not show after so long is asked for again [ms]."""

CANCEL_WATCH_MS: Final = 60_000
"""For so long an order that we cancelled is looked at for fills that were on their way [ms]."""

PLANNED_MAX: Final = timedelta(minutes=5)
"""Nothing about an order that lives is planned further ahead, even by a machine whose clock differs
a little: what seems to be was planned by a clock that had jumped."""

DETAIL_PLANNED_MAX: Final = PLANNED_MAX + timedelta(milliseconds=DETAIL_DELAY_MAX_MS)
"""The same for an order that has ended."""

CLOCK_JUMP_MAX_MS: Final = 86_400_000
"""How far a clock of ours that had jumped may have been ahead as an order was sent [ms]."""

WATCH_DELAY_MS: Final = 600_000
"""How often an order that was concluded to be absent is looked for again [ms]."""

WATCH_SPAN_MS: Final = 86_400_000
"""How long after sending it is watched for [ms]."""


def lookup_delay_ms(count: int, *, is_missed: bool = False) -> int:
    """Return the pause before the next look-up of a live order [ms].

    Args:
        count: look-ups so far, not negative.
        is_missed: whether the last one showed that the venue does not know it.
    """
    delay_ms = LOOKUP_DELAYS_MS[min(count, len(LOOKUP_DELAYS_MS) - 1)]
    return min(delay_ms, MISS_DELAY_MAX_MS) if is_missed else delay_ms


def detail_delay_ms(count: int) -> int:
    """Return the pause before the next look-up of an ended order that lacks details [ms].

    It goes on doubling: no money waits for an answer that a venue may never give.

    Args:
        count: look-ups so far, not negative.
    """
    surplus = max(0, count - len(LOOKUP_DELAYS_MS) + 1)
    doublings = min(surplus, DETAIL_DELAY_MAX_MS.bit_length())
    return min(lookup_delay_ms(count) << doublings, DETAIL_DELAY_MAX_MS)


def has_come(moment: datetime, now: datetime, *, ahead_max: timedelta = PLANNED_MAX) -> bool:
    """Return whether a moment that a row bears is not to come, as far as that can be believed.

    Args:
        moment: of the wall clock, which may have been ahead when it told.
        now: the time.
        ahead_max: how far ahead such a moment is at most if it did not jump.
    """
    return moment <= now or moment > now + ahead_max


def is_absence_proven(*, miss_count: int, missed_for_ms: float) -> bool:
    """Return whether an order that no look-up found was never accepted.

    One "not found" seconds after sending proves nothing: venues are eventually consistent.

    Args:
        miss_count: look-ups that found no trace, this one included.
        missed_for_ms: from one of them to this one, by a clock that does not jump [ms].
    """
    return miss_count >= MISSES_MIN and missed_for_ms >= MISS_SPAN_MIN_MS


def event_of(
    *, status: VenueOrderStatus, quantity: Quantity, filled: Quantity, is_filled_known: bool
) -> OrderEvent:
    """Return what a venue's report means for the order.

    Args:
        status: as reported.
        quantity: ordered [base].
        filled: executed so far, by report and by fills, whichever is more [base].
        is_filled_known: whether that may be all. If not, an order that ended stays open: what it
            filled is asked for again.
    """
    if status is VenueOrderStatus.FILLED or filled >= quantity:
        return OrderEvent.FILL
    if status is VenueOrderStatus.OPEN or not is_filled_known:
        return OrderEvent.ACKNOWLEDGE
    if status is VenueOrderStatus.REJECTED and filled == ZERO:
        return OrderEvent.REFUSE
    return OrderEvent.CANCEL


def absorb(state: OrderState, event: OrderEvent) -> OrderState:
    """Return the state after a report, which may be late or a repetition and so change nothing.

    Args:
        state: before.
        event: what the report means.
    """
    if ORDER_TRANSITIONS.can(state, event):
        return ORDER_TRANSITIONS.next_state(state, event)
    return state
