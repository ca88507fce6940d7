"""A connection that breaks before the reply says nothing about the order: it is looked up."""

from ledger.domain.orders import OrderState


def test_broken_after_the_venue_took_the_order_it_is_found(wire):
    wire.fault("drop_answer")

    wire.assert_found_and_booked_once(wire.send())


def test_broken_before_the_venue_got_the_order_it_is_absent_only_when_that_is_certain(wire, clock):
    wire.fault("drop_request")

    order = wire.send()

    clock.at_ms = int(order.submitted_at.timestamp() * 1_000)
    wire.assert_absent_only_after_half_a_minute(order, clock)


def test_a_connection_that_never_came_about_is_a_definite_no(wire):
    wire.simulator.stop()

    order = wire.send()

    assert order.state == OrderState.REJECTED
    assert "Nothing was changed" in str(order.to_error())
