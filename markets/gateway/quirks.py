"""How venues differ on the wire, as data; what they can do is in ``capabilities``.

No module but these two names a venue.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from markets.domain.fees import FeeMode
from markets.domain.funds import Wallet


class Lookup(StrEnum):
    """How an order is found by our own id."""

    BY_PARAM = "by_param"
    """``fetch_order`` takes the client id in its parameters."""
    BY_SEARCH = "by_search"
    """Open and closed orders are listed and searched for it."""


class Paging(StrEnum):
    """How a history is read that is longer than one answer."""

    UNKNOWN = "unknown"
    """Nobody tried it out: an answer that may not be all is none."""
    FORWARD = "forward"
    """An answer holds the oldest rows since a time: the next one begins where it ends."""
    BACKWARD = "backward"
    """An answer holds the newest rows of a span: older ones are asked for by its end."""
    OFFSET = "offset"
    """An answer holds the newest rows of all markets: older ones by how many to leave out."""


class BookStamp(StrEnum):
    """What of an answer over REST says when the venue made the book in it.

    It is the only defence against an answer out of a store: such a one agrees with a live book
    that stands still, however often it is asked for.
    """

    NONE = "none"
    """Nothing: the answer may be of any age."""
    BODY = "body"
    """The answer itself, where ccxt reads its ``timestamp`` from."""
    HTTP_DATE = "http_date"
    """The headers ``Date`` and ``Age``. They tell of stores on the way only; so the venue has to
    document that it answers from memory."""


@dataclass(frozen=True, slots=True)
class PermissionProbe:
    """One call that tells what an API key may do.

    Attributes:
        method: name of ccxt's implicit method.
        path: keys that lead from the answer to the dict that holds the flags.
        flags: our permission name to (key, word): granted when the key's value is true, or, with
            a word, when the value (a list or comma-separated text) contains it.
    """

    method: str
    path: tuple[str | int, ...] = ()
    flags: Mapping[str, tuple[str, str]] = field(default_factory=dict)


SPOT_ONLY: Mapping[Wallet, str] = MappingProxyType({Wallet.SPOT: "spot"})


@dataclass(frozen=True, slots=True)
class Quirks:
    """How one ccxt class differs from the common behaviour.

    Attributes:
        lookup: how an order is found by its client id.
        lookup_params: names under which a search by client id passes it to list calls.
        client_id_param: parameter of orders that carries our id.
        client_id_prefix: what the venue puts in front of it.
        can_cancel_by_client_id: ``cancel_order`` takes the client id in its parameters.
        wallets: the class's account names of the wallets that it has.
        wallet_params: whether ``fetch_balance`` takes the wallet as ``type``.
        withdraw_id_param: parameter of ``withdraw`` that carries our id; empty if there is none.
        withdraw_id_key: key of our id in the raw withdrawal record.
        withdraw_params: more parameters of ``withdraw``.
        needs_currencies: withdrawals and deposit addresses want the venue's list of networks.
        has_deposit_methods: deposit addresses belong to methods, which name their networks in words
            of their own; ccxt takes another one where it does not find the network's name.
        states_deposit_network: an answer names the network of a deposit address; else ccxt guesses.
        is_withdrawal_fee_on_top: ``withdraw`` takes what shall arrive; the fee leaves besides.
        is_withdrawal_amount_net: its history states what arrives, not what left.
        fee_mode: the coin of the fee, where ccxt does not say or says it wrongly.
        book_depths: the only depths that the venue takes; empty: any.
        book_stamp: what says how old the book in an answer is.
        is_nonce_strict: requests of one key must arrive one after the other.
        has_order_trades: ``fetch_order_trades`` works with nothing but the order's id.
        order_params: more parameters of ``fetch_order``.
        paging: how histories of orders and executions are read on.
        page_size: rows of one answer of theirs, where ccxt does not say it.
        end_step_ms: how exactly the end of a span is understood [ms].
        offset_param: parameter that says how many rows to leave out.
        funds_rows_max: rows of one answer about deposits or withdrawals that may be asked for.
        permission_probe: what tells the rights of a key.
        clock_codes: definite refusals for nothing but the time stamp or nonce.
        auth_codes: definite refusals of the key, where ccxt does not know them for that.
        rate_codes: definite refusals for nothing but the rate, made before the matching engine.
        order_count_codes: those of them that say this account sent too many orders.
        lockout_codes: definite refusals after which the venue wants silence, and how long [ms].
        duplicate_codes: "an order with this client id exists".
        absent_codes: "there is no such open order", where ccxt does not know them for that.
        closed_codes: definite refusals because the venue, or a market, takes no such orders now.
        unfillable_codes: "it could not be filled at once", where ccxt does not know them for that.
        taking_codes: "it is post-only and would have taken", likewise.
        unclear_codes: codes of writes that may have been carried out in spite of the error.
        options: ccxt options of this class.
    """

    lookup: Lookup = Lookup.BY_SEARCH
    lookup_params: tuple[str, ...] = ()
    client_id_param: str = "clientOrderId"
    client_id_prefix: str = ""
    can_cancel_by_client_id: bool = False
    wallets: Mapping[Wallet, str] = field(default_factory=lambda: SPOT_ONLY)
    wallet_params: bool = False
    withdraw_id_param: str = ""
    withdraw_id_key: str = ""
    withdraw_params: Mapping[str, Any] = field(default_factory=dict)
    needs_currencies: bool = True
    has_deposit_methods: bool = False
    states_deposit_network: bool = True
    is_withdrawal_fee_on_top: bool = False
    is_withdrawal_amount_net: bool = False
    fee_mode: FeeMode | None = None
    book_depths: tuple[int, ...] = ()
    book_stamp: BookStamp = BookStamp.NONE
    is_nonce_strict: bool = False
    has_order_trades: bool = True
    order_params: Mapping[str, Any] = field(default_factory=dict)
    paging: Paging = Paging.UNKNOWN
    page_size: int | None = None
    end_step_ms: int = 1
    offset_param: str = ""
    funds_rows_max: int = 200
    permission_probe: PermissionProbe | None = None
    clock_codes: frozenset[str] = frozenset()
    auth_codes: frozenset[str] = frozenset()
    rate_codes: frozenset[str] = frozenset()
    order_count_codes: frozenset[str] = frozenset()
    lockout_codes: Mapping[str, int] = field(default_factory=dict)
    duplicate_codes: frozenset[str] = frozenset()
    absent_codes: frozenset[str] = frozenset()
    closed_codes: frozenset[str] = frozenset()
    unfillable_codes: frozenset[str] = frozenset()
    taking_codes: frozenset[str] = frozenset()
    unclear_codes: frozenset[str] = frozenset()
    options: Mapping[str, Any] = field(default_factory=dict)


_BINANCE = Quirks(
    lookup=Lookup.BY_PARAM,
    can_cancel_by_client_id=True,
    wallets={Wallet.SPOT: "spot", Wallet.FUNDING: "funding"},
    wallet_params=True,
    withdraw_id_param="withdrawOrderId",
    withdraw_id_key="withdrawOrderId",
    needs_currencies=False,
    states_deposit_network=False,  # ccxt takes the last network with the address's explorer
    is_withdrawal_amount_net=True,
    fee_mode=FeeMode.RECEIVED,
    paging=Paging.FORWARD,
    book_stamp=BookStamp.HTTP_DATE,  # documented as "data source: memory"
    permission_probe=PermissionProbe(
        method="sapiGetAccountApiRestrictions",
        flags={
            "read": ("enableReading", ""),
            "trade": ("enableSpotAndMarginTrading", ""),
            "withdraw": ("enableWithdrawals", ""),
            "transfer": ("permitsUniversalTransfer", ""),
            "ip_restricted": ("ipRestrict", ""),
        },
    ),
    clock_codes=frozenset({"-1021"}),
    rate_codes=frozenset({"-1003", "-1015"}),
    order_count_codes=frozenset({"-1015"}),
    duplicate_codes=frozenset({"-4116"}),
    unfillable_codes=frozenset({"-5021"}),
    taking_codes=frozenset({"-5022"}),
    unclear_codes=frozenset(
        {"-1000", "-1001", "-1004", "-1006", "-1007", "-1008", "-2021", "-2022", "-3000"}
    ),
    options={"fetchMargins": False},
)

_OKX = Quirks(
    lookup=Lookup.BY_PARAM,
    can_cancel_by_client_id=True,
    wallets={Wallet.SPOT: "trading", Wallet.FUNDING: "funding"},
    wallet_params=True,
    withdraw_id_param="clientId",
    withdraw_id_key="clientId",
    is_withdrawal_fee_on_top=True,
    is_withdrawal_amount_net=True,
    fee_mode=FeeMode.RECEIVED,
    paging=Paging.BACKWARD,
    funds_rows_max=100,
    book_stamp=BookStamp.BODY,  # `ts`, "order book generation time"
    permission_probe=PermissionProbe(
        method="privateGetAccountConfig",
        path=("data", 0),
        flags={
            "read": ("perm", "read_only"),
            "trade": ("perm", "trade"),
            "withdraw": ("perm", "withdraw"),
        },
    ),
    clock_codes=frozenset({"50102", "50112"}),
    rate_codes=frozenset({"50011", "50061"}),
    duplicate_codes=frozenset({"51011", "51016"}),
    unclear_codes=frozenset({"50001", "50004", "50005", "50013", "50026", "51054", "51149"}),
)

_BYBIT = Quirks(
    lookup_params=("orderLinkId",),
    can_cancel_by_client_id=False,
    wallets={Wallet.SPOT: "unified", Wallet.FUNDING: "funding"},
    wallet_params=True,
    withdraw_id_param="requestId",
    # the fee comes out of the amount; unless told so, the venue takes it besides
    withdraw_params={"feeType": 1},
    fee_mode=FeeMode.RECEIVED,
    paging=Paging.BACKWARD,
    funds_rows_max=50,
    book_stamp=BookStamp.BODY,  # `ts`, "that the system generates the data"
    order_params={"acknowledged": True},
    permission_probe=PermissionProbe(
        method="privateGetV5UserQueryApi",
        path=("result", "permissions"),
        flags={
            "trade": ("Spot", "SpotTrade"),
            "withdraw": ("Wallet", "Withdraw"),
            "transfer": ("Wallet", "AccountTransfer"),
        },
    ),
    clock_codes=frozenset({"10002"}),
    rate_codes=frozenset({"10006", "10018", "170222"}),
    order_count_codes=frozenset({"170222"}),
    duplicate_codes=frozenset({"10014", "110030", "110072", "12141", "170141"}),
    absent_codes=frozenset({"170142", "170143"}),
    # 170035 sounds like a refusal to ccxt and says "submitted for processing"
    unclear_codes=frozenset(
        {
            "10000",
            "10016",
            "10019",
            "170001",
            "170007",
            "170032",
            "170035",
            "170146",
            "170147",
            "170191",
        }
    ),
)

_KRAKEN_LOCKOUT = "EGeneral:Temporary lockout"
"""After too many refused requests; each further request would make it longer."""

_KRAKEN = Quirks(
    lookup_params=("cl_ord_id",),
    can_cancel_by_client_id=True,
    fee_mode=FeeMode.QUOTE,
    has_deposit_methods=True,
    is_nonce_strict=True,
    has_order_trades=False,
    paging=Paging.OFFSET,
    page_size=50,
    offset_param="ofs",
    clock_codes=frozenset({"EAPI:Invalid nonce"}),
    auth_codes=frozenset({"EAPI:Invalid signature"}),
    rate_codes=frozenset(
        {"EAPI:Rate limit exceeded", "EOrder:Rate limit exceeded", _KRAKEN_LOCKOUT}
    ),
    order_count_codes=frozenset({"EOrder:Rate limit exceeded"}),
    lockout_codes={_KRAKEN_LOCKOUT: 15 * 60_000},
    absent_codes=frozenset({"EOrder:Unknown order"}),
    closed_codes=frozenset(
        {"EService:Market in cancel_only mode", "EService:Market in post_only mode"}
    ),
    unclear_codes=frozenset(
        {
            "EService:Timeout",
            "EService:Deadline elapsed",
            "EService:Unavailable",
            "EService:Busy",
            "EGeneral:Internal error",
            "EDatabase:Internal error",
        }
    ),
)

_BITGET = Quirks(
    lookup=Lookup.BY_PARAM,
    can_cancel_by_client_id=True,
    withdraw_id_param="clientOid",
    fee_mode=FeeMode.RECEIVED,
    paging=Paging.BACKWARD,
    funds_rows_max=100,
    book_stamp=BookStamp.BODY,  # `ts`, of the matching engine
    clock_codes=frozenset({"40004", "40005", "40008"}),
    rate_codes=frozenset({"429", "1001", "30014", "30026"}),
    duplicate_codes=frozenset({"40786", "43118"}),
    closed_codes=frozenset({"41114", "43115"}),
    # "order placement failed" does not say that nothing was placed
    unclear_codes=frozenset(
        {"500", "40015", "40725", "45001", "50003", "50008", "33013", "36217", "40200"}
    ),
)

_GATE = Quirks(
    client_id_prefix="t-",
    fee_mode=FeeMode.RECEIVED,
    paging=Paging.BACKWARD,
    end_step_ms=1_000,
    funds_rows_max=100,
    book_stamp=BookStamp.BODY,  # `current`, "of the response data being generated"
    clock_codes=frozenset({"REQUEST_EXPIRED"}),
    rate_codes=frozenset({"TOO_MANY_REQUESTS", "TOO_FAST"}),
    duplicate_codes=frozenset({"REPEATED_CREATION"}),
    absent_codes=frozenset({"ORDER_CLOSED", "ORDER_CANCELLED", "ORDER_FINISHED"}),
    unclear_codes=frozenset({"INTERNAL", "SERVER_ERROR", "TOO_BUSY"}),
)

_BY_PARAM = Quirks(lookup=Lookup.BY_PARAM, can_cancel_by_client_id=True)
_BY_PARAM_CANCEL_BY_ID = Quirks(lookup=Lookup.BY_PARAM)
_HITBTC = Quirks(
    lookup=Lookup.BY_PARAM, client_id_param="client_order_id", can_cancel_by_client_id=True
)
_QUOTE_FEE = Quirks(fee_mode=FeeMode.QUOTE)

_TABLE: Mapping[str, Quirks] = {
    "binance": _BINANCE,
    "binanceus": _BINANCE,
    "okx": _OKX,
    "okxus": _OKX,
    "myokx": _OKX,
    "bybit": _BYBIT,
    "bybiteu": _BYBIT,
    "bybitid": _BYBIT,
    "kraken": _KRAKEN,
    "aster": _BY_PARAM,
    "bitget": _BITGET,
    "bitrue": _BY_PARAM,
    "bithumb": _BY_PARAM,
    "bitstamp": Quirks(lookup=Lookup.BY_PARAM, fee_mode=FeeMode.QUOTE),
    "bitvavo": Quirks(lookup=Lookup.BY_PARAM, fee_mode=FeeMode.QUOTE),
    "coinbase": _QUOTE_FEE,
    "coinbaseexchange": Quirks(
        lookup=Lookup.BY_PARAM, can_cancel_by_client_id=True, fee_mode=FeeMode.QUOTE
    ),
    "coinsph": _BY_PARAM,
    "gate": _GATE,
    "hitbtc": _HITBTC,
    "bequant": _HITBTC,
    "fmfwio": _HITBTC,
    "hashkey": _BY_PARAM,
    "htx": Quirks(
        lookup=Lookup.BY_PARAM,
        can_cancel_by_client_id=True,
        book_depths=(5, 10, 20, 150),
        fee_mode=FeeMode.RECEIVED,
    ),
    "kucoin": Quirks(
        lookup=Lookup.BY_PARAM,
        can_cancel_by_client_id=True,
        wallets={Wallet.SPOT: "trade", Wallet.FUNDING: "main"},
        wallet_params=True,
        book_depths=(20, 100),
        fee_mode=FeeMode.QUOTE,
        clock_codes=frozenset({"400002"}),
        rate_codes=frozenset({"429000"}),
    ),
    "mexc": _BY_PARAM,
    "phemex": _BY_PARAM,
    "weex": _BY_PARAM,
    "woo": _BY_PARAM,
    "bitfinex": Quirks(book_depths=(1, 25, 100), is_nonce_strict=True),
    "poloniex": Quirks(is_nonce_strict=True),
    "gemini": Quirks(is_nonce_strict=True),
}

COMMON = Quirks()


def quirks_for(ccxt_id: str) -> Quirks:
    """Return what is special about the ccxt class ``ccxt_id``."""
    return _TABLE.get(ccxt_id, COMMON)
