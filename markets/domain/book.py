"""Order books as immutable values."""

from dataclasses import dataclass
from typing import NamedTuple

from arbplatform.core.decimals import Price, Quantity


class Level(NamedTuple):
    """One price step of a book.

    Attributes:
        price: [quote per base].
        quantity: what can be traded there [base].
    """

    price: Price
    quantity: Quantity


@dataclass(frozen=True, slots=True)
class Book:
    """Bids and asks of one market at one moment.

    Attributes:
        venue: code of the venue.
        symbol: unified symbol.
        bids: best (highest) first.
        asks: best (lowest) first.
        received_at_ms: when we had it [ms since epoch, our clock].
        venue_time_ms: when the venue says it was made [ms since epoch, its clock].
        sequence: the venue's own number of this state.
    """

    venue: str
    symbol: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    received_at_ms: int
    venue_time_ms: int | None = None
    sequence: int | None = None

    @property
    def best_bid(self) -> Level | None:
        """The highest bid, if there is any."""
        return self.bids[0] if self.bids else None

    @property
    def best_ask(self) -> Level | None:
        """The lowest ask, if there is any."""
        return self.asks[0] if self.asks else None

    @property
    def is_crossed(self) -> bool:
        """Whether the best bid reaches the best ask: such a book is broken or out of date."""
        return bool(self.bids and self.asks and self.bids[0].price >= self.asks[0].price)

    def age_ms(self, now_ms: int) -> int:
        """Return how long ago we received the book [ms]."""
        return now_ms - self.received_at_ms
