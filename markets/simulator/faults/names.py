"""Names of the venue's endpoints, for people who plan faults."""

from collections.abc import Mapping

Address = tuple[str, str]
"""Method and path below the venue."""
SYSTEM_STATUS = "sapi/v1/system/status"
GROUP_MARK = ".*"

ADDRESSES: Mapping[str, tuple[Address, ...]] = {
    "order.create": (("POST", "api/v3/order"),),
    "order.test": (("POST", "api/v3/order/test"),),
    "order.query": (("GET", "api/v3/order"),),
    "order.cancel": (("DELETE", "api/v3/order"),),
    "order.cancel_all": (("DELETE", "api/v3/openOrders"),),
    "orders.open": (("GET", "api/v3/openOrders"),),
    "orders.all": (("GET", "api/v3/allOrders"),),
    "trades.own": (("GET", "api/v3/myTrades"),),
    "account": (("GET", "api/v3/account"),),
    "account.fees": (
        ("GET", "api/v3/account/commission"),
        ("GET", "sapi/v1/asset/tradeFee"),
        ("GET", "sapi/v1/bnbBurn"),
    ),
    "account.permissions": (("GET", "sapi/v1/account/apiRestrictions"),),
    "funding": (("POST", "sapi/v1/asset/get-funding-asset"),),
    "transfer.create": (("POST", "sapi/v1/asset/transfer"),),
    "transfer.list": (("GET", "sapi/v1/asset/transfer"),),
    "withdrawal.create": (("POST", "sapi/v1/capital/withdraw/apply"),),
    "withdrawal.list": (("GET", "sapi/v1/capital/withdraw/history"),),
    "deposit.address": (("GET", "sapi/v1/capital/deposit/address"),),
    "deposit.list": (("GET", "sapi/v1/capital/deposit/hisrec"),),
    "coins": (("GET", "sapi/v1/capital/config/getall"),),
    "markets": (("GET", "api/v3/exchangeInfo"),),
    "depth": (("GET", "api/v3/depth"),),
    "ticker": (
        ("GET", "api/v3/ticker/24hr"),
        ("GET", "api/v3/ticker/price"),
        ("GET", "api/v3/ticker/bookTicker"),
    ),
    "trades": (
        ("GET", "api/v3/trades"),
        ("GET", "api/v3/historicalTrades"),
        ("GET", "api/v3/aggTrades"),
    ),
    "candles": (("GET", "api/v3/klines"), ("GET", "api/v3/uiKlines")),
    "time": (("GET", "api/v3/time"),),
    "ping": (("GET", "api/v3/ping"),),
    "status": (("GET", SYSTEM_STATUS),),
    "listen_key": (
        ("POST", "api/v3/userDataStream"),
        ("PUT", "api/v3/userDataStream"),
        ("DELETE", "api/v3/userDataStream"),
    ),
}


def addresses_of(name: str) -> frozenset[Address]:
    """Return what a name stands for; ``order.*`` stands for all that begin with ``order.``.

    A path such as ``api/v3/order``, alone or behind a method, stands for itself; a method of ``""``
    is any.

    Raises:
        ValueError: nothing has the name.
    """
    if "/" in name:
        method, _, path = name.rpartition(" ")
        return frozenset({(method.upper(), path.lstrip("/"))})
    if name.endswith(GROUP_MARK):
        start = name.removesuffix("*")
        found = [
            address for key in ADDRESSES if key.startswith(start) for address in ADDRESSES[key]
        ]
    else:
        found = list(ADDRESSES.get(name, ()))
    if not found:
        raise ValueError(
            f"there is no endpoint {name}: use a path or one of {', '.join(ADDRESSES)}"
        )
    return frozenset(found)
