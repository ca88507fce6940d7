"""What a venue's own code says decides before the class that ccxt puts it in."""

import ccxt
import pytest

from ledger.domain.orders import OrderState
from markets.errors import InsufficientFunds, OutcomeUnknown, VenueRejected
from markets.gateway.client import exchange_class, known_codes
from markets.gateway.error_map import Effect, translate
from markets.gateway.quirks import quirks_for

BACKEND = "Timeout waiting for response from backend server. Send status unknown; unknown result."


@pytest.mark.parametrize("status", [400, 408, 500, 504])
def test_a_timeout_inside_the_venue_is_unknown_whatever_the_status(wire, clock, status):
    wire.refuse(-1007, BACKEND, status)

    order = wire.send()

    assert order.error_code == OutcomeUnknown.code
    clock.at_ms = int(order.submitted_at.timestamp() * 1_000)
    wire.assert_absent_only_after_half_a_minute(order, clock)


@pytest.mark.parametrize(
    ("code", "words", "error"),
    [
        (-1013, "Filter failure: NOTIONAL", VenueRejected),
        (-1111, "Precision is over the maximum defined for this asset.", VenueRejected),
        (-2010, "Account has insufficient balance for requested action.", InsufficientFunds),
    ],
)
def test_a_code_of_refusal_ends_the_order_at_once(wire, code, words, error):
    wire.refuse(code, words)

    order = wire.send()

    assert (order.state, order.error_code) == (OrderState.REJECTED, error.code)
    assert words.removesuffix(".") in str(order.to_error())
    assert order.next_lookup_at is None
    assert wire.venue_orders() == {}
    wire.assert_exact()


@pytest.mark.parametrize(
    ("ccxt_id", "code"),
    [("bybit", "170035"), ("bybit", "170146"), ("bitget", "33013"), ("bitget", "36217")],
)
def test_a_code_that_sounds_like_a_refusal_to_ccxt_alone_is_unknown(ccxt_id, code):
    codes = known_codes(exchange_class(ccxt_id)())
    error = codes[code](f'{ccxt_id} {{"code":"{code}","msg":"order placement failed"}}')
    assert isinstance(error, ccxt.BadRequest | ccxt.InvalidOrder)

    told = translate(error, Effect.WRITE, "v", quirks=quirks_for(ccxt_id), known_codes=codes)

    assert type(told) is OutcomeUnknown


def test_a_code_that_nobody_knows_ends_nothing(wire):
    wire.refuse(-98765, "Something that was added yesterday.")

    order = wire.send()

    assert (order.state, order.error_code) == (OrderState.UNKNOWN, OutcomeUnknown.code)
