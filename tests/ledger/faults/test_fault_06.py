"""A 5xx page leaves a new order UNKNOWN, while a read that meets it is simply made again."""

import pytest

from markets.errors import OutcomeUnknown, VenueUnavailable
from markets.gateway.factory import gateway_for

PAGE = "<html>Web server is returning an unknown error</html>"


@pytest.mark.parametrize("status", [500, 502, 503, 520])
def test_an_order_that_met_a_gateways_page_is_looked_up(wire, clock, status):
    wire.refuse(0, PAGE, status)

    order = wire.send()

    assert order.error_code == OutcomeUnknown.code
    clock.at_ms = int(order.submitted_at.timestamp() * 1_000)
    wire.assert_absent_only_after_half_a_minute(order, clock)


def test_a_read_that_met_it_fails_and_the_next_one_succeeds(wire):
    gateway = gateway_for(wire.account.venue.to_spec())
    wire.fault("refuse", path="api/v3/depth", method="GET", code=0, text=PAGE, status=503)

    with pytest.raises(VenueUnavailable):
        gateway.fetch_book("BTC/USDT")

    assert gateway.fetch_book("BTC/USDT").asks
