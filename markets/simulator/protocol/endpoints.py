"""The table of all endpoints: address, who may call, what answers."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, NamedTuple

from markets.simulator.protocol import listen_keys, public, trading, wallet
from markets.simulator.protocol.params import Call


class Security(StrEnum):
    """How a request must prove who sends it."""

    NONE = "none"
    KEY = "key"
    """An API key in the header, no signature."""
    SIGNED = "signed"


class Endpoint(NamedTuple):
    """One thing that can be asked for.

    Attributes:
        answer: makes the JSON value of the answer.
        security: what the request must prove.
        permission: what the key must be allowed to do.
    """

    answer: Callable[[Call], Any]
    security: Security = Security.NONE
    permission: str = "read"


def _signed(answer: Callable[[Call], Any], permission: str = "read") -> Endpoint:
    return Endpoint(answer, Security.SIGNED, permission)


def _keyed(answer: Callable[[Call], Any]) -> Endpoint:
    return Endpoint(answer, Security.KEY)


ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("GET", "api/v3/ping"): Endpoint(public.ping),
    ("GET", "api/v3/time"): Endpoint(public.time),
    ("GET", "api/v3/exchangeInfo"): Endpoint(public.exchange_info),
    ("GET", "api/v3/depth"): Endpoint(public.depth),
    ("GET", "api/v3/trades"): Endpoint(public.trades),
    ("GET", "api/v3/historicalTrades"): Endpoint(public.trades),
    ("GET", "api/v3/aggTrades"): Endpoint(public.agg_trades),
    ("GET", "api/v3/klines"): Endpoint(public.klines),
    ("GET", "api/v3/uiKlines"): Endpoint(public.klines),
    ("GET", "api/v3/avgPrice"): Endpoint(public.average_price),
    ("GET", "api/v3/ticker/24hr"): Endpoint(public.ticker_24hr),
    ("GET", "api/v3/ticker/price"): Endpoint(public.price_ticker),
    ("GET", "api/v3/ticker/bookTicker"): Endpoint(public.book_ticker),
    ("GET", "fapi/v1/exchangeInfo"): Endpoint(public.no_contracts),
    ("GET", "dapi/v1/exchangeInfo"): Endpoint(public.no_contracts),
    ("GET", "sapi/v1/system/status"): Endpoint(public.system_status),
    ("POST", "api/v3/order"): _signed(trading.new_order, "trade"),
    ("POST", "api/v3/order/test"): _signed(trading.test_order, "trade"),
    ("GET", "api/v3/order"): _signed(trading.query_order),
    ("DELETE", "api/v3/order"): _signed(trading.cancel_order, "trade"),
    ("GET", "api/v3/openOrders"): _signed(trading.open_orders),
    ("DELETE", "api/v3/openOrders"): _signed(trading.cancel_open_orders, "trade"),
    ("GET", "api/v3/allOrders"): _signed(trading.all_orders),
    ("GET", "api/v3/myTrades"): _signed(trading.my_trades),
    ("GET", "api/v3/account"): _signed(trading.account),
    ("GET", "api/v3/account/commission"): _signed(trading.commission),
    ("GET", "sapi/v1/bnbBurn"): _signed(trading.fee_coin),
    ("GET", "sapi/v1/capital/config/getall"): _signed(wallet.coins),
    ("GET", "sapi/v1/margin/allPairs"): _signed(wallet.no_margin_pairs),
    ("GET", "sapi/v1/margin/isolated/allPairs"): _signed(wallet.no_margin_pairs),
    ("POST", "sapi/v1/asset/get-funding-asset"): _signed(wallet.funding_assets),
    ("GET", "sapi/v1/asset/tradeFee"): _signed(wallet.trade_fees),
    ("GET", "sapi/v1/account/apiRestrictions"): _signed(wallet.key_restrictions),
    ("POST", "sapi/v1/asset/transfer"): _signed(wallet.move_between_wallets, "transfer"),
    ("GET", "sapi/v1/asset/transfer"): _signed(wallet.wallet_transfers),
    ("GET", "sapi/v1/capital/deposit/address"): _signed(wallet.address),
    ("GET", "sapi/v1/capital/deposit/hisrec"): _signed(wallet.deposits),
    ("POST", "sapi/v1/capital/withdraw/apply"): _signed(wallet.withdraw, "withdraw"),
    ("GET", "sapi/v1/capital/withdraw/history"): _signed(wallet.withdrawals),
    ("POST", "api/v3/userDataStream"): _keyed(listen_keys.start),
    ("PUT", "api/v3/userDataStream"): _keyed(listen_keys.keep_alive),
    ("DELETE", "api/v3/userDataStream"): _keyed(listen_keys.close),
}
"""By method and path below the venue's own."""
