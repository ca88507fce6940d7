"""When an execution went as planned, and when an order says nothing certain yet."""

from decimal import Decimal as D

import pytest

from arbplatform.core.errors import Message
from ledger.domain.orders import LIVE_STATES, OrderState
from strategies.domain.outcomes import (
    Outcome,
    are_as_planned,
    is_short,
    planned_leftovers,
)

PLAN = [
    {"side": "buy", "quantity": "0.4"},
    {"side": "sell", "quantity": "1.5"},
    {"side": "sell", "quantity": "20"},
]


def filled(leg_index, side, quantity):
    return Outcome(
        leg_index, side, D(quantity), OrderState.FILLED, D(quantity), D(quantity), Message("")
    )


ALL = [filled(0, "buy", "0.40"), filled(1, "sell", "1.5"), filled(2, "sell", "20")]


def test_every_leg_filled_as_it_was_decided_is_as_planned():
    assert are_as_planned(ALL, PLAN)


@pytest.mark.parametrize(
    "orders",
    [
        ALL[:2],
        [*ALL, filled(2, "sell", "20")],
        # as many orders as legs, but the third leg was never sent and the second was reversed
        [*ALL[:2], filled(1, "buy", "1.5")],
        [*ALL[:2], filled(2, "buy", "20")],
        [*ALL[:2], filled(2, "sell", "19")],
        [*ALL[:2], ALL[2]._replace(state=OrderState.CANCELED)],
        # one of its trades was reversed
        [*ALL[:2], ALL[2]._replace(voided=D("0.1"))],
        # more than was ordered
        [*ALL[:2], ALL[2]._replace(filled=D("20.1"), booked=D("20.1"))],
    ],
)
def test_anything_else_is_not(orders):
    assert not are_as_planned(orders, PLAN)


@pytest.mark.parametrize("state", sorted(LIVE_STATES))
def test_an_order_without_an_end_is_open(state):
    assert ALL[0]._replace(state=state).is_open


def test_an_order_is_open_until_all_that_it_filled_is_booked():
    assert ALL[0]._replace(booked=D("0.39")).is_open
    assert not ALL[0].is_open


def test_a_plan_says_what_it_leaves_over_without_the_dust_that_it_takes_along():
    plan = [
        {"side": "buy", "expected_spent": "100", "expected_received": "0.999"},
        {"side": "sell", "expected_spent": "1.1", "expected_received": "120", "carried": "0.2"},
    ]

    left = planned_leftovers(plan, [("BTC", "USDT"), ("BTC", "USDT")])

    assert left == {"BTC": D("0.099"), "USDT": D(20)}


@pytest.mark.parametrize(
    ("movements", "expected"),
    [
        ({"USDT": "-5", "BTC": "0"}, False),
        ({"USDT": "5", "BTC": "0.1"}, False),
        ({"USDT": "5", "BTC": "-0.00000001"}, True),
    ],
)
def test_an_execution_is_short_of_what_left_and_did_not_come_back(movements, expected):
    assert is_short({code: D(amount) for code, amount in movements.items()}, "USDT") is expected
