"""Recorded books as the house's quotes.

One line of a recording is one book: ``{"timestamp", "exchange", "bids", "asks"}``, levels as
``[price, quantity]``, numbers as JSON numbers or strings. All venues that replay one file share one
cursor, so that their books always belong to the same recorded moment.

A recording may also be a session of our own feeds, a directory. How to read those, the simulator
is told by whoever starts it; their frames name the symbol too, since one session holds many.

What a customer takes stays taken until the recording says that the level changed.
"""

import lzma
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR
from itertools import islice
from pathlib import Path
from typing import IO, Any, TypeAlias

import orjson

from arbplatform.core.decimals import to_decimal
from arbplatform.core.errors import InvalidInput
from markets.simulator.config import ReplayConfig
from markets.simulator.exchange.listing import Listing
from markets.simulator.venue import Venue

LINE_BYTES_MAX = 4_000_000


@dataclass(frozen=True, slots=True)
class Frame:
    """One recorded book.

    Attributes:
        at_s: recorded time [s since epoch].
        exchange: whose book.
        bids, asks: levels as recorded, best first.
        symbol: of which market; ``None``: of the only one in the file.
    """

    at_s: float
    exchange: str
    bids: Sequence[Sequence[Any]]
    asks: Sequence[Sequence[Any]]
    symbol: str | None = None


OpenSession: TypeAlias = Callable[[ReplayConfig], Iterator[Frame]]
"""Reads a session of feeds; raises ``InvalidInput`` when it cannot be read."""


def open_frames(config: ReplayConfig, open_session: OpenSession | None) -> Iterator[Frame]:
    """Return the books of a recording of either kind, from ``config.start`` on.

    Raises:
        InvalidInput: it is a session, and nobody said how to read one.
    """
    path = Path(config.path)
    if not path.is_dir():
        return read_frames(path, config.start)
    if open_session is None:
        raise InvalidInput(
            "The recording {path} is a session of feeds: start the simulation by "
            "`manage.py simulate`, which can read it.",
            path=config.path,
        )
    return islice(open_session(config), config.start, None)


def read_frames(path: Path, start: int = 0) -> Iterator[Frame]:
    """Yield the books of a recording in the order of the file.

    Args:
        path: the file.
        start: lines to pass over first.

    Raises:
        InvalidInput: the file cannot be read, or a line of it is no book.
    """
    number = 0
    try:
        with _open(path) as lines:
            while line := lines.readline(LINE_BYTES_MAX):
                number += 1
                if number > start and line.strip():
                    yield _parse(line)
    except (OSError, lzma.LZMAError) as error:
        raise InvalidInput(
            "The recording {path} cannot be read: {cause}.", path=str(path), cause=str(error)
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInput(
            "Line {line} of the recording {path} is no order book: {cause}.",
            line=number,
            path=str(path),
            cause=repr(error),
        ) from None


def _open(path: Path) -> IO[bytes]:
    if path.suffix == ".xz":
        return lzma.open(path, "rb")
    return path.open("rb")


def _parse(line: bytes) -> Frame:
    value = orjson.loads(line)
    return Frame(float(value["timestamp"]), value["exchange"], value["bids"], value["asks"])


class VenueReplay:
    """The part of a replay that one venue shows.

    Attributes:
        venue: where.
        config: what.
    """

    def __init__(self, venue: Venue, config: ReplayConfig) -> None:
        self.venue = venue
        self.config = config
        self._listing: Listing = venue.engine.listings[config.symbol]
        self._recorded: tuple[dict[int, int], dict[int, int]] = ({}, {})

    def show(self, frame: Frame) -> bool:
        """Make the venue's book what was recorded; return whether the frame was usable."""
        if frame.symbol not in (None, self.config.symbol):
            return True
        listing = self._listing
        bids = _to_grid(listing, frame.bids[: self.config.levels], is_bid=True)
        asks = _to_grid(listing, frame.asks[: self.config.levels], is_bid=False)
        if bids and asks and max(bids) >= min(asks):
            return False
        wanted = [
            _still_there(listing, side, recorded, self._recorded[side])
            for side, recorded in enumerate((bids, asks))
        ]
        self._recorded = (bids, asks)
        self.venue.quote(listing, wanted[0], wanted[1])
        return True


def _to_grid(listing: Listing, levels: Sequence[Sequence[Any]], *, is_bid: bool) -> dict[int, int]:
    """Return price [ticks] to quantity [lots]; what is off the grid is rounded to be worse."""
    rules = listing.rules
    rounding = ROUND_FLOOR if is_bid else ROUND_CEILING
    made: dict[int, int] = {}
    for level in levels:
        price, quantity = to_decimal(level[0]), to_decimal(level[1])
        ticks = int((price / rules.tick).to_integral_value(rounding=rounding))
        lots = int((quantity / rules.lot).to_integral_value(rounding=ROUND_FLOOR))
        if ticks > 0 and lots > 0:
            made[ticks] = made.get(ticks, 0) + lots
    return made


def _still_there(
    listing: Listing, side: int, recorded: Mapping[int, int], before: Mapping[int, int]
) -> dict[int, int]:
    """Return what to quote: an unchanged level only as far as nobody has taken it."""
    standing = listing.house[side]
    wanted: dict[int, int] = {}
    for price, lots in recorded.items():
        if before.get(price) != lots:
            wanted[price] = lots
        elif price in standing:
            wanted[price] = standing[price].remaining
    return wanted


class Replay:
    """A recording and the venues that show it.

    Args:
        config: what to show, and how fast.
        open_session: reads sessions of feeds; ``None``: they cannot be shown.

    Raises:
        InvalidInput: it is a session, and nobody said how to read one.

    Attributes:
        position: frames of the file that were shown or passed over.
        skipped: frames that were not usable: crossed books.
        is_over: whether the recording has ended.
    """

    def __init__(self, config: ReplayConfig, open_session: OpenSession | None = None) -> None:
        self.config = config
        self.position = 0
        self.skipped = 0
        self.is_over = False
        self.at_s: float | None = None
        self._parts: dict[str, list[VenueReplay]] = {}
        self._frames = open_frames(config, open_session)
        self._next: Frame | None = None
        self._left = config.count

    def join(self, part: VenueReplay) -> None:
        """Add a venue that shows the recording."""
        self._parts.setdefault(part.config.exchange, []).append(part)

    def begin(self) -> None:
        """Read the first frame.

        Raises:
            InvalidInput: the recording cannot be read, or ends before its start.
        """
        self._fetch()
        if self._next is None:
            raise InvalidInput(
                "The recording {path} has no frame {start}.",
                path=self.config.path,
                start=self.config.start,
            )

    def next_at_s(self) -> float | None:
        """Return the recorded time of the next frame [s since epoch]; ``None`` at the end."""
        return None if self._next is None else self._next.at_s

    def advance(self, frames: int = 1) -> int:
        """Show up to ``frames`` more frames of the file; return how many there were."""
        done = 0
        while done < frames and self._next is not None:
            frame = self._next
            for part in self._parts.get(frame.exchange, ()):
                if not part.show(frame):
                    self.skipped += 1
            self.at_s = frame.at_s
            self.position += 1
            done += 1
            self._fetch()
        return done

    def _fetch(self) -> None:
        if self._left is not None:
            if self._left == 0:
                self._next = None
                self.is_over = True
                return
            self._left -= 1
        self._next = next(self._frames, None)
        self.is_over = self._next is None
