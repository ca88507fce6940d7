"""Which protocol a venue's order books are read by."""

from markets.gateway.wire.binance import BINANCE
from markets.gateway.wire.bitget import BITGET
from markets.gateway.wire.bybit import BYBIT
from markets.gateway.wire.gate import GATE_BY_REST, GATE_FULL
from markets.gateway.wire.kraken import KRAKEN
from markets.gateway.wire.messages import WireBook
from markets.gateway.wire.okx import OKX

_SPOT = {
    "binance": BINANCE,
    "bitget": BITGET,
    "bybit": BYBIT,
    "gate": GATE_FULL,
    "kraken": KRAKEN,
    "okx": OKX,
}
_CONTRACTS = {
    "binance": BINANCE,
    "binanceusdm": BINANCE,
    "binancecoinm": BINANCE,
    "bitget": BITGET,
    "bybit": BYBIT,
    "gate": GATE_BY_REST,
    "okx": OKX,
}


def wire_book_for(ccxt_id: str, *, is_spot: bool) -> WireBook | None:
    """Return how to read the books of a venue's markets; ``None`` if only ccxt can.

    Args:
        ccxt_id: name of the exchange's class in ccxt.
        is_spot: whether the market is a spot market.
    """
    return (_SPOT if is_spot else _CONTRACTS).get(ccxt_id)
