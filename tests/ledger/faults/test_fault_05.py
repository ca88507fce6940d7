"""A page instead of an answer, with status 200, is neither an order nor an empty account."""

import pytest

from ledger.domain.orders import OrderState
from markets.domain.funds import Wallet
from markets.errors import VenueUnavailable
from markets.gateway.factory import gateway_for


def test_a_page_instead_of_an_acknowledgement_leaves_the_order_unknown(wire):
    wire.fault("html")

    order = wire.send()

    assert "the answer is not JSON" in str(order.to_error())
    wire.assert_found_and_booked_once(order)


def test_a_page_instead_of_a_look_up_is_no_miss(wire):
    wire.fault("drop_answer")
    order = wire.send()
    wire.fault("html", path="", method="GET", times=None)

    for _ in range(4):
        order = wire.look_up(order)

    assert (order.state, order.miss_count) == (OrderState.UNKNOWN, 0)
    wire.simulator.control.clear_faults("alpha")
    wire.assert_found_and_booked_once(order)


def test_a_page_instead_of_balances_is_a_failed_read(wire):
    account = wire.account
    gateway = gateway_for(account.venue.to_spec(), account.to_credentials())
    wire.fault("html", path="api/v3/account", method="GET")

    with pytest.raises(VenueUnavailable):
        gateway.fetch_balances(Wallet.SPOT)

    wire.assert_exact()
