"""A venue in cancel-only mode gets nothing that opens; repairs and cancellations still go."""

from decimal import Decimal as D

import pytest

from accounts.models import VenueAccount
from ledger.domain.halts import HaltLevel, HaltScope, TradingEvent, TradingState
from ledger.domain.orders import OrderState
from ledger.errors import TradingGuarded, TradingHalted
from ledger.models import LogEntry, Order, TradingHalt
from ledger.services.conditions import heed_conditions, heed_venue
from ledger.services.halts import change_trading
from ledger.services.journal import cancel_order, submit_orders, write_orders
from markets.domain.health import RECOVERIES_MIN, VenueState
from markets.domain.orders import Side, TimeInForce
from markets.errors import VenueClosed
from markets.gateway import factory
from markets.models import Venue
from markets.services.health import keep_health, watch_venues
from tests.ledger.faults.elsewhere import SYMBOL, open_elsewhere, plan_at
from tests.markets.fakes.kraken import FakeKraken
from tests.markets.fakes.server import Reply


class CancelOnlyKraken(FakeKraken):
    """It takes no new orders while ``is_closed``."""

    is_closed = False
    account: VenueAccount

    def respond(self, request):
        if request.path.endswith("SystemStatus"):
            status = "cancel_only" if self.is_closed else "online"
            return Reply({"error": [], "result": {"status": status}})
        if self.is_closed and request.path.endswith("AddOrder"):
            return Reply({"error": ["EService:Market in cancel_only mode"]})
        return super().respond(request)


@pytest.fixture
def fake(db):
    venue = CancelOnlyKraken()
    venue.set_book(SYMBOL, bids=[("49990", "1")], asks=[("50010", "1")])
    with venue.running() as url:
        venue.account = open_elsewhere(venue, "kraken", url)
        yield venue
        factory.close_all()


def send(fake, **fields):
    plan = plan_at(fake.account, Side.BUY, "0.5", fields.pop("price", "50010"), **fields)
    return submit_orders(order_ids=[write_orders(plans=[plan])[0].pk])[0]


def close(fake):
    """Let the venue close, which an order of ours is the first to meet."""
    fake.is_closed = True
    order = send(fake)
    keep_health(venue=Venue.objects.get())
    heed_venue(venue_id=fake.account.venue_id)
    return order


def test_the_order_that_met_it_is_a_definite_no(fake):
    order = close(fake)

    assert (order.state, order.error_code) == (OrderState.REJECTED, VenueClosed.code)
    assert fake.orders == {}
    assert Venue.objects.get().state == VenueState.CANCEL_ONLY


def test_nothing_that_opens_is_written_or_sent_any_more(fake):
    close(fake)
    before = len(fake.server.requests)

    with pytest.raises(TradingGuarded, match="kraken, by its state") as denial:
        send(fake)

    assert denial.value.code == 4072
    assert "Reason: cancellations only: it says: EService:" in str(denial.value)
    assert isinstance(denial.value, TradingHalted)
    assert Order.objects.count() == 1
    assert len(fake.server.requests) == before


def test_repairs_and_cancellations_still_go(fake):
    resting = send(fake, price="49000", time_in_force=TimeInForce.GTC)
    close(fake)
    fake.is_closed = False

    done = cancel_order(order_id=resting.pk)
    repair = send(fake, is_reducing=True)

    assert done.state == OrderState.CANCELED
    assert (repair.state, repair.filled_quantity) == (OrderState.FILLED, D("0.5"))


def test_it_stays_so_for_a_minute_though_its_other_answers_are_well(fake):
    close(fake)
    fake.is_closed = False

    for _ in range(2 * RECOVERIES_MIN):
        watch_venues()

    assert Venue.objects.get().state == VenueState.CANCEL_ONLY


def test_it_goes_on_by_itself_when_the_venue_is_well(fake, monkeypatch):
    close(fake)
    fake.is_closed = False
    monkeypatch.setattr("markets.domain.health.NOTICE_MS", 0)
    for _ in range(RECOVERIES_MIN):
        watch_venues()

    heed_conditions()

    assert Venue.objects.get().state == VenueState.HEALTHY
    assert send(fake).state == OrderState.FILLED
    changes = TradingHalt.objects.get().changes.order_by("pk")
    assert [change.event for change in changes] == ["reduce", "resume"]
    assert {change.changed_by for change in changes} == {"system"}
    assert LogEntry.objects.filter(event="trading_reducing").count() == 1


def test_what_a_person_halted_stays_halted(fake, superuser):
    scope = HaltScope(HaltLevel.VENUE, fake.account.venue_id)
    change_trading(event=TradingEvent.HALT, scope=scope, reason="by hand", user=superuser)
    Venue.objects.update(state=VenueState.DEGRADED)
    heed_conditions()
    Venue.objects.update(state=VenueState.HEALTHY)

    heed_conditions()
    heed_conditions()

    states = dict(TradingHalt.objects.values_list("level", "state"))
    assert states == {"venue": TradingState.HALTED, "venue_state": TradingState.ACTIVE}


def test_no_person_resumes_what_the_platform_found(fake, console, staff_api):
    close(fake)
    key = f"venue_state:{fake.account.venue_id}"

    console.post("/admin/ledger/tradinghalt/resume/", {"scope": key, "reason": "now"})
    body = {"level": "venue_state", "target_id": fake.account.venue_id, "reason": "now"}
    answer = staff_api.post("/api/risk/resume", body, format="json")
    page = console.get("/admin/ledger/tradinghalt/").content.decode()

    assert answer.status_code == 404
    assert TradingHalt.objects.get().state == TradingState.REDUCING
    assert "It goes on by itself when the cause is gone." in page


def test_a_blocked_venue_is_halted_and_a_deleted_one_forgotten(fake):
    Venue.objects.update(state=VenueState.BLOCKED, state_reason="it refused our place")

    assert heed_venue(venue_id=fake.account.venue_id) is TradingState.HALTED
    assert heed_venue(venue_id=987_654) is TradingState.ACTIVE
    assert str(TradingHalt.objects.get().to_reason()) == "blocked: it refused our place"
