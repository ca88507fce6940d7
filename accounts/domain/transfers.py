"""The life of a transfer."""

from enum import StrEnum

from arbplatform.core.transitions import TransitionTable


class TransferState(StrEnum):
    """Where a transfer stands."""

    REQUESTED = "requested"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    IN_TRANSIT = "in_transit"
    ARRIVED = "arrived"
    FAILED = "failed"
    UNKNOWN = "unknown"


class TransferEvent(StrEnum):
    """What can happen to a transfer."""

    CLAIM = "claim"
    ACCEPT = "accept"
    DEPART = "depart"
    ARRIVE = "arrive"
    REFUSE = "refuse"
    LOSE_TRACK = "lose_track"


_S, _E = TransferState, TransferEvent

TRANSFER_TRANSITIONS: TransitionTable[TransferState, TransferEvent] = TransitionTable(
    name="transfer",
    edges={
        (_S.REQUESTED, _E.CLAIM): _S.SUBMITTING,
        (_S.REQUESTED, _E.REFUSE): _S.FAILED,
        (_S.SUBMITTING, _E.ACCEPT): _S.SUBMITTED,
        (_S.SUBMITTING, _E.ARRIVE): _S.ARRIVED,
        (_S.SUBMITTING, _E.REFUSE): _S.FAILED,
        (_S.SUBMITTING, _E.LOSE_TRACK): _S.UNKNOWN,
        (_S.UNKNOWN, _E.ACCEPT): _S.SUBMITTED,
        (_S.UNKNOWN, _E.DEPART): _S.IN_TRANSIT,
        (_S.UNKNOWN, _E.ARRIVE): _S.ARRIVED,
        (_S.UNKNOWN, _E.REFUSE): _S.FAILED,
        (_S.SUBMITTED, _E.DEPART): _S.IN_TRANSIT,
        (_S.SUBMITTED, _E.ARRIVE): _S.ARRIVED,
        (_S.SUBMITTED, _E.REFUSE): _S.FAILED,
        (_S.IN_TRANSIT, _E.ARRIVE): _S.ARRIVED,
        (_S.IN_TRANSIT, _E.REFUSE): _S.FAILED,
    },
)
