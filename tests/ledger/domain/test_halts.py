"""What may be sent under which trading states."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbplatform.core.errors import IllegalTransition
from ledger.domain.halts import (
    EVERYTHING,
    TRADING_TRANSITIONS,
    HaltLevel,
    HaltScope,
    TradeScope,
    TradingEvent,
    TradingState,
    may_send,
    strictest,
)

STATES = st.sampled_from(TradingState)


@given(state=STATES)
def test_the_switch_works_in_every_state(state):
    assert TRADING_TRANSITIONS.next_state(state, TradingEvent.HALT) is TradingState.HALTED


def test_nothing_can_be_resumed_that_is_active():
    with pytest.raises(IllegalTransition):
        TRADING_TRANSITIONS.next_state(TradingState.ACTIVE, TradingEvent.RESUME)


@given(states=st.lists(STATES))
def test_the_strictest_state_counts(states):
    expected = TradingState.ACTIVE
    for state in (TradingState.REDUCING, TradingState.HALTED):
        if state in states:
            expected = state

    assert strictest(states) is expected
    assert strictest(reversed(states)) is expected


@given(states=st.lists(STATES), is_reducing=st.booleans())
def test_one_more_state_never_allows_what_was_forbidden(states, is_reducing):
    for state in TradingState:
        if may_send(strictest([*states, state]), is_reducing=is_reducing):
            assert may_send(strictest(states), is_reducing=is_reducing)


@pytest.mark.parametrize(
    ("state", "increasing", "reducing"),
    [
        (TradingState.ACTIVE, True, True),
        (TradingState.REDUCING, False, True),
        (TradingState.HALTED, False, False),
    ],
)
def test_what_may_be_sent_follows_from_the_state(state, increasing, reducing):
    assert may_send(state, is_reducing=False) is increasing
    assert may_send(state, is_reducing=True) is reducing


def test_an_order_is_covered_by_everything_its_venue_its_account_and_its_strategy():
    found = ("global", "venue:1", "account:2", "venue_state:1", "account_key:2")
    assert TradeScope(1, 2, 3).keys == (*found, "strategy:3")
    assert TradeScope(1, 2).keys == found
    assert EVERYTHING.key == "global"
    assert HaltScope(HaltLevel.VENUE, 7).key == "venue:7"
