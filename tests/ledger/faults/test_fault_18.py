"""A cancellation that the venue carries out later is pending, and looked at each half second."""

from datetime import timedelta
from decimal import Decimal as D

import pytest

from ledger.domain.orders import LOOKUP_DELAYS_MS, OrderState
from ledger.models import Order
from ledger.services.journal import cancel_order, resolve_unknown, submit_orders, write_orders
from markets.domain.orders import Side, TimeInForce
from markets.gateway import factory
from tests.ledger.faults.elsewhere import SYMBOL, open_elsewhere, plan_at
from tests.markets.fakes.kraken import FakeKraken
from tests.markets.fakes.okx import FakeOkx
from tests.markets.fakes.server import Reply


class SlowOkx(FakeOkx):
    """Its order is under cancellation already when we ask."""

    def respond(self, request):
        if request.path.endswith("trade/cancel-order"):
            words = "Cancellation failed as the order is already under cancelling status"
            row = {"clOrdId": "", "ordId": "", "sCode": "51410", "sMsg": words}
            return Reply({"code": "1", "msg": "", "data": [row]})
        return super().respond(request)


class SlowKraken(FakeKraken):
    """It takes a cancellation and says that it is pending."""

    def respond(self, request):
        if request.path.endswith("CancelOrder"):
            return Reply({"error": ["EOrder:Cancel pending"]})
        return super().respond(request)


@pytest.mark.django_db
@pytest.mark.parametrize(("ccxt_id", "venue"), [("okx", SlowOkx()), ("kraken", SlowKraken())])
def test_it_is_pending_until_the_venue_shows_the_end(ccxt_id, venue, clock):
    venue.set_book(SYMBOL, bids=[("49990", "1")], asks=[("50010", "1")])
    with venue.running() as url:
        account = open_elsewhere(venue, ccxt_id, url)
        plan = plan_at(account, Side.BUY, "0.5", "49000", time_in_force=TimeInForce.GTC)
        (order,) = submit_orders(order_ids=[write_orders(plans=[plan])[0].pk])

        asked = cancel_order(order_id=order.pk, clock=clock)

        assert (asked.state, asked.is_cancelling) == (OrderState.OPEN, True)
        pause = timedelta(milliseconds=LOOKUP_DELAYS_MS[0])
        assert asked.next_lookup_at == clock.now() + pause

        (resting,) = venue.live_orders("ours-ours-ours")
        venue.cancel(resting)
        done = resolve_unknown(order_id=order.pk, clock=clock)
        factory.close_all()

    assert (done.state, done.filled_quantity, done.error) == (OrderState.CANCELED, D(0), "")
    assert Order.objects.count() == len(venue.orders) == 1
