"""Many orders are cancelled one by one: none of them keeps the others waiting."""

from decimal import Decimal as D

import pytest
from django.db import IntegrityError

from accounts.models import VenueAccount
from ledger.domain.halts import EVERYTHING, TradingEvent
from ledger.domain.orders import OrderState
from ledger.models import Order
from ledger.services.halts import change_trading
from ledger.services.journal import submit_orders, write_orders
from ledger.services.kill import HANGING_MS, cancel_halted_orders, stop_trading
from markets.domain.orders import TimeInForce, VenueOrderStatus
from markets.errors import OutcomeUnknown, VenueClosed, VenueUnavailable
from markets.models import Venue

pytestmark = pytest.mark.django_db

TIMEOUT = OutcomeUnknown(venue="alpha", cause="no answer within the time limit")
AWAY = VenueUnavailable(venue="alpha", cause="no answer within the time limit")


@pytest.fixture
def resting(make_plan, alpha, beta):
    """Three orders at alpha and one at beta, which is the newest; everything is halted."""
    market = beta[0].venue.markets.get(symbol="BTC/USDT")
    there = {"account_id": beta[0].pk, "market_id": market.pk}
    for _account, fake in (alpha, beta):
        fake.fill_fraction, fake.rest_status = D(0), VenueOrderStatus.OPEN
    plans = [
        make_plan(leg, time_in_force=TimeInForce.GTC, **(there if leg == 3 else {}))
        for leg in range(4)
    ]
    ids = [order.pk for order in write_orders(plans=plans)]
    assert {order.state for order in submit_orders(order_ids=ids)} == {OrderState.OPEN}
    change_trading(event=TradingEvent.HALT, scope=EVERYTHING, reason="a test")
    alpha[1].calls.clear()
    beta[1].calls.clear()
    return ids


def states():
    return list(Order.objects.order_by("pk").values_list("state", flat=True))


@pytest.mark.parametrize("failures", [{"cancel_order": [AWAY]}, {"cancel_order": [TIMEOUT]}])
def test_a_venue_that_hangs_is_asked_once_and_others_are_served(
    resting, alpha, beta, failures, clock
):
    alpha[1].failures.update({"fetch_order": [AWAY], **failures})
    alpha[1].on_call = lambda _name: clock.advance_ms(HANGING_MS + 1)

    cancel_halted_orders(clock=clock)

    assert states() == ["open", "open", "open", "canceled"]
    assert alpha[1].calls.count("cancel_order") == 1
    alpha[1].failures.clear()
    alpha[1].on_call = lambda _name: None
    assert cancel_halted_orders(clock=clock) == []


def test_a_venue_that_refuses_one_order_is_asked_to_cancel_the_others(resting, alpha):
    closed = VenueClosed(venue="alpha", cause="the market is under maintenance")

    for _sweep in range(2):
        alpha[1].failures["cancel_order"] = [closed]
        cancel_halted_orders()

    assert states() == ["open", "canceled", "canceled", "canceled"]


def test_an_order_that_was_never_sent_needs_no_venue(resting, alpha, clock):
    Order.objects.filter(pk=resting[2]).update(state=OrderState.PENDING)
    alpha[1].failures.update({"cancel_order": [AWAY]})
    alpha[1].on_call = lambda _name: clock.advance_ms(HANGING_MS + 1)

    cancel_halted_orders(clock=clock)

    assert states() == ["open", "open", "rejected", "canceled"]


def test_a_venue_that_did_not_answer_comes_last_from_then_on(resting, alpha, beta):
    Order.objects.filter(account=beta[0]).update(error_code=None)
    Order.objects.filter(account=alpha[0]).update(error_code=VenueUnavailable.code)
    asked = []
    for code, fake in (("alpha", alpha[1]), ("beta", beta[1])):
        fake.on_call = lambda name, code=code: asked.append(f"{code} {name}")

    cancel_halted_orders()

    cancelled = [call for call in asked if call.endswith(" cancel_order")]
    assert cancelled == ["beta cancel_order", *["alpha cancel_order"] * 3]


def test_an_order_that_breaks_what_it_touches_keeps_no_other_from_being_cancelled(
    resting, alpha, monkeypatch
):
    def break_first(name):
        if name == "cancel_order":
            alpha[1].on_call = lambda _name: None
            monkeypatch.setattr(Order, "to_request", refuse)

    def refuse(_order):
        monkeypatch.undo()
        raise IntegrityError

    alpha[1].on_call = break_first

    left = cancel_halted_orders()

    assert states() == ["open", "canceled", "canceled", "canceled"]
    assert [order.pk for order in left] == resting[:1]


@pytest.mark.parametrize("model", [VenueAccount, Venue])
def test_what_is_switched_off_is_no_reason_to_leave_its_orders_there(resting, model):
    model.objects.update(is_enabled=False)

    assert cancel_halted_orders() == []

    assert set(states()) == {"canceled"}


def test_an_order_that_was_taken_and_left_meanwhile_does_not_break_the_switch(
    make_plan, alpha, monkeypatch
):
    """The list was read; then its sender claimed it, the venue took it, and now it is away."""
    alpha[1].fill_fraction, alpha[1].rest_status = D(0), VenueOrderStatus.OPEN
    (order,) = write_orders(plans=[make_plan(time_in_force=TimeInForce.GTC)])
    submit_orders(order_ids=[order.pk])
    alpha[1].failures["cancel_order"] = [AWAY]
    rows = [list(Order.objects.all()), list(Order.objects.all())]
    monkeypatch.setattr(
        "ledger.services.kill.list_live_orders", lambda *_args, **_more: rows.pop(0)
    )

    report = stop_trading(reason="a test")

    assert (report.withdrawn, [row.pk for row in report.open]) == ([], [order.pk])
