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


class Look(NamedTuple):
    """An answer over REST that showed a book.

    Attributes:
        asked_at_ms: when it was asked for [ms since epoch, our clock].
        made_at_ms: when the venue says that it made the answer; ``None``: it does not say, so the
            answer may come from a store of old ones [ms since epoch, the venue's clock].
    """

    asked_at_ms: int
    made_at_ms: int | None

    def proves_at_ms(self, offset_ms: int | None) -> int | None:
        """Return as of when the answer proves the book [ms since epoch, our clock].

        An answer is as old as the venue says that it is, so one out of a store of old answers
        proves nothing new. One that does not say so proves nothing at all, and neither does any
        as long as the venue's clock was not measured.

        Args:
            offset_ms: our clock minus the venue's; ``None``: not measured [ms].

        >>> Look(300, 200).proves_at_ms(50), Look(300, 200).proves_at_ms(None)
        (250, None)
        """
        if self.made_at_ms is None or offset_ms is None:
            return None
        return min(self.asked_at_ms, self.made_at_ms + offset_ms)


@dataclass(frozen=True, slots=True)
class Book:
    """Bids and asks of one market at one moment.

    Attributes:
        venue: code of the venue.
        symbol: unified symbol.
        bids: best (highest) first.
        asks: best (lowest) first.
        received_at_ms: when we had it; of a live book, when its connection last gave a sign of
            life [ms since epoch, our clock].
        venue_time_ms: when the venue says it was made [ms since epoch, its clock].
        sequence: the venue's own number of this state.
        heard_at_ms: when the venue last told something about this market by itself, or was asked
            for the snapshot that the book begins with; ``None``: it was read over REST as it is
            [ms since epoch, our clock].
        look: the newest answer over REST that shows this very book, if there is one.
    """

    venue: str
    symbol: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    received_at_ms: int
    venue_time_ms: int | None = None
    sequence: int | None = None
    heard_at_ms: int | None = None
    look: Look | None = None

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
