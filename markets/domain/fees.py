"""What a trade costs, and in which coin."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from arbplatform.core.decimals import Fraction


class FeeMode(StrEnum):
    """The coin in which a venue takes its fee."""

    QUOTE = "quote"
    """In the quote asset, on both sides."""
    RECEIVED = "received"
    """In the asset that the trade brings: base on a buy, quote on a sell. Usual for spot."""
    GIVEN = "given"
    """In the asset that the trade costs, on top: quote on a buy, base on a sell."""


FEE_MODES: Final = {mode.value: mode for mode in FeeMode}
"""By what rows say: to call the class instead takes ten times as long."""


@dataclass(frozen=True, slots=True)
class FeeSchedule:
    """Fees of one market for one account.

    Attributes:
        maker: of a resting order, a fraction of the amount traded; negative is a rebate.
        taker: of a crossing order, a fraction of the amount traded.
        mode: the coin in which they are taken.
    """

    maker: Fraction
    taker: Fraction
    mode: FeeMode = FeeMode.RECEIVED
