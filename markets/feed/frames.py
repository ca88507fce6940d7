"""Recorded sessions of feeds as what a simulated venue shows."""

from collections.abc import Iterator
from pathlib import Path

from markets.feed.playback import play_session
from markets.simulator.config import ReplayConfig
from markets.simulator.replay import Frame


def open_session(config: ReplayConfig) -> Iterator[Frame]:
    """Yield a frame for every change of a book in the session, down to ``config.levels``.

    Raises:
        InvalidInput: the session cannot be read, or holds no book.
    """
    for received_ns, book in play_session(Path(config.path)):
        yield Frame(
            received_ns / 1e9,
            book.venue,
            book.bids.top(config.levels),
            book.asks.top(config.levels),
            book.symbol,
        )
