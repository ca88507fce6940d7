"""A request as a target of faults: read only as far as an armed fault asks."""

from collections.abc import Callable
from functools import cached_property

from markets.simulator.exchange.orders import Order
from markets.simulator.protocol.params import Params, parse_query
from markets.simulator.venue import Venue


def read_texts(*texts: str) -> Params:
    """Return the parameters in a query string and a form."""
    found: Params = {}
    for text in texts:
        parse_query(text, found)
    return found


class RequestTarget:
    """A request that a fault may strike.

    Args:
        venue: whom it is for.
        address: method and path below the venue.
        read_params: returns the parameters; called at most once.
        api_key: who says to have sent it.
    """

    def __init__(
        self,
        venue: Venue,
        address: tuple[str, str],
        read_params: Callable[[], Params],
        api_key: str | None,
    ) -> None:
        self.address = address
        self._venue = venue
        self._read_params = read_params
        self._api_key = api_key

    @cached_property
    def params(self) -> Params:
        """What was sent."""
        return self._read_params()

    @property
    def market_id(self) -> str:
        """The market that the request names."""
        return self.params.get("symbol", "")

    @property
    def side(self) -> str:
        """The side that the request names, or that of the order that it is about."""
        named = self.params.get("side", "").lower()
        if named:
            return named
        order = self._order
        return "" if order is None else ("buy" if order.is_buy else "sell")

    @property
    def account(self) -> str:
        """The label of the key's account; not proven yet."""
        key = self._venue.keys.get(self._api_key or "")
        return "" if key is None else key.account.label

    @property
    def stream(self) -> str:
        """None: a request belongs to no stream."""
        return ""

    @property
    def asset(self) -> str:
        """The asset that the request names."""
        return self.params.get("coin") or self.params.get("asset", "")

    @property
    def _order(self) -> Order | None:
        owner = self._venue.engine.accounts.get(self.account)
        number = self.params.get("orderId", "")
        if owner is None:
            return None
        if number.isdecimal():
            return owner.orders.get(int(number))
        return owner.by_client_id.get(self.params.get("origClientOrderId", ""))
