"""The life of a transfer."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from arbplatform.core.transitions import TransitionTable


class TransferState(StrEnum):
    """Where a transfer stands."""

    UNAPPROVED = "unapproved"
    TESTING = "testing"
    REQUESTED = "requested"
    WAITING = "waiting"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    IN_TRANSIT = "in_transit"
    DISPUTED = "disputed"
    ARRIVED = "arrived"
    FAILED = "failed"
    UNKNOWN = "unknown"


class TransferEvent(StrEnum):
    """What can happen to a transfer, or be seen again by a look-up."""

    APPROVE = "approve"
    RELEASE = "release"
    CLAIM = "claim"
    WAIT = "wait"
    ACCEPT = "accept"
    DEPART = "depart"
    MISMATCH = "mismatch"
    ARRIVE = "arrive"
    REFUSE = "refuse"
    LOSE_TRACK = "lose_track"


_S, _E = TransferState, TransferEvent

TRANSFER_TRANSITIONS: TransitionTable[TransferState, TransferEvent] = TransitionTable(
    name="transfer",
    edges={
        (_S.UNAPPROVED, _E.APPROVE): _S.TESTING,
        (_S.UNAPPROVED, _E.REFUSE): _S.FAILED,
        (_S.TESTING, _E.RELEASE): _S.REQUESTED,
        (_S.TESTING, _E.REFUSE): _S.FAILED,
        (_S.REQUESTED, _E.CLAIM): _S.SUBMITTING,
        (_S.REQUESTED, _E.REFUSE): _S.FAILED,
        (_S.REQUESTED, _E.WAIT): _S.WAITING,
        (_S.WAITING, _E.WAIT): _S.WAITING,
        (_S.WAITING, _E.CLAIM): _S.SUBMITTING,
        (_S.WAITING, _E.REFUSE): _S.FAILED,
        (_S.SUBMITTING, _E.ACCEPT): _S.SUBMITTED,
        (_S.SUBMITTING, _E.DEPART): _S.IN_TRANSIT,
        (_S.SUBMITTING, _E.ARRIVE): _S.ARRIVED,
        (_S.SUBMITTING, _E.REFUSE): _S.FAILED,
        (_S.SUBMITTING, _E.LOSE_TRACK): _S.UNKNOWN,
        (_S.UNKNOWN, _E.LOSE_TRACK): _S.UNKNOWN,
        (_S.UNKNOWN, _E.ACCEPT): _S.SUBMITTED,
        (_S.UNKNOWN, _E.DEPART): _S.IN_TRANSIT,
        (_S.UNKNOWN, _E.ARRIVE): _S.ARRIVED,
        (_S.UNKNOWN, _E.REFUSE): _S.FAILED,
        (_S.SUBMITTED, _E.ACCEPT): _S.SUBMITTED,
        (_S.SUBMITTED, _E.DEPART): _S.IN_TRANSIT,
        (_S.SUBMITTED, _E.ARRIVE): _S.ARRIVED,
        (_S.SUBMITTED, _E.REFUSE): _S.FAILED,
        (_S.IN_TRANSIT, _E.DEPART): _S.IN_TRANSIT,
        (_S.UNKNOWN, _E.MISMATCH): _S.DISPUTED,
        (_S.SUBMITTED, _E.MISMATCH): _S.DISPUTED,
        (_S.IN_TRANSIT, _E.MISMATCH): _S.DISPUTED,
        (_S.DISPUTED, _E.ARRIVE): _S.ARRIVED,
        (_S.IN_TRANSIT, _E.ARRIVE): _S.ARRIVED,
        (_S.IN_TRANSIT, _E.REFUSE): _S.FAILED,
    },
)

LIVE_STATES: Final = tuple(
    state for state in TransferState if not TRANSFER_TRANSITIONS.is_terminal(state)
)
"""States in which the last word about the funds has not been spoken."""

BOOKED_STATES: Final = frozenset({_S.SUBMITTED, _S.IN_TRANSIT, _S.DISPUTED, _S.ARRIVED, _S.FAILED})
"""States that the ledger wants to hear of."""

SUBMITTING_MAX: Final = timedelta(seconds=60)
"""Longer than any call to a venue may take: whoever claimed a transfer earlier is not alive."""

PLANNED_MAX: Final = timedelta(minutes=5)
"""No look-up at what was sent is planned further ahead, even by a machine whose clock differs a
little: what seems to be was planned by a clock that had jumped."""

SWEEP_AFTER: Final = timedelta(seconds=10)
"""A requested transfer that nobody has claimed by then has lost its message."""

REQUEST_MAX_AGE: Final = timedelta(minutes=15)
"""A transfer that nobody came to send for so long may not be wanted any more."""

WAITING_MAX: Final = timedelta(hours=6)
"""A transfer waits so long for a network that is suspended, then it is given up."""

APPROVAL_MAX: Final = timedelta(hours=24)
"""A transfer waits so long for the second person, then it is given up."""

TESTING_MAX: Final = timedelta(hours=24)
"""A transfer waits so long for its test amount to arrive, then it is given up."""

SENDABLE_STATES: Final = TRANSFER_TRANSITIONS.sources(_E.CLAIM)
"""States from which it may be sent by whoever claims it."""

AGES_MAX: Final = {
    _S.UNAPPROVED: APPROVAL_MAX,
    _S.TESTING: TESTING_MAX,
    _S.REQUESTED: REQUEST_MAX_AGE,
    _S.WAITING: WAITING_MAX,
}
"""How long a transfer that was not sent may stay in a state; the time counts from its release."""

SWEEP_DELAYS: Final = {
    _S.UNAPPROVED: APPROVAL_MAX + SWEEP_AFTER,
    _S.TESTING: TESTING_MAX + SWEEP_AFTER,
    _S.REQUESTED: SWEEP_AFTER,
}
"""When a transfer is looked at if nothing else happens to it."""

UNSENT_STATES: Final = frozenset(AGES_MAX)
"""States in which nothing was sent."""

SENT_STATES: Final = (_S.SUBMITTING, _S.UNKNOWN, _S.SUBMITTED, _S.IN_TRANSIT)
"""States in which funds may be on their way."""

UNCLEAR_MAX: Final = timedelta(minutes=30)
"""A transfer whose outcome is not known for so long is a person's business."""

DEPARTURE_MAX: Final = timedelta(hours=1)
"""So long a venue may look at a withdrawal before it sends it."""

ARRIVAL_MAX: Final = {
    "BTC": timedelta(hours=3),
    "BCH": timedelta(hours=3),
    "ETC": timedelta(hours=12),
    "LTC": timedelta(hours=2),
    "DOGE": timedelta(hours=2),
}
"""How long funds may take on slow networks, confirmations included."""

ARRIVAL_MAX_ELSEWHERE: Final = timedelta(hours=1)

ABSENT_LOOKUPS_MIN: Final = 10
ABSENT_AGE_MIN: Final = timedelta(minutes=15)
"""A transfer whose reply was lost is given up only when so many look-ups, over at least this time,
did not find it: histories of venues lag."""

LOOKUP_DELAYS_S: Final = (1, 1, 2, 3, 5, 5, 10, 10, 20, 30)
"""Pauses between look-ups [s]: a lost reply shows up soon, a network takes its time."""

LOOKUP_DELAY_MAX_S: Final = 60


def lookup_delay(count: int) -> timedelta:
    """Return how long to wait before the next look-up.

    Args:
        count: look-ups so far, not negative.
    """
    is_early = count < len(LOOKUP_DELAYS_S)
    return timedelta(seconds=LOOKUP_DELAYS_S[count] if is_early else LOOKUP_DELAY_MAX_S)


def is_due(planned_at: datetime, now: datetime) -> bool:
    """Return whether it is time to look at what was sent.

    Args:
        planned_at: when it is to be looked at, as far as the clock was right that said so.
        now: the time.
    """
    return planned_at <= now or planned_at > now + PLANNED_MAX


def expected_within(state: TransferState, network: str) -> timedelta:
    """Return how long after it was sent a transfer may be in a state before that is strange.

    Args:
        state: one of ``SENT_STATES``.
        network: our name of the network.
    """
    if state in {TransferState.SUBMITTING, TransferState.UNKNOWN}:
        return UNCLEAR_MAX
    if state is TransferState.SUBMITTED:
        return DEPARTURE_MAX
    return DEPARTURE_MAX + ARRIVAL_MAX.get(network, ARRIVAL_MAX_ELSEWHERE)
