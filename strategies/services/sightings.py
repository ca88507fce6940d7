"""What a look over all markets found: round trips that earn, and their size on real books."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from django.conf import settings

from arbplatform.core.decimals import Amount, Bps, Price
from arbplatform.core.errors import Message
from ledger.domain.pnl import derive_prices
from markets.domain.book import Book
from markets.domain.quote import Ticker
from markets.domain.rules import MarketRules
from strategies.domain.intents import Intent
from strategies.domain.mids import choose_mids
from strategies.domain.scan import Kind, Nomination, confirm
from strategies.domain.view import MarketKey

CONFIRMED_MAX = 40
"""Nominations that are confirmed on books, the most promising first."""
DEPTH = 20
START_ASSETS = ("USDC", "BTC", "ETH")
"""Where a cycle begins that does not pass through the reporting asset."""
UNCONFIRMED = Message("Not looked at on real books yet.")


class Source(StrEnum):
    """How best prices come in."""

    STREAM = "stream"
    """Told by the venue as they change."""
    REST = "rest"
    """Asked for, again and again."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One round trip that earns at the best prices.

    Attributes:
        nomination: what the best prices say.
        intent: the best size on real books, for unlimited funds; ``None`` when there is none.
        refusal: why there is none.
        profit: of that size [reporting asset]; ``None`` when it cannot be valued.
        book_at_ms: when the oldest of the books was received [ms since epoch].
        age_ms: how old that was at the scan [ms].
        standing_ms: how long the round trip has been seen without a break [ms]; ``None`` when
            nobody was watching before.
    """

    nomination: Nomination
    intent: Intent | None
    refusal: Message | None
    profit: Amount | None
    age_ms: int | None
    book_at_ms: int | None = None
    standing_ms: int | None = None

    @property
    def edge_bps(self) -> Bps:
        """Of the best size, else at the best prices [bps]."""
        return self.nomination.edge.net_bps if self.intent is None else self.intent.edge_bps

    def at(self, now_ms: int, *, nomination: Nomination, first_seen_ms: int) -> "Sighting":
        """Return the same books' verdict at a later moment.

        Args:
            now_ms: the moment [ms since epoch].
            nomination: what the best prices say by then.
            first_seen_ms: since when the round trip is there [ms since epoch].
        """
        age_ms = None if self.book_at_ms is None else now_ms - self.book_at_ms
        standing_ms = now_ms - first_seen_ms
        return replace(self, nomination=nomination, age_ms=age_ms, standing_ms=standing_ms)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a venue could not be looked at.

    Attributes:
        code: of the error.
        message: for people.
    """

    code: int
    message: Message


@dataclass(frozen=True, slots=True)
class Scan:
    """What one look over everything found.

    Attributes:
        source: whether prices stream in, or were asked for.
        scanned_at: when.
        took_ms: how long it took [ms].
        venue_count: venues that are looked at.
        markets: whose best prices could be used.
        pairs: ordered pairs of venues that trade the same symbol.
        cycles: directed ways around three markets of one venue.
        nominated: round trips that earn at the best prices.
        sightings: the most promising of those, confirmed.
        errors: by code, venues that do not answer.
        feeds: by code, how the best prices of a venue come in.
    """

    source: Source
    scanned_at: datetime
    took_ms: int
    venue_count: int
    markets: int
    pairs: int
    cycles: int
    nominated: int
    sightings: tuple[Sighting, ...]
    errors: Mapping[str, Failure] = field(default_factory=dict)
    feeds: Mapping[str, Source] = field(default_factory=dict)

    def select(self, *, kind: Kind | None, by_profit: bool, limit: int) -> list[Sighting]:
        """Return the best sightings, those that can be traded first.

        What is too good to be true comes after everything else.

        Args:
            kind: only these.
            by_profit: the highest profit first, instead of the highest edge.
            limit: at most so many.
        """
        chosen = [item for item in self.sightings if kind is None or item.nomination.kind is kind]
        chosen.sort(key=_by_profit if by_profit else _by_edge)
        return chosen[:limit]


def sight(
    nomination: Nomination,
    *,
    books: Mapping[MarketKey, Book],
    rules: Mapping[MarketKey, MarketRules],
    prices: Mapping[str, Price],
    now_ms: int,
) -> Sighting:
    """Return what a nomination is worth on real books.

    Args:
        nomination: what the best prices say.
        books: newest books of its markets, as far as they could be had.
        rules: of its markets.
        prices: of assets [reporting asset].
        now_ms: the present [ms since epoch].
    """
    outcome = confirm(nomination, books=books, rules=rules, depth=DEPTH)
    received = [books[step.key].received_at_ms for step in nomination.steps if step.key in books]
    book_at_ms = min(received, default=None)
    age_ms = None if book_at_ms is None else now_ms - book_at_ms
    if isinstance(outcome, Intent):
        price = prices.get(outcome.profit_asset)
        profit = None if price is None else outcome.expected_profit * price
        return Sighting(nomination, outcome, None, profit, age_ms, book_at_ms)
    refusal = Message("A book is missing or broken.") if outcome is None else outcome.message
    return Sighting(nomination, None, refusal, None, age_ms, book_at_ms)


def price_assets(
    tickers: Iterable[Ticker], rules: Mapping[MarketKey, MarketRules], *, now_ms: int
) -> Mapping[str, Price]:
    """Return what a unit of each asset is worth [reporting asset].

    An asset that no young ticker with a narrow spread prices has no price, rather than a wrong one.

    Args:
        tickers: best prices of any markets.
        rules: of these markets.
        now_ms: the present [ms since epoch].
    """
    mids = choose_mids(tickers, rules, now_ms=now_ms)
    derived = derive_prices(mids, settings.REPORTING_ASSET)
    return {asset: price for asset, (price, _path) in derived.items()}


def _by_edge(item: Sighting) -> tuple[bool, bool, Bps, str]:
    nomination = item.nomination
    return (
        nomination.is_suspicious,
        item.intent is None,
        -item.edge_bps,
        nomination.subject,
    )


def _by_profit(item: Sighting) -> tuple[bool, bool, bool, Amount, str]:
    nomination, profit = item.nomination, item.profit
    return (
        nomination.is_suspicious,
        item.intent is None,
        profit is None,
        -(profit or Amount(0)),
        nomination.subject,
    )
