"""While orders rest at a venue with such a switch, it is kept armed; and disarmed afterwards."""

from decimal import Decimal as D

import pytest
from django.conf import settings

from accounts.models import VenueAccount
from ledger.domain.orders import SWITCH_MS, OrderState
from ledger.services.deadman import renew_switches
from ledger.services.journal import (
    cancel_order,
    resolve_unknown,
    submit_orders,
    write_orders,
)
from ledger.tasks import renew_dead_man_switches
from markets.domain.orders import Side, TimeInForce
from markets.gateway import factory
from markets.gateway.capabilities import capabilities_of, list_certified
from tests.ledger.faults.elsewhere import SYMBOL, open_elsewhere, plan_at
from tests.markets.fakes.kraken import FakeKraken
from tests.markets.fakes.okx import FakeOkx
from tests.markets.fakes.server import Reply


class SwitchedOkx(FakeOkx):
    """It notes the delays that its switch was set to [s]."""

    account: VenueAccount

    def __init__(self):
        super().__init__()
        self.delays_s = []

    def respond(self, request):
        if request.path.endswith("trade/cancel-all-after"):
            self._authenticate(request)
            self.delays_s.append(int(request.json["timeOut"]))
            return Reply({"code": "0", "msg": "", "data": [{"triggerTime": "1", "ts": "1"}]})
        return super().respond(request)


class SwitchedKraken(FakeKraken):
    """The same in the other protocol."""

    account: VenueAccount

    def __init__(self):
        super().__init__()
        self.delays_s = []

    def respond(self, request):
        if request.path.endswith("CancelAllOrdersAfter"):
            self._authenticate(request)
            self.delays_s.append(int(request.form["timeout"]))
            return Reply({"error": [], "result": {"currentTime": "1", "triggerTime": "2"}})
        return super().respond(request)


@pytest.fixture(params=["okx", "kraken"])
def venue(request, db):
    fake = SwitchedOkx() if request.param == "okx" else SwitchedKraken()
    fake.set_book(SYMBOL, bids=[("49990", "1")], asks=[("50010", "1")])
    with fake.running() as url:
        fake.account = open_elsewhere(fake, request.param, url)
        yield fake
        factory.close_all()


def rest(venue):
    plan = plan_at(venue.account, Side.BUY, "0.5", "49000", time_in_force=TimeInForce.GTC)
    return submit_orders(order_ids=[write_orders(plans=[plan])[0].pk])[0]


def test_it_is_armed_renewed_and_disarmed(venue):
    assert renew_switches() == []
    order = rest(venue)

    assert renew_switches() == [venue.account.pk]
    assert renew_switches() == [venue.account.pk]
    cancel_order(order_id=order.pk)
    renew_dead_man_switches()
    renew_dead_man_switches()

    assert venue.delays_s == [SWITCH_MS // 1_000, SWITCH_MS // 1_000, 0]


def test_an_order_that_cannot_rest_arms_nothing(venue):
    plan = plan_at(venue.account, Side.BUY, "0.5", "50010")
    (order,) = submit_orders(order_ids=[write_orders(plans=[plan])[0].pk])

    assert order.filled_quantity == D("0.5")
    assert renew_switches() == []
    assert venue.delays_s == []


def test_what_the_switch_cancelled_is_found_and_told(venue):
    order = rest(venue)
    renew_switches()
    venue.cancel(next(iter(venue.orders.values())))  # nobody renewed it

    ended = resolve_unknown(order_id=order.pk)

    assert ended.state == OrderState.CANCELED
    assert "ended the order by itself" in str(ended.to_error())


def test_a_switch_that_cannot_be_set_stops_nothing(venue):
    rest(venue)
    venue.server.respond = lambda _request: Reply({}, 503)

    assert renew_switches() == []


def test_it_is_renewed_several_times_before_it_strikes():
    (entry,) = [
        row
        for row in settings.CELERY_BEAT_SCHEDULE.values()
        if row["task"] == renew_dead_man_switches.name
    ]
    assert entry["schedule"].total_seconds() * 1_000 * 3 <= SWITCH_MS


@pytest.mark.parametrize("ccxt_id", list_certified())
def test_the_table_tells_where_it_works_without_a_stream(ccxt_id):
    assert capabilities_of(ccxt_id).has_dead_man_timer is (ccxt_id in {"okx", "kraken"})


def test_a_venue_without_one_is_left_alone(db):
    fake = SwitchedOkx()
    fake.set_book(SYMBOL, bids=[("49990", "1")], asks=[("50010", "1")])
    with fake.running() as url:
        account = open_elsewhere(fake, "okx", url)
        fake.account = account
        rest(fake)
        type(account.venue).objects.update(ccxt_id="binance")

        assert renew_switches() == []
        assert fake.delays_s == []
        factory.close_all()
