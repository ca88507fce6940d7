"""What a report leaves out is read, and a history that cannot be had keeps nothing back."""

from dataclasses import dataclass, field
from decimal import Decimal as D
from typing import Any

import pytest

from ledger.services.lookups import Missing, Search, Unreachable, find
from ledger.services.sending import CLOCK_TOLERANCE_MS, with_details
from markets.domain.orders import OrderRequest, Side, VenueFill, VenueOrder, VenueOrderStatus
from markets.errors import OrderAbsent, VenueRateLimited

SENT_AT_MS = 1_767_225_600_000
SINCE_MS = SENT_AT_MS - CLOCK_TOLERANCE_MS
REQUEST = OrderRequest("BTC/USDT", Side.BUY, D(3), "id-1", price=D(10))
REPORT = VenueOrder(
    venue_order_id="v-1",
    client_order_id="id-1",
    symbol="BTC/USDT",
    side=Side.BUY,
    status=VenueOrderStatus.FILLED,
    quantity=D(3),
    filled_quantity=D(3),
    price=D(10),
)


def fill(number: int, order_id: str = "v-1") -> VenueFill:
    return VenueFill(
        venue_trade_id=str(number),
        venue_order_id=order_id,
        symbol="BTC/USDT",
        side=Side.BUY,
        price=D(10),
        quantity=D(1),
        fee=D(0),
        fee_asset="USDT",
        is_maker=False,
        executed_at_ms=SENT_AT_MS + number,
    )


@dataclass
class Venue:
    """Cannot be asked for the executions of one order: it lists those of all."""

    newest: tuple[VenueFill, ...]
    whole: tuple[VenueFill, ...] | None = None
    venue: str = "alpha"
    asked: list[int | None] = field(default_factory=list)

    def fetch_fills(self, symbol, *, since_ms=None, venue_order_id=None):
        self.asked.append(since_ms)
        if since_ms is None:
            return self.newest
        if self.whole is None:
            raise VenueRateLimited(venue=self.venue, cause="our share of requests is used up")
        return self.whole

    def fetch_order(self, *, symbol, venue_order_id=None, client_order_id=None):
        raise OrderAbsent(venue=self.venue, cause="Unknown order")

    def fetch_open_orders(self, symbol=None):
        return []


ALL = (fill(1), fill(2), fill(3))


@pytest.mark.parametrize(
    ("venue", "numbers", "asked"),
    [
        (Venue(newest=(fill(9, "v-9"), *ALL)), ["1", "2", "3"], [None]),
        (Venue(newest=ALL[2:], whole=ALL), ["1", "2", "3"], [None, SINCE_MS]),
        (Venue(newest=(fill(9, "v-9"), *ALL[1:])), ["2", "3"], [None, SINCE_MS]),
        (Venue(newest=(), whole=None), [], [None, SINCE_MS]),
    ],
    ids=["newest_are_all", "history_has_more", "history_cannot_be_had", "nothing_can_be_had"],
)
def test_executions_of_a_reported_order_are_read_as_far_as_can_be(venue, numbers, asked):
    reported = with_details(venue, REQUEST, REPORT, sent_at_ms=SENT_AT_MS)

    assert [one.venue_trade_id for one in reported.fills] == numbers
    assert venue.asked == asked


def test_that_an_order_is_gone_rests_on_the_whole_history():
    search = Search(REQUEST, SENT_AT_MS, "v-1", lambda ids: ())

    venue: Any = Venue(newest=ALL)
    assert isinstance(find(venue, search), Unreachable)

    venue = Venue(newest=(), whole=ALL)
    assert find(venue, search) == Missing(ALL)
    assert venue.asked == [SINCE_MS, None]
