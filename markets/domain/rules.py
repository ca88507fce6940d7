"""The rules of a market, as its venue enforces them."""

from dataclasses import dataclass

from arbplatform.core.decimals import Amount, Price, Quantity
from markets.domain.fees import FeeSchedule


@dataclass(frozen=True, slots=True)
class MarketRules:
    """What an order on this market must obey, and what it costs.

    Attributes:
        venue: code of the venue.
        symbol: unified symbol.
        base, quote: asset codes.
        tick: price grid [quote per base].
        lot: quantity grid [base].
        quantity_min: smallest order [base].
        quantity_max: largest order [base]; ``None`` is unlimited.
        notional_min: smallest quantity x price [quote].
        fees: maker and taker fee and their coin.
        is_active: whether the venue trades it now.
    """

    venue: str
    symbol: str
    base: str
    quote: str
    tick: Price
    lot: Quantity
    quantity_min: Quantity
    quantity_max: Quantity | None
    notional_min: Amount
    fees: FeeSchedule
    is_active: bool = True
