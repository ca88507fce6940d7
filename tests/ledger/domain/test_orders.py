"""The life of an order, as tables and rules."""

from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbplatform.core.errors import IllegalTransition
from ledger.domain.orders import (
    DETAIL_DELAY_MAX_MS,
    LIVE_STATES,
    LOOKUP_DELAYS_MS,
    ORDER_TRANSITIONS,
    OrderEvent,
    OrderState,
    absorb,
    detail_delay_ms,
    event_of,
    is_absence_proven,
    lookup_delay_ms,
)
from markets.domain.orders import VenueOrderStatus

S, E, V = OrderState, OrderEvent, VenueOrderStatus


@pytest.mark.parametrize("state", [s for s in S if s is not S.PENDING])
def test_only_a_pending_order_can_be_claimed(state):
    assert ORDER_TRANSITIONS.next_state(S.PENDING, E.CLAIM) is S.SUBMITTING
    with pytest.raises(IllegalTransition):
        ORDER_TRANSITIONS.next_state(state, E.CLAIM)


def test_nothing_leads_back_to_pending_or_submitting_but_the_claim():
    targets = {
        (source, event): target
        for (source, event), target in ORDER_TRANSITIONS.edges.items()
        if target in {S.PENDING, S.SUBMITTING}
    }

    assert targets == {(S.PENDING, E.CLAIM): S.SUBMITTING}


def test_a_filled_order_is_final():
    assert [state for state in S if ORDER_TRANSITIONS.is_terminal(state)] == [S.FILLED]


def test_states_in_which_money_may_move():
    assert {S.PENDING, S.SUBMITTING, S.OPEN, S.UNKNOWN} == LIVE_STATES


@pytest.mark.parametrize(
    ("state", "event", "after"),
    [
        (S.SUBMITTING, E.ACKNOWLEDGE, S.OPEN),
        (S.OPEN, E.ACKNOWLEDGE, S.OPEN),
        (S.UNKNOWN, E.FILL, S.FILLED),
        (S.SUBMITTING, E.LOSE_TRACK, S.UNKNOWN),
        # late or repeated reports
        (S.FILLED, E.ACKNOWLEDGE, S.FILLED),
        (S.FILLED, E.CANCEL, S.FILLED),
        (S.FILLED, E.REFUSE, S.FILLED),
        (S.CANCELED, E.ACKNOWLEDGE, S.CANCELED),
        (S.CANCELED, E.REFUSE, S.CANCELED),
        (S.OPEN, E.LOSE_TRACK, S.OPEN),
        # a report that overrules what we thought
        (S.CANCELED, E.FILL, S.FILLED),
        (S.REJECTED, E.FILL, S.FILLED),
        (S.REJECTED, E.CANCEL, S.CANCELED),
        (S.OPEN, E.REFUSE, S.REJECTED),
    ],
)
def test_a_report_changes_only_what_it_can(state, event, after):
    assert absorb(state, event) is after


@pytest.mark.parametrize(
    ("status", "filled", "event"),
    [
        (V.OPEN, "0", E.ACKNOWLEDGE),
        (V.OPEN, "0.4", E.ACKNOWLEDGE),
        (V.OPEN, "1", E.FILL),
        (V.FILLED, "1", E.FILL),
        (V.FILLED, "0.9", E.FILL),
        (V.CANCELED, "0", E.CANCEL),
        (V.CANCELED, "0.9", E.CANCEL),
        (V.CANCELED, "1", E.FILL),
        (V.CANCELED, "1.1", E.FILL),
        (V.REJECTED, "0", E.REFUSE),
        (V.REJECTED, "0.1", E.CANCEL),
    ],
)
def test_what_a_report_means(status, filled, event):
    meant = event_of(status=status, quantity=D(1), filled=D(filled), is_filled_known=True)

    assert meant is event


@pytest.mark.parametrize("status", [V.CANCELED, V.REJECTED])
def test_an_end_of_which_nobody_knows_what_was_filled_is_none(status):
    def meant(filled):
        return event_of(status=status, quantity=D(1), filled=D(filled), is_filled_known=False)

    assert [meant(filled) for filled in ("0", "0.4", "1")] == [E.ACKNOWLEDGE] * 2 + [E.FILL]


def test_lookups_of_a_live_order_widen_to_half_a_minute():
    assert [lookup_delay_ms(count) for count in range(8)] == [
        500, 1_000, 2_000, 5_000, 10_000, 30_000, 30_000, 30_000,
    ]  # fmt: skip


def test_lookups_of_details_widen_to_an_hour():
    assert [detail_delay_ms(count) for count in (0, 4, 5, 6, 7, 11, 12, 10**9)] == [
        500, 10_000, 30_000, 60_000, 120_000, 1_920_000, 3_600_000, 3_600_000,
    ]  # fmt: skip


@given(count=st.integers(0, 10_000))
def test_delays_never_shrink_and_are_bounded(count):
    assert LOOKUP_DELAYS_MS[0] <= lookup_delay_ms(count) <= lookup_delay_ms(count + 1)
    assert detail_delay_ms(count) <= detail_delay_ms(count + 1) <= DETAIL_DELAY_MAX_MS


@pytest.mark.parametrize(
    ("miss_count", "span_ms", "is_proven"),
    [(3, 30_000, True), (4, 31_000, True), (2, 60_000, False), (3, 29_999, False), (1, 0, False)],
)
def test_absence_needs_three_misses_over_thirty_seconds(miss_count, span_ms, is_proven):
    assert is_absence_proven(miss_count=miss_count, missed_for_ms=span_ms) is is_proven
