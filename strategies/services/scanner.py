"""Scan every market of every enabled venue for round trips that earn now, on nobody's account.

Each scan asks every venue for all its tickers in one request, and for the books of what they
nominate. The result is kept for a moment and made by one thread at a time, so that any number of
people may watch without asking the venues any more often.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from django.conf import settings

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.decimals import Amount, Bps, Price
from arbplatform.core.errors import Message
from ledger.domain.pnl import derive_prices
from markets.domain.book import Book
from markets.domain.quote import Ticker
from markets.domain.rules import MarketRules
from markets.errors import VenueError
from markets.models import Venue
from markets.selectors import list_rules, list_venues
from markets.services.data import THREADS, fetch_books, fetch_tickers
from strategies.domain.intents import Intent
from strategies.domain.scan import Kind, Nomination, Survey, confirm, survey
from strategies.domain.view import MarketKey

KEPT_S = 2.0
"""For so long a scan is shown again instead of making another one."""
CONFIRMED_MAX = 40
"""Nominations that are confirmed on books, those with the highest edge first."""
DEPTH = 20
START_ASSETS = ("USDC", "BTC", "ETH")
"""Where a cycle begins that does not pass through the reporting asset."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One round trip that earns at the best prices.

    Attributes:
        nomination: what the best prices say.
        intent: the best size on real books, for unlimited funds; ``None`` when there is none.
        refusal: why there is none.
        profit: of that size [reporting asset]; ``None`` when it cannot be valued.
        age_ms: of the oldest book [ms].
    """

    nomination: Nomination
    intent: Intent | None
    refusal: Message | None
    profit: Amount | None
    age_ms: int | None

    @property
    def edge_bps(self) -> Bps:
        """Of the best size, else at the best prices [bps]."""
        return self.nomination.edge.net_bps if self.intent is None else self.intent.edge_bps


@dataclass(frozen=True, slots=True)
class Scan:
    """What one look over everything found.

    Attributes:
        scanned_at: when.
        took_ms: how long it took [ms].
        survey: counts, and everything that earns at the best prices.
        sightings: the best of those, confirmed; the highest edge first.
        errors: by code, venues that did not answer.
        venue_count: venues that were asked.
    """

    scanned_at: datetime
    took_ms: int
    survey: Survey
    sightings: tuple[Sighting, ...]
    errors: Mapping[str, VenueError]
    venue_count: int

    def select(self, *, kind: Kind | None, by_profit: bool, limit: int) -> list[Sighting]:
        """Return the best sightings, those that can be traded first.

        Args:
            kind: only these.
            by_profit: the highest profit first, instead of the highest edge.
            limit: at most so many.
        """
        chosen = [item for item in self.sightings if kind is None or item.nomination.kind is kind]
        chosen.sort(key=_by_profit if by_profit else _by_edge)
        return chosen[:limit]


def scan_markets(*, clock: Clock = SYSTEM_CLOCK) -> Scan:
    """Return what every enabled venue offers now; a scan of the last moments is shown again.

    Args:
        clock: tells the time.
    """
    with _LOCK:
        if _LAST and 0 <= time.monotonic() - _LAST[0][0] < KEPT_S:
            return _LAST[0][1]
        scan = _scan(clock)
        _LAST[:] = [(time.monotonic(), scan)]
        return scan


def forget_scan() -> None:
    """Let the next scan be a new one."""
    _LAST.clear()


def _scan(clock: Clock) -> Scan:
    started = time.monotonic()
    venues = list(list_venues(is_enabled=True)[:THREADS])
    rules = {MarketKey(*key): item for key, item in list_rules(v.code for v in venues).items()}
    report = fetch_tickers(venues)
    tickers = [ticker for by_symbol in report.tickers.values() for ticker in by_symbol.values()]
    found = survey(tickers, rules, starts=(settings.REPORTING_ASSET, *START_ASSETS))
    prices = _price(tickers, rules)
    sightings = _confirm(found, venues, rules, prices, clock)
    return Scan(
        scanned_at=clock.now(),
        took_ms=round((time.monotonic() - started) * 1_000),
        survey=found,
        sightings=sightings,
        errors=report.errors,
        venue_count=len(venues),
    )


def _confirm(
    found: Survey,
    venues: list[Venue],
    rules: Mapping[MarketKey, MarketRules],
    prices: Mapping[str, Price],
    clock: Clock,
) -> tuple[Sighting, ...]:
    nominations = found.nominations[:CONFIRMED_MAX]
    by_code = {venue.code: venue for venue in venues}
    keys = {step.key for item in nominations for step in item.steps}
    wanted = [(by_code[key.venue], key.symbol) for key in sorted(keys)]
    report = fetch_books(wanted, depth=DEPTH)
    books = {MarketKey(*key): book for key, book in report.books.items()}
    now_ms = clock.now_ms()
    return tuple(_sight(item, books, rules, prices, now_ms) for item in nominations)


def _sight(
    nomination: Nomination,
    books: Mapping[MarketKey, Book],
    rules: Mapping[MarketKey, MarketRules],
    prices: Mapping[str, Price],
    now_ms: int,
) -> Sighting:
    outcome = confirm(nomination, books=books, rules=rules, depth=DEPTH)
    ages = [books[step.key].age_ms(now_ms) for step in nomination.steps if step.key in books]
    age_ms = max(ages, default=None)
    if isinstance(outcome, Intent):
        price = prices.get(outcome.profit_asset)
        profit = None if price is None else outcome.expected_profit * price
        return Sighting(nomination, outcome, None, profit, age_ms)
    refusal = Message("A book is missing or broken.") if outcome is None else outcome.message
    return Sighting(nomination, None, refusal, None, age_ms)


def _price(tickers: list[Ticker], rules: Mapping[MarketKey, MarketRules]) -> Mapping[str, Price]:
    """Return what a unit of each asset is worth by the first sane ticker [reporting asset]."""
    mids: dict[tuple[str, str], Price] = {}
    for ticker in tickers:
        market = rules.get(MarketKey(ticker.venue, ticker.symbol))
        if market is not None and ticker.bid and ticker.ask and ticker.bid < ticker.ask:
            mids.setdefault((market.base, market.quote), (ticker.bid + ticker.ask) / 2)
    derived = derive_prices(mids, settings.REPORTING_ASSET)
    return {asset: price for asset, (price, _path) in derived.items()}


def _by_edge(item: Sighting) -> tuple[bool, Bps, str]:
    return (item.intent is None, -item.edge_bps, item.nomination.subject)


def _by_profit(item: Sighting) -> tuple[bool, bool, Amount, str]:
    profit = item.profit
    subject = item.nomination.subject
    return (item.intent is None, profit is None, -(profit or Amount(0)), subject)


_LOCK = Lock()
_LAST: list[tuple[float, Scan]] = []
