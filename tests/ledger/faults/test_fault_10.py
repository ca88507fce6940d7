"""ccxt never repeats a request by itself: the option is 0, whatever an operator sets."""

import pytest

from ledger.domain.orders import OrderState
from markets.gateway.base import VenueSpec
from markets.gateway.capabilities import list_certified
from markets.gateway.client import RETRY_OPTION, build_client
from markets.models import Venue

ASKING = {
    "options": {RETRY_OPTION: 3, "fetch": {RETRY_OPTION: 3}, "createOrder": {RETRY_OPTION: 3}}
}


@pytest.mark.parametrize("ccxt_id", list_certified())
def test_every_client_answers_never_to_the_question_how_often(ccxt_id):
    client = build_client(VenueSpec("v", ccxt_id, options=ASKING), None, timeout_ms=1)

    assert client.options[RETRY_OPTION] == 0
    for method in ("fetch", "fetch2", "createOrder"):
        assert client.handle_option_integer_and_params({}, method, RETRY_OPTION, 3) == (0, {})
        asked = {RETRY_OPTION: 5, "a": 1}
        assert client.handle_option_integer_and_params(asked, method, RETRY_OPTION) == (0, {"a": 1})


@pytest.mark.parametrize("kind", ["drop_answer", "drop_request", "truncate", "html"])
def test_an_order_leaves_once_although_the_venue_is_told_to_repeat(wire, kind):
    Venue.objects.filter(pk=wire.account.venue_id).update(options=ASKING)
    wire.fault(kind)

    order = wire.send()

    assert (order.state, wire.sent()) == (OrderState.UNKNOWN, 1)
