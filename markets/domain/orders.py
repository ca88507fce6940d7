"""Orders and fills as a venue understands and reports them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from arbplatform.core.decimals import Amount, Price, Quantity


class Side(StrEnum):
    """The direction of an order."""

    BUY = "buy"
    SELL = "sell"


class OrderKind(StrEnum):
    """How the price of an order is meant."""

    LIMIT = "limit"
    MARKET = "market"


class TimeInForce(StrEnum):
    """How long an order may rest."""

    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    POST_ONLY = "post_only"


SIDES: Final = {side.value: side for side in Side}
ORDER_KINDS: Final = {kind.value: kind for kind in OrderKind}
TIMES_IN_FORCE: Final = {time.value: time for time in TimeInForce}
"""By what rows say: to call the class instead takes ten times as long."""


class VenueOrderStatus(StrEnum):
    """What a venue says about an order, reduced to what matters."""

    OPEN = "open"
    FILLED = "filled"
    CANCELED = "canceled"
    """Ended without being wholly filled: cancelled, expired, IOC remainder.

    A venue that states of such an order what it filled as its size says so all the same.
    """
    REJECTED = "rejected"


class EndCause(StrEnum):
    """Why a venue ended an order by itself, as far as it matters."""

    SELF_TRADE = "self_trade"
    """It met another order of the same account."""
    WOULD_TAKE = "would_take"
    """It was post-only and would have traded at once."""


Write = Callable[[], None]
"""Writes a request that is complete to its open connection."""

LetGo = Callable[[Write], bool]
"""Writes a request if it may leave, and says whether it did."""


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """An order to be sent.

    Attributes:
        symbol: unified symbol.
        side: buy or sell.
        quantity: [base], on the lot grid.
        client_order_id: ours, unique for ever.
        kind: limit or market.
        price: limit [quote per base], on the tick grid; ``None`` for market orders.
        time_in_force: how long a limit order may rest.
        send_before_ms: reading of the monotonic clock after which it must not leave any more [ms];
            ``None``: it may leave whenever its turn comes.
        let_go: called by the gateway when the request is ready, with what writes it to the venue;
            may wait, and returns whether it was written, in this thread or another one.
            ``False``: it must not leave. What writing raises is raised here. A request that is
            repeated since the venue refused its time stamp asks again.
    """

    symbol: str
    side: Side
    quantity: Quantity
    client_order_id: str
    kind: OrderKind = OrderKind.LIMIT
    price: Price | None = None
    time_in_force: TimeInForce = TimeInForce.IOC
    send_before_ms: float | None = field(default=None, compare=False)
    let_go: LetGo | None = field(default=None, compare=False, repr=False)

    def leaving(self, *, send_before_ms: float, let_go: LetGo) -> "OrderRequest":
        """Return the same order as it is sent; ``dataclasses.replace`` takes four times as long.

        Args:
            send_before_ms: see above [ms].
            let_go: see above.
        """
        return OrderRequest(
            self.symbol,
            self.side,
            self.quantity,
            self.client_order_id,
            self.kind,
            self.price,
            self.time_in_force,
            send_before_ms,
            let_go,
        )


@dataclass(frozen=True, slots=True)
class VenueFill:
    """One execution that a venue reports (its "trade").

    Attributes:
        venue_trade_id: the venue's id, unique per account and market.
        venue_order_id: the order it belongs to.
        symbol: unified symbol.
        side: buy or sell.
        price: [quote per base].
        quantity: [base].
        fee: what was taken [units of ``fee_asset``]; ``None`` when the venue did not say (yet).
        fee_asset: code of the asset of the fee.
        is_maker: whether our order was resting; ``None`` when unknown.
        executed_at_ms: [ms since epoch, venue clock].
        cost: [quote] when the venue states it; else price x quantity.
    """

    venue_trade_id: str
    venue_order_id: str
    symbol: str
    side: Side
    price: Price
    quantity: Quantity
    fee: Amount | None
    fee_asset: str | None
    is_maker: bool | None
    executed_at_ms: int
    cost: Amount | None = None


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """An order as its venue reports it.

    Attributes:
        venue_order_id: the venue's id, never empty.
        client_order_id: ours, when the venue echoes it.
        symbol: unified symbol.
        side: buy or sell.
        status: reduced state.
        quantity: ordered [base].
        filled_quantity: executed so far [base]; zero where the venue does not say.
        price: limit [quote per base].
        average_price: of the executed part [quote per base].
        fills: executions that came with the answer; empty when the venue sends none.
        updated_at_ms: [ms since epoch, venue clock].
        end_cause: why it ended short, if the venue says and it matters.
        end_words: the venue's own words for that; may be empty.
        is_filled_stated: whether the venue says how much was executed.
    """

    venue_order_id: str
    client_order_id: str | None
    symbol: str
    side: Side
    status: VenueOrderStatus
    quantity: Quantity
    filled_quantity: Quantity
    price: Price | None = None
    average_price: Price | None = None
    fills: tuple[VenueFill, ...] = ()
    updated_at_ms: int | None = None
    end_cause: EndCause | None = None
    end_words: str = ""
    is_filled_stated: bool = True
