"""Turns ccxt's orders and trades into our values."""

import logging
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from arbplatform.core.decimals import ZERO
from arbplatform.core.errors import Message
from markets.domain.orders import (
    EndCause,
    OrderRequest,
    Side,
    VenueFill,
    VenueOrder,
    VenueOrderStatus,
)
from markets.gateway.answers import (
    need_echo,
    need_positive,
    need_text,
    number_or_none,
    require_mapping,
    size_or_none,
    states_emptiness,
    time_or_none,
)
from markets.gateway.error_map import Malformed

logger = logging.getLogger(__name__)

_ENDED_WORDS = frozenset({"canceled", "expired", "rejected"})


def parse_new_order(answer: object, request: OrderRequest) -> VenueOrder:
    """Return what a venue says about an order it has just been sent.

    Raises:
        Malformed: it does not prove that this order was accepted.
    """
    order = require_mapping(answer, "order")
    need_echo(order, "symbol", request.symbol)
    need_echo(order, "side", request.side.value)
    need_echo(order, "clientOrderId", request.client_order_id)
    return _order(order, symbol=request.symbol, request=request)


def check_cancellation(answer: object, raw: object) -> None:
    """Refuse an answer that does not even look like one to a cancellation.

    Raises:
        Malformed: it names no order, and the venue's own answer has no place for one.
    """
    order = require_mapping(answer, "order")
    if not (order.get("id") or order.get("clientOrderId") or states_emptiness(raw)):
        raise Malformed(Message("the answer holds no {what}", {"what": "order id"}))


def parse_order(
    answer: object, *, symbol: str, venue_order_id: str | None, client_order_id: str | None
) -> VenueOrder:
    """Return an order that was asked for by either id.

    Raises:
        Malformed: it is another one, or none.
    """
    order = require_mapping(answer, "order")
    need_echo(order, "symbol", symbol)
    if venue_order_id:
        need_echo(order, "id", venue_order_id)
    if client_order_id:
        need_echo(order, "clientOrderId", client_order_id)
    return _order(order, symbol=symbol, request=None)


def parse_fills(
    rows: Iterable[Any], *, symbol: str, order_id: str | None, is_of_order: bool
) -> list[VenueFill]:
    """Return executions, each once, oldest first.

    Args:
        rows: ccxt's trades.
        symbol: the market they must be of.
        order_id: keep only this order's, if given.
        is_of_order: ``rows`` answer a question about ``order_id``, so it may go unsaid in them.

    Raises:
        Malformed: one of them is broken.
    """
    fills = [
        parse_fill(row, symbol=symbol, order_id=order_id if is_of_order else None) for row in rows
    ]
    # the side belongs to it: both halves of a trade with oneself carry one id
    once = {
        (fill.venue_trade_id, fill.side): fill
        for fill in fills
        if order_id in {None, fill.venue_order_id}
    }
    return sorted(once.values(), key=lambda fill: fill.executed_at_ms)


def parse_fill(answer: object, *, symbol: str, order_id: str | None = None) -> VenueFill:
    """Return one execution.

    Raises:
        Malformed: without id, order, price, quantity, side or time, or with one that cannot be.
    """
    trade = require_mapping(answer, "execution")
    need_echo(trade, "symbol", symbol)
    fee, fee_asset = _fee(trade)
    executed_at_ms = time_or_none(trade.get("timestamp"))
    if executed_at_ms is None:
        raise Malformed(Message("the answer holds no {what}", {"what": "time"}))
    return VenueFill(
        venue_trade_id=need_text(trade.get("id"), "trade id"),
        venue_order_id=need_text(trade.get("order") or order_id, "order id"),
        symbol=symbol,
        side=_side(trade.get("side")),
        price=need_positive(trade.get("price"), "price"),
        quantity=need_positive(trade.get("amount"), "quantity"),
        fee=fee,
        fee_asset=fee_asset,
        is_maker={"maker": True, "taker": False}.get(str(trade.get("takerOrMaker"))),
        executed_at_ms=executed_at_ms,
        cost=size_or_none(trade.get("cost"), "cost"),
    )


def _order(order: Mapping[str, Any], *, symbol: str, request: OrderRequest | None) -> VenueOrder:
    order_id = need_text(order.get("id"), "order id")
    quantity = size_or_none(order.get("amount"), "quantity") or (
        request.quantity if request else None
    )
    # by ccxt also what follows from the rest that is left, or from the executions that came along
    stated = size_or_none(order.get("filled"), "filled quantity")
    filled = stated or ZERO
    side = _side(order.get("side") or (request.side.value if request else None))
    client_id = order.get("clientOrderId") or (request.client_order_id if request else None)
    if quantity is None:
        raise Malformed(Message("the answer holds no {what}", {"what": "quantity"}))
    fills = _fills_of(order, symbol, order_id, side)
    words = _end_words(order)
    return VenueOrder(
        venue_order_id=order_id,
        client_order_id=str(client_id) if client_id else None,
        symbol=symbol,
        side=side,
        status=_status(order.get("status"), quantity, filled),
        quantity=quantity,
        filled_quantity=filled,
        price=number_or_none(order.get("price")) or (request.price if request else None),
        average_price=(number_or_none(order.get("average")) or None) if filled else None,
        # A list that does not add up is left out: the executions are asked for instead.
        fills=fills if sum((fill.quantity for fill in fills), ZERO) == filled else (),
        updated_at_ms=time_or_none(order.get("lastUpdateTimestamp") or order.get("timestamp")),
        end_cause=_end_cause(words),
        end_words=words,
        is_filled_stated=stated is not None,
    )


_END_KEYS = (
    "cancelSourceReason", "cancelSource", "cancelType", "rejectReason", "reason", "finish_as",
    "cancelReason", "status",
)  # fmt: skip
"""Where venues say why an order ended, most telling first."""

_END_CAUSES = (
    (
        re.compile(r"in_match|self.?trade|\bstp\b|stp_|BySmp|^32$", re.IGNORECASE),
        EndCause.SELF_TRADE,
    ),
    (re.compile(r"post.?only|\bpoc\b|^31$", re.IGNORECASE), EndCause.WOULD_TAKE),
)
END_WORDS_LENGTH_MAX = 100


def _end_words(order: Mapping[str, Any]) -> str:
    """Return the venue's words for the end of an order, the first that it gives."""
    info = order.get("info")
    if order.get("status") not in _ENDED_WORDS or not isinstance(info, Mapping):
        return ""
    found = (str(info[key]).strip() for key in _END_KEYS if isinstance(info.get(key), str | int))
    return next((words for words in found if words), "")[:END_WORDS_LENGTH_MAX]


def _end_cause(words: str) -> EndCause | None:
    return next((cause for pattern, cause in _END_CAUSES if pattern.search(words)), None)


def _fills_of(
    order: Mapping[str, Any], symbol: str, order_id: str, side: Side
) -> tuple[VenueFill, ...]:
    rows = order.get("trades")
    if not isinstance(rows, list):
        return ()
    moment = order.get("lastTradeTimestamp") or order.get("timestamp")
    try:
        return tuple(
            parse_fill(
                {
                    **row,
                    "symbol": row.get("symbol") or symbol,
                    "side": row.get("side") or side.value,
                    "timestamp": row.get("timestamp") or moment,
                },
                symbol=symbol,
                order_id=order_id,
            )
            for row in rows
        )
    except Malformed:
        return ()


def _status(word: object, quantity: Decimal, filled: Decimal) -> VenueOrderStatus:
    if word == "closed":
        return VenueOrderStatus.FILLED if filled >= quantity else VenueOrderStatus.CANCELED
    if word == "rejected":
        return VenueOrderStatus.REJECTED
    if word in _ENDED_WORDS:
        return VenueOrderStatus.CANCELED  # the quantity may be what was left of it
    return VenueOrderStatus.OPEN


def _fee(trade: Mapping[str, Any]) -> tuple[Decimal | None, str | None]:
    """Return the fee of a trade, or nothing if the venue does not say it in one asset."""
    fees = [fee for fee in (trade.get("fees") or [trade.get("fee")]) if isinstance(fee, Mapping)]
    stated = [
        (cost, fee["currency"])
        for fee in fees
        if (cost := number_or_none(fee.get("cost"))) is not None and fee.get("currency")
    ]
    assets = {str(asset) for _cost, asset in stated}
    if len(assets) > 1:
        logger.warning("Trade %s has fees in %s; booked without", trade.get("id"), sorted(assets))
    if len(assets) != 1:
        return None, None
    return sum((cost for cost, _asset in stated), ZERO), assets.pop()


def _side(value: object) -> Side:
    try:
        return Side(str(value))
    except ValueError:
        raise Malformed(Message("the answer holds no {what}", {"what": "side"})) from None
