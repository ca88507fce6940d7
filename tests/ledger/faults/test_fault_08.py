"""An overloaded venue (-1008) is believed only after a look-up; nothing is sent meanwhile."""

from ledger.domain.orders import OrderState
from markets.errors import OutcomeUnknown

WORDS = "Server is currently overloaded with other requests. Please try again in a few minutes."


def test_an_overload_is_no_refusal_before_the_order_was_looked_for(wire, clock):
    wire.refuse(-1008, WORDS, 503)

    order = wire.send()

    assert (order.state, order.error_code) == (OrderState.UNKNOWN, OutcomeUnknown.code)
    clock.at_ms = int(order.submitted_at.timestamp() * 1_000)
    wire.assert_absent_only_after_half_a_minute(order, clock)
