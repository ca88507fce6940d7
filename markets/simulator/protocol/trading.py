"""Orders and the account: what a trading key may ask."""

import re
import secrets
from decimal import Decimal
from typing import Any

from markets.domain.orders import OrderKind, Side, TimeInForce
from markets.simulator.exchange.accounts import Account
from markets.simulator.exchange.admission import admit
from markets.simulator.exchange.listing import Listing
from markets.simulator.exchange.orders import (
    DEFAULT_SELF_TRADE,
    Order,
    OrderRefused,
    SelfTrade,
    Ticket,
)
from markets.simulator.exchange.units import format_units
from markets.simulator.faults.config import FaultConfig
from markets.simulator.faults.fees import discount_of
from markets.simulator.faults.kinds import FaultKind
from markets.simulator.faults.plan import Thing
from markets.simulator.protocol import codes, forms
from markets.simulator.protocol.params import (
    Call,
    Params,
    read_decimal,
    read_int,
    read_limit,
    require,
    require_decimal,
    require_listing,
)

ROWS_DEFAULT = 500
ROWS_MAX = 1_000
_CLIENT_ID = re.compile(r"[a-zA-Z0-9\-_]{1,36}")
_SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}
_TIMES_IN_FORCE = {"GTC": TimeInForce.GTC, "IOC": TimeInForce.IOC, "FOK": TimeInForce.FOK}
_SELF_TRADES = {rule.value: rule for rule in SelfTrade}
_FORMS = frozenset({"ACK", "RESULT", "FULL"})


def new_order(call: Call) -> dict[str, Any]:
    """Take an order; its client id must never have been used by the account."""
    listing = require_listing(call)
    form = _form_of(call.params)
    ticket = _read_ticket(call.params)
    try:
        outcome = call.venue.place(call.account, listing, ticket)
    except OrderRefused as refusal:
        raise _to_wire(refusal, ticket) from None
    order = outcome.order
    assert order is not None  # noqa: S101 - an order was placed
    own = [execution for execution in outcome.executions if execution.order is order]
    return forms.placed_order(order, own, form)


def test_order(call: Call) -> dict[str, Any]:
    """Check an order as ``new_order`` does, and do not take it."""
    listing = require_listing(call)
    _form_of(call.params)
    ticket = _read_ticket(call.params)
    try:
        call.venue.check_open(call.account, listing, ticket.side)
        admit(call.account, listing, ticket, call.venue.clock.now_ms())
    except OrderRefused as refusal:
        raise _to_wire(refusal, ticket) from None
    return {}


def query_order(call: Call) -> dict[str, Any]:
    """Return an order by either id."""
    return forms.queried_order(_find_order(call, codes.UNKNOWN_ORDER))


def cancel_order(call: Call) -> dict[str, Any]:
    """Cancel a live order by either id."""
    order = _find_order(call, codes.UNKNOWN_ORDER_TO_CANCEL)
    cancel_id = _read_client_id(call.params, "newClientOrderId") or secrets.token_hex(11)
    if not call.venue.cancel(order):
        raise codes.UNKNOWN_ORDER_TO_CANCEL
    return forms.cancelled_order(order, cancel_id)


def cancel_open_orders(call: Call) -> list[dict[str, Any]]:
    """Cancel all live orders of one market."""
    listing = require_listing(call)
    live = list(call.account.open_orders.get(listing.id, {}).values())
    if not live:
        raise codes.UNKNOWN_ORDER_TO_CANCEL
    cancelled = []
    for order in live:
        call.venue.cancel(order)
        cancelled.append(forms.cancelled_order(order, secrets.token_hex(11)))
    return cancelled


def open_orders(call: Call) -> list[dict[str, Any]]:
    """Return live orders of one market or all."""
    account = call.account
    if "symbol" in call.params:
        chosen = [account.open_orders.get(require_listing(call).id, {})]
    else:
        chosen = list(account.open_orders.values())
    found = [order for orders in chosen for order in orders.values()]
    return [forms.queried_order(order) for order in sorted(found, key=lambda order: order.id)]


def all_orders(call: Call) -> list[dict[str, Any]]:
    """Return orders of one market, live and ended, oldest first."""
    listing = require_listing(call)
    from_id = read_int(call.params, "orderId")
    start_ms, end_ms = read_int(call.params, "startTime"), read_int(call.params, "endTime")
    found = [
        order
        for order in call.account.orders.values()
        if order.listing is listing
        and (from_id is None or order.id >= from_id)
        and (start_ms is None or order.created_ms >= start_ms)
        and (end_ms is None or order.created_ms <= end_ms)
    ]
    found.sort(key=lambda order: order.id)
    limit = read_limit(call.params, ROWS_DEFAULT, ROWS_MAX)
    is_forward = from_id is not None or start_ms is not None
    return [
        forms.queried_order(order) for order in (found[:limit] if is_forward else found[-limit:])
    ]


def my_trades(call: Call) -> list[dict[str, Any]]:
    """Return own executions on one market, oldest first."""
    listing = require_listing(call)
    order_id, from_id = read_int(call.params, "orderId"), read_int(call.params, "fromId")
    start_ms, end_ms = read_int(call.params, "startTime"), read_int(call.params, "endTime")
    found = [
        execution
        for execution in call.account.trades.get(listing.id, ())
        if (order_id is None or execution.order.id == order_id)
        and (from_id is None or execution.id >= from_id)
        and (start_ms is None or execution.at_ms >= start_ms)
        and (end_ms is None or execution.at_ms <= end_ms)
    ]
    limit = read_limit(call.params, ROWS_DEFAULT, ROWS_MAX)
    is_forward = from_id is not None or start_ms is not None
    return [
        forms.own_trade(execution)
        for execution in (found[:limit] if is_forward else found[-limit:])
    ]


def account(call: Call) -> dict[str, Any]:
    """Return balances and rights of the spot account."""
    owner = call.account
    listings = list(call.venue.listings.values())
    maker = max((listing.rules.maker_fee for listing in listings), default=Decimal(0))
    taker = max((listing.rules.taker_fee for listing in listings), default=Decimal(0))
    permissions = call.key.permissions if call.key else frozenset()
    hide_zero = call.params.get("omitZeroBalances") == "true"
    return {
        "makerCommission": int(maker * 10_000),
        "takerCommission": int(taker * 10_000),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {
            "maker": f"{maker:.8f}",
            "taker": f"{taker:.8f}",
            "buyer": "0.00000000",
            "seller": "0.00000000",
        },
        "canTrade": "trade" in permissions,
        "canWithdraw": "withdraw" in permissions,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": call.venue.clock.now_ms(),
        "accountType": "SPOT",
        "balances": [
            {
                "asset": asset,
                "free": format_units(free),
                "locked": format_units(owner.held[asset]),
            }
            for asset, free in owner.free.items()
            if not hide_zero or free or owner.held[asset]
        ],
        "permissions": ["SPOT"],
        "uid": uid_of(owner),
    }


def uid_of(owner: Account) -> int:
    """Return a number that stands for an account."""
    return int.from_bytes(owner.label.encode()[:6].ljust(6, b"\0"), "big")


def commission(call: Call) -> dict[str, Any]:
    """Return the account's fees on one market."""
    listing = require_listing(call)
    rates = {
        "maker": f"{listing.rules.maker_fee:.8f}",
        "taker": f"{listing.rules.taker_fee:.8f}",
        "buyer": "0.00000000",
        "seller": "0.00000000",
    }
    nothing = dict.fromkeys(rates, "0.00000000")
    chosen = _fee_coin(call, listing.id)
    return {
        "symbol": listing.id,
        "standardCommission": rates,
        "specialCommission": nothing,
        "taxCommission": nothing,
        "discount": {
            "enabledForAccount": chosen is not None,
            "enabledForSymbol": chosen is not None,
            "discountAsset": "BNB" if chosen is None else chosen.coin,
            "discount": f"{discount_of(chosen):.8f}",
        },
    }


def fee_coin(call: Call) -> dict[str, Any]:
    """Return whether the account pays fees in the venue's coin."""
    return {"spotBNBBurn": _fee_coin(call, "") is not None, "interestBNBBurn": False}


def _fee_coin(call: Call, market_id: str) -> FaultConfig | None:
    target = Thing(market_id=market_id, account=call.account.label)
    return call.venue.faults.shows(FaultKind.FEE_COIN, target)


def _form_of(params: Params) -> str:
    form = params.get("newOrderRespType", "FULL")
    if form not in _FORMS:
        raise codes.illegal("newOrderRespType", "ACK|RESULT|FULL")
    return form


def _read_ticket(params: Params) -> Ticket:
    side = _SIDES.get(require(params, "side"))
    if side is None:
        raise codes.BAD_SIDE
    kind = require(params, "type")
    if kind not in {"LIMIT", "LIMIT_MAKER", "MARKET"}:
        raise codes.BAD_ORDER_TYPE
    if "icebergQty" in params:
        raise codes.filter_failure("ICEBERG_PARTS")
    client_id = _read_client_id(params, "newClientOrderId")
    self_trade = _read_self_trade(params)
    if kind == "MARKET":
        return _read_market_ticket(params, side, client_id, self_trade)
    return Ticket(
        side=side,
        quantity=require_decimal(params, "quantity"),
        price=require_decimal(params, "price"),
        time_in_force=_read_time_in_force(params, kind),
        client_id=client_id,
        self_trade=self_trade,
    )


def _read_market_ticket(
    params: Params, side: Side, client_id: str, self_trade: SelfTrade
) -> Ticket:
    for name in ("price", "timeInForce"):
        if name in params:
            raise codes.not_required(name)
    quantity = read_decimal(params, "quantity")
    quote_quantity = read_decimal(params, "quoteOrderQty")
    if quantity is None and quote_quantity is None:
        raise codes.missing_either("quantity", "quoteOrderQty")
    if quantity is not None and quote_quantity is not None:
        raise codes.not_required("quoteOrderQty")
    return Ticket(
        side=side,
        quantity=quantity,
        kind=OrderKind.MARKET,
        client_id=client_id,
        quote_quantity=quote_quantity,
        self_trade=self_trade,
    )


def _read_time_in_force(params: Params, kind: str) -> TimeInForce:
    if kind == "LIMIT_MAKER":
        if "timeInForce" in params:
            raise codes.not_required("timeInForce")
        return TimeInForce.POST_ONLY
    found = _TIMES_IN_FORCE.get(require(params, "timeInForce"))
    if found is None:
        raise codes.BAD_TIME_IN_FORCE
    return found


def _read_client_id(params: Params, name: str) -> str:
    client_id = params.get(name, "")
    if client_id and not _CLIENT_ID.fullmatch(client_id):
        raise codes.illegal(name, "^[a-zA-Z0-9-_]{1,36}$")
    return client_id


def _read_self_trade(params: Params) -> SelfTrade:
    named = params.get("selfTradePreventionMode", DEFAULT_SELF_TRADE.value)
    rule = _SELF_TRADES.get(named)
    if rule is None:
        raise codes.illegal("selfTradePreventionMode", "|".join(_SELF_TRADES))
    return rule


def _to_wire(refusal: OrderRefused, ticket: Ticket) -> codes.WireError:
    error = codes.BY_REFUSAL[refusal.reason]
    if ticket.kind is OrderKind.MARKET and error.text.endswith(" LOT_SIZE"):
        return codes.filter_failure("MARKET_LOT_SIZE")
    return error


def _find_order(call: Call, absent: codes.WireError) -> Order:
    listing: Listing = require_listing(call)
    order_id = read_int(call.params, "orderId")
    client_id = call.params.get("origClientOrderId")
    if order_id is None and not client_id:
        raise codes.missing_either("origClientOrderId", "orderId")
    owner = call.account
    if order_id is not None:
        order = owner.orders.get(order_id)
        if order is not None and client_id and order.client_id != client_id:
            order = None
    else:
        order = owner.by_client_id.get(client_id or "")
    if order is None or order.listing is not listing:
        raise absent
    return order
