"""What each venue can do, as data; how they differ on the wire is in ``quirks``."""

from collections.abc import Mapping

from markets.domain.capabilities import Capabilities, Certification, ClientIdLookup, OrderLimit
from markets.domain.fees import FeeMode


def capabilities_of(ccxt_id: str) -> Capabilities:
    """Return what the venues of a ccxt class can do.

    >>> capabilities_of("kraken").is_certified, capabilities_of("bitstamp").is_certified
    (True, False)
    """
    return _TABLE.get(ccxt_id, DATA_ONLY)


def list_certified() -> list[str]:
    """Return the ccxt classes of all certified venues, by name."""
    return sorted(ccxt_id for ccxt_id, row in _TABLE.items() if row.is_certified)


DATA_ONLY = Capabilities(
    certification=Certification.DATA_ONLY,
    client_id_lookup=ClientIdLookup.UNKNOWN,
    has_ioc=None,
    has_fok=None,
    has_post_only=None,
    has_dead_man_switch=None,
    fee_mode=None,
    order_limit=OrderLimit(count=10, window_ms=10_000),
)


def _certified(
    lookup: ClientIdLookup,
    fee_mode: FeeMode,
    order_limit: OrderLimit,
    *,
    has_dead_man_switch: bool = False,
    has_dead_man_timer: bool = False,
) -> Capabilities:
    return Capabilities(
        certification=Certification.CERTIFIED,
        client_id_lookup=lookup,
        has_ioc=True,
        has_fok=True,
        has_post_only=True,
        has_dead_man_switch=has_dead_man_switch,
        fee_mode=fee_mode,
        order_limit=order_limit,
        has_dead_man_timer=has_dead_man_timer,
    )


_TABLE: Mapping[str, Capabilities] = {
    "binance": _certified(ClientIdLookup.DIRECT, FeeMode.RECEIVED, OrderLimit(50, 10_000)),
    "bitget": _certified(ClientIdLookup.DIRECT, FeeMode.RECEIVED, OrderLimit(10, 1_000)),
    "bybit": _certified(
        ClientIdLookup.BY_SEARCH, FeeMode.RECEIVED, OrderLimit(20, 1_000), has_dead_man_switch=True
    ),
    "gate": _certified(ClientIdLookup.BY_SEARCH, FeeMode.RECEIVED, OrderLimit(10, 1_000)),
    "kraken": _certified(
        ClientIdLookup.BY_SEARCH,
        FeeMode.QUOTE,
        OrderLimit(60, 60_000),
        has_dead_man_switch=True,
        has_dead_man_timer=True,
    ),
    "okx": _certified(
        ClientIdLookup.DIRECT,
        FeeMode.RECEIVED,
        OrderLimit(60, 2_000),
        has_dead_man_switch=True,
        has_dead_man_timer=True,
    ),
}
