"""An "unexpected response" inside the venue (-1006) tells nothing: the order is looked up."""

from markets.errors import OutcomeUnknown

WORDS = "An unexpected response was received from the message bus. Execution status unknown."


def test_the_order_is_looked_for_until_it_is_certain(wire, clock):
    wire.refuse(-1006, WORDS, 500)

    order = wire.send()

    assert order.error_code == OutcomeUnknown.code
    assert "Execution status unknown. [-1006]" in str(order.to_error())
    clock.at_ms = int(order.submitted_at.timestamp() * 1_000)
    wire.assert_absent_only_after_half_a_minute(order, clock)
