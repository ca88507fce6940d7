"""What a venue tells the owner of a key as it happens: orders, executions, balances.

Such an event is a hint and never the whole truth: the connection may have been away, and what it
says is looked up over REST before it is booked.
"""

import decimal
import logging
from collections.abc import Mapping
from typing import Any

from arbplatform.core.decimals import PRECISION_DIGITS
from markets.domain.book_side import UNREADABLE
from markets.domain.orders import VenueFill, VenueOrder
from markets.gateway import order_data
from markets.gateway.base import Credentials, VenueSpec
from markets.gateway.ccxt_stream import VenueStreams
from markets.gateway.error_map import Malformed
from markets.gateway.order_calls import own_id
from markets.gateway.quirks import quirks_for

logger = logging.getLogger(__name__)


class PrivateStreams(VenueStreams):
    """The private streams of one key.

    Args:
        spec: how to reach the venue.
        credentials: whose account.
        timeout_ms: for connecting and for REST requests that streams need [ms].
    """

    def __init__(
        self,
        spec: VenueSpec,
        credentials: Credentials,
        *,
        timeout_ms: int,
    ) -> None:
        super().__init__(spec, credentials, timeout_ms=timeout_ms)
        self._quirks = quirks_for(spec.ccxt_id)

    def tells(self, ability: str) -> bool:
        """Return whether the venue has such a stream: ``watchOrders`` and the like."""
        return bool(self.exchange.has.get(ability))

    async def orders(self) -> list[VenueOrder]:
        """Return the orders that the next event is about; what cannot be read is left out.

        Raises:
            ccxt.BaseError: they cannot be watched, or the connection broke off.
        """
        rows = await self.exchange.watch_orders()
        return [order for row in rows if (order := self._order(row)) is not None]

    async def fills(self) -> list[VenueFill]:
        """Return the executions that the next event is about; likewise."""
        rows = await self.exchange.watch_my_trades()
        return [fill for row in rows if (fill := self._fill(row)) is not None]

    async def balances(self) -> None:
        """Return when a balance has changed; by how much is asked for over REST."""
        await self.exchange.watch_balance()

    def _order(self, row: Mapping[str, Any]) -> VenueOrder | None:
        try:
            with decimal.localcontext(prec=PRECISION_DIGITS):
                return order_data.parse_order(
                    {**row, "clientOrderId": own_id(row, self._quirks)},
                    symbol=str(row.get("symbol")),
                    venue_order_id=None,
                    client_order_id=None,
                )
        except (Malformed, *UNREADABLE) as error:
            logger.warning("%s told of an order that cannot be read: %s", self.spec.code, error)
            return None

    def _fill(self, row: Mapping[str, Any]) -> VenueFill | None:
        try:
            with decimal.localcontext(prec=PRECISION_DIGITS):
                return order_data.parse_fill(row, symbol=str(row.get("symbol")))
        except (Malformed, *UNREADABLE) as error:
            logger.warning("%s told of a trade that cannot be read: %s", self.spec.code, error)
            return None
