"""A recorded session of Binance, followed by our keepers and offered to a strategy.

The recording (8 August 2024, five minutes) holds what the venue sent over its streams: differences
of books, its own best bid and ask ("bookTicker"), trades, and one snapshot by REST of each book.
Two questions:

- is our book the venue's? Its own best prices and quantities must be ours wherever both have the
  same update id, digit for digit. An update at which our book was not current counts against us.
- does the cross-venue strategy, at fees of 0.1 %, leave spot and perpetual alone, which differ
  nearly always but never by as much as trading costs?

Usage: ``python -m benchmarks.recorded_session``. Targets: ≥ 99.9 % equal in every file, no
opportunity.
"""

import gzip
import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

from arbplatform.core.decimals import use_exact_context
from benchmarks.parts.quotes import make_rules
from benchmarks.parts.results import Row, at_least, at_most, report
from benchmarks.parts.scripts import make_parser, run_script
from markets.domain.live_book import LiveBook
from markets.domain.rules import MarketRules
from markets.gateway.wire.binance import BINANCE
from markets.gateway.wire.keeper import BookKeeper
from strategies.plugins.cross_venue import CrossVenue, CrossVenueParams
from strategies.sdk import AssetKey, MarketKey, MarketView

SESSION = Path(__file__).parents[2] / "shared/data/orderbooks/hftbacktest"
TICKS = {
    "spot_btcusdt_20240808.gz": 0.01,
    "spot_ethusdt_20240808.gz": 0.01,
    "usdm_btcusdt_20240808.gz": 0.1,
    "usdm_ethusdt_20240808.gz": 0.01,
    "cm_btcusd_perp_20240808.gz": 0.1,
    "cm_ethusd_perp_20240808.gz": 0.01,
}
DEPTH_MAX = 5_000
EQUAL_PERCENT_MIN = 99.9
QUICK_LINES = 4_000

Top: TypeAlias = tuple[str, str, str, str]
"""Best bid, its quantity, best ask, its quantity, as the venue wrote them."""


def read_lines(path: Path, lines: int | None = None) -> Iterator[tuple[int, Any]]:
    """Yield when a message was received [ns since epoch] and what it decodes to."""
    with gzip.open(path, "rb") as file:
        for line in islice(file, lines):
            received_ns, _, payload = line.partition(b" ")
            yield int(received_ns), BINANCE.decode(payload)


@dataclass
class Follower:
    """Keeps one book of the session and compares it with the venue's own best prices.

    Attributes:
        keeper: of the book.
        ours: best prices of our book by update id; ``None`` where it was not current.
        theirs: best prices by update id, from the venue.
    """

    keeper: BookKeeper
    ours: dict[int, Top | None] = field(default_factory=dict)
    theirs: dict[int, Top] = field(default_factory=dict)

    def take(self, received_ns: int, message: Any) -> bool:
        """Take a message; return whether the book changed and is current."""
        at_ms = received_ns // 1_000_000
        if "lastUpdateId" in message:
            limit = max(len(message["bids"]), len(message["asks"]))
            snapshot = (BINANCE.read_snapshot or _none)(message, "", limit)
            self.keeper.adopt(snapshot, received_at_ms=at_ms)
            return self.keeper.is_current
        if message["stream"].endswith("@bookTicker"):
            data = message["data"]
            self.theirs[data["u"]] = (data["b"], data["B"], data["a"], data["A"])
            return False
        books = BINANCE.read(message)
        for book in books:
            had_snapshot = self.keeper.book.version > 0
            self.keeper.take(book, received_at_ms=at_ms)
            if had_snapshot and book.last is not None:
                self.ours[book.last] = self._top()
        return bool(books) and self.keeper.is_current

    def _top(self) -> Top | None:
        book = self.keeper.book
        bids, asks = book.bids.top(1), book.asks.top(1)
        if not (self.keeper.is_current and bids and asks):
            return None
        return (*bids[0], *asks[0])

    def compare(self) -> tuple[int, int]:
        """Return how many update ids both have, and at how many of them the books are equal."""
        both = self.ours.keys() & self.theirs.keys()
        return len(both), sum(self.ours[number] == self.theirs[number] for number in both)


def _none(*_: object) -> Any:
    raise TypeError("the protocol has no snapshots by REST")


def open_follower(name: str, venue: str, symbol: str) -> Follower:
    """Return a follower of a file that has seen nothing yet."""
    book = LiveBook(venue, symbol, depth_max=DEPTH_MAX, tick=TICKS[name])
    return Follower(BookKeeper(BINANCE, book))


def follow(path: Path, lines: int | None = None) -> Follower:
    """Follow a file to its end."""
    follower = open_follower(path.name, "binance", "BTC/USDT")
    for received_ns, message in read_lines(path, lines):
        follower.take(received_ns, message)
    return follower


def _number(number: int, path: Path, lines: int | None) -> Iterator[tuple[int, int, Any]]:
    return ((received_ns, number, message) for received_ns, message in read_lines(path, lines))


@dataclass
class Pair:
    """Spot and perpetual of one asset, looked at after each change of either book.

    Attributes:
        looks: how often both books were current.
        gross: how often buying at one and selling at the other would have earned, without fees.
        net: how often the strategy found something to do.
    """

    symbol: str
    looks: int = 0
    gross: int = 0
    net: int = 0

    def run(self, spot: Path, perpetual: Path, lines: int | None = None) -> "Pair":
        """Go through both files in the order in which their messages were received."""
        plugin, rules, free = self._strategy()
        followers = [
            open_follower(path.name, venue, self.symbol)
            for path, venue in ((spot, "spot"), (perpetual, "perpetual"))
        ]
        streams = [_number(n, path, lines) for n, path in enumerate((spot, perpetual))]
        for received_ns, number, message in heapq.merge(*streams, key=lambda each: each[:2]):
            changed = followers[number].take(received_ns, message)
            if changed and all(follower.keeper.is_current for follower in followers):
                one, other = (follower.keeper.book for follower in followers)
                self.looks += 1
                self.gross += one.best_bid > other.best_ask or other.best_bid > one.best_ask
                books = {
                    MarketKey(book.venue, self.symbol): book.to_book(20) for book in (one, other)
                }
                view = MarketView(received_ns // 1_000_000, books, rules, free)
                self.net += bool(plugin.evaluate(view).intents)
        if not self.looks:
            raise SystemExit("The two books were never current at the same time.")
        return self

    def _strategy(self) -> tuple[CrossVenue, dict[MarketKey, MarketRules], dict[AssetKey, Decimal]]:
        lots = {
            MarketKey("spot", self.symbol): "0.00001",
            MarketKey("perpetual", self.symbol): "0.001",
        }
        rules = {
            key: make_rules(key, tick="0.01", lot=lot, notional_min="5")
            for key, lot in lots.items()
        }
        free = {
            AssetKey(key.venue, asset): Decimal(10**9)
            for key in rules
            for asset in self.symbol.split("/")
        }
        params = CrossVenueParams(
            symbols=(self.symbol,),
            min_edge_bps=Decimal(0),
            participation=Decimal(1),
            max_notional=Decimal(10**6),
            book_age_ms_max=600_000,
            book_skew_ms_max=600_000,
        )
        return CrossVenue(params), rules, free


def measure(lines: int | None) -> Iterator[Row]:
    """Yield what came of every file and every pair."""
    for name in TICKS:
        follower = follow(SESSION / name, lines)
        compared, equal = follower.compare()
        current = sum(top is not None for top in follower.ours.values())
        yield at_least(
            f"books equal to the venue's own, {name.removesuffix('_20240808.gz')}",
            100 * equal / compared,
            "%",
            EQUAL_PERCENT_MIN,
            note=f"{equal:,} of {compared:,} update ids that both have; "
            f"current after {current:,} of {len(follower.ours):,} differences",
        )
    for asset in ("btc", "eth"):
        pair = Pair(f"{asset.upper()}/USDT").run(
            SESSION / f"spot_{asset}usdt_20240808.gz",
            SESSION / f"usdm_{asset}usdt_20240808.gz",
            lines,
        )
        yield at_most(
            f"net opportunities, {asset.upper()} spot and perpetual",
            pair.net,
            "",
            0,
            note=f"looked {pair.looks:,} times; prices crossed without fees {pair.gross:,} times",
        )


def main() -> int:
    """Print the rows; return 0 when all targets are met."""
    options = make_parser(__doc__).parse_args()
    use_exact_context()
    if not SESSION.exists():
        print(f"The recorded session {SESSION} is not here: nothing to follow.")
        return report([Row("books equal to the venue's own", 0, note="the recording is not here")])
    return report(measure(QUICK_LINES if options.quick else None))


if __name__ == "__main__":
    run_script(main)
