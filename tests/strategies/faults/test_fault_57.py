"""A venue that refuses an order has its markets read again, and the next tick decides by them."""

from datetime import timedelta
from decimal import Decimal as D

import pytest
from celery import current_app
from django.conf import settings

from arbplatform.core.clock import SYSTEM_CLOCK
from ledger.models import Order
from markets.errors import InsufficientFunds, VenueAuthFailed, VenueRejected
from markets.models import Market, Venue
from strategies.models import Execution
from tests.strategies.faults.play import tick

pytestmark = pytest.mark.django_db


@pytest.fixture
def reloaded(monkeypatch, django_capture_on_commit_callbacks):
    """Return a function that runs a tick and returns the venues whose markets are read again."""
    messages = []
    monkeypatch.setattr(
        current_app, "send_task", lambda name, kwargs: messages.append((name, kwargs))
    )

    def run(strategy):
        with django_capture_on_commit_callbacks(execute=True):
            tick(strategy)
        wanted = [kwargs for name, kwargs in messages if name == "markets.sync_markets"]
        return {kwargs["venue_id"] for kwargs in wanted}

    return run


@pytest.fixture
def old(accounts):
    """Markets that were read an hour ago."""
    Venue.objects.update(synced_at=SYSTEM_CLOCK.now() - timedelta(hours=1))


def refuse(venue, error):
    def hook(request):
        raise error

    venue.before_submit = hook


def test_a_refused_order_has_the_markets_of_its_venue_read_again(cross, edge, old, reloaded):
    refuse(edge["beta"], VenueRejected(venue="beta", cause="Filter failure: LOT_SIZE"))

    assert reloaded(cross) == {Venue.objects.get(code="beta").pk}


@pytest.mark.parametrize("error", [InsufficientFunds, VenueAuthFailed])
def test_a_refusal_for_another_reason_says_nothing_about_the_filters(
    cross, edge, old, reloaded, error
):
    refuse(edge["beta"], error(venue="beta", cause="no"))

    assert reloaded(cross) == set()


def test_markets_that_were_just_read_are_not_read_again(cross, edge, reloaded):
    refuse(edge["beta"], VenueRejected(venue="beta", cause="Filter failure: LOT_SIZE"))

    assert reloaded(cross) == set()


def test_the_next_tick_decides_anew_by_the_new_rules_and_sends_no_old_order(cross, edge, old):
    for code in ("alpha", "beta"):
        refuse(edge[code], VenueRejected(venue=code, cause="Filter failure: LOT_SIZE"))
    tick(cross)
    refused = set(Order.objects.values_list("client_order_id", flat=True))
    for code in ("alpha", "beta"):
        edge[code].before_submit = None
    # what the task does: rules as the venue states them now
    Market.objects.update(lot=D("0.001"), quantity_min=D("0.001"))
    Venue.objects.update(synced_at=SYSTEM_CLOCK.now())

    execution = tick(cross)

    sent = execution.orders.all()
    assert {order.quantity % D("0.001") for order in sent} == {0}
    assert not refused & {order.client_order_id for order in sent}
    assert Execution.objects.count() == 2


def test_markets_are_read_every_hour_in_any_case():
    schedule = settings.CELERY_BEAT_SCHEDULE["markets: synchronise markets"]

    assert schedule["schedule"] == timedelta(hours=1)
