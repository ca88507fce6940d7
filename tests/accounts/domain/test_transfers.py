"""The state machine of transfers and the pace of look-ups."""

from itertools import product

import pytest

from accounts.domain.transfers import (
    ABSENT_AGE_MIN,
    ABSENT_LOOKUPS_MIN,
    BOOKED_STATES,
    LIVE_STATES,
    LOOKUP_DELAY_MAX_S,
    TRANSFER_TRANSITIONS,
    UNSENT_STATES,
    TransferEvent,
    TransferState,
    lookup_delay,
)
from arbplatform.core.errors import IllegalTransition

S, E = TransferState, TransferEvent

ALLOWED = {
    (S.UNAPPROVED, E.APPROVE, S.TESTING),
    (S.UNAPPROVED, E.REFUSE, S.FAILED),
    (S.TESTING, E.RELEASE, S.REQUESTED),
    (S.TESTING, E.REFUSE, S.FAILED),
    (S.REQUESTED, E.CLAIM, S.SUBMITTING),
    (S.REQUESTED, E.REFUSE, S.FAILED),
    (S.REQUESTED, E.WAIT, S.WAITING),
    (S.WAITING, E.WAIT, S.WAITING),
    (S.WAITING, E.CLAIM, S.SUBMITTING),
    (S.WAITING, E.REFUSE, S.FAILED),
    (S.SUBMITTING, E.ACCEPT, S.SUBMITTED),
    (S.SUBMITTING, E.DEPART, S.IN_TRANSIT),
    (S.SUBMITTING, E.ARRIVE, S.ARRIVED),
    (S.SUBMITTING, E.REFUSE, S.FAILED),
    (S.SUBMITTING, E.LOSE_TRACK, S.UNKNOWN),
    (S.UNKNOWN, E.LOSE_TRACK, S.UNKNOWN),
    (S.UNKNOWN, E.ACCEPT, S.SUBMITTED),
    (S.UNKNOWN, E.DEPART, S.IN_TRANSIT),
    (S.UNKNOWN, E.ARRIVE, S.ARRIVED),
    (S.UNKNOWN, E.REFUSE, S.FAILED),
    (S.SUBMITTED, E.ACCEPT, S.SUBMITTED),
    (S.SUBMITTED, E.DEPART, S.IN_TRANSIT),
    (S.SUBMITTED, E.ARRIVE, S.ARRIVED),
    (S.SUBMITTED, E.REFUSE, S.FAILED),
    (S.IN_TRANSIT, E.DEPART, S.IN_TRANSIT),
    (S.IN_TRANSIT, E.ARRIVE, S.ARRIVED),
    (S.IN_TRANSIT, E.REFUSE, S.FAILED),
    (S.UNKNOWN, E.MISMATCH, S.DISPUTED),
    (S.SUBMITTED, E.MISMATCH, S.DISPUTED),
    (S.IN_TRANSIT, E.MISMATCH, S.DISPUTED),
    (S.DISPUTED, E.ARRIVE, S.ARRIVED),
}


@pytest.mark.parametrize(("state", "event"), list(product(S, E)))
def test_every_state_takes_exactly_the_allowed_events(state, event):
    targets = [after for before, what, after in ALLOWED if (before, what) == (state, event)]

    if targets:
        assert TRANSFER_TRANSITIONS.next_state(state, event) is targets[0]
    else:
        with pytest.raises(IllegalTransition):
            TRANSFER_TRANSITIONS.next_state(state, event)


def test_only_what_was_never_sent_can_be_claimed_so_nothing_is_ever_sent_twice():
    assert TRANSFER_TRANSITIONS.sources(E.CLAIM) == {S.REQUESTED, S.WAITING}
    unsent = {S.UNAPPROVED, S.TESTING, S.REQUESTED, S.WAITING}
    assert unsent == UNSENT_STATES
    assert all(before in unsent for before, _, after in ALLOWED if after in unsent)


def test_arrived_and_failed_are_the_only_ends():
    assert set(LIVE_STATES) == set(S) - {S.ARRIVED, S.FAILED}


def test_the_ledger_is_not_told_what_is_not_known():
    assert {S.REQUESTED, S.WAITING, S.SUBMITTING, S.UNKNOWN}.isdisjoint(BOOKED_STATES)


def test_pauses_between_look_ups_grow_up_to_a_bound():
    pauses = [lookup_delay(count).total_seconds() for count in range(50)]

    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (1, LOOKUP_DELAY_MAX_S)


def test_so_many_look_ups_as_absence_needs_fit_into_the_time_that_it_needs():
    total_s = sum(lookup_delay(count).total_seconds() for count in range(ABSENT_LOOKUPS_MIN))

    assert total_s < ABSENT_AGE_MIN.total_seconds()
