"""A reply that is cut off is half an answer, so the order is UNKNOWN and looked up."""

from tests.ledger.faults.wire import events


def test_half_a_reply_proves_nothing(wire):
    wire.fault("truncate")

    order = wire.send()

    assert events()[-1] == "order_unknown"
    wire.assert_found_and_booked_once(order)
