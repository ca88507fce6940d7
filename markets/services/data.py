"""Public market data: live, where an engine follows the market, and else fresh from the venue.

A live book is taken only if something has proven a moment ago that it is current (``FRESH_MS``).
Whoever wants to hear it from the venue itself says so.
"""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from functools import partial

from django.conf import settings

from arbplatform.core.errors import Message
from markets.domain.book import Book
from markets.domain.quote import Candle, Ticker
from markets.errors import UnknownSymbol, VenueError, VenueUnavailable
from markets.gateway.base import VenueSpec
from markets.gateway.factory import gateway_for
from markets.gateway.pool import POOL_SIZE
from markets.gateway.venue_threads import VenueThreads
from markets.models import Venue
from markets.selectors import find_market
from markets.services.feeds import read_live_books

VENUES_MAX = 32
"""Venues of one ``fetch_tickers``."""

BOOKS_MAX = 500
"""Books of one ``fetch_books``: more would only become old while waiting for a thread."""

DEADLINE_S_EXTRA = 2.0

BookKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class BooksReport:
    """Books that could be had, and why the others could not.

    Attributes:
        books: by venue code and symbol.
        errors: the same keys; every asked key is in one of the two.
    """

    books: dict[BookKey, Book] = field(default_factory=dict)
    errors: dict[BookKey, VenueError | UnknownSymbol] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TickersReport:
    """Tickers of whole venues, and why others could not be had.

    Attributes:
        tickers: by venue code, by symbol.
        errors: by venue code; every asked venue is in one of the two.
    """

    tickers: dict[str, Mapping[str, Ticker]] = field(default_factory=dict)
    errors: dict[str, VenueError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MarketCandles:
    """Bars of one market.

    Attributes:
        venue: code of the venue they are from.
        symbol: unified symbol.
        timeframe: their width.
        candles: oldest first.
    """

    venue: str
    symbol: str
    timeframe: str
    candles: Sequence[Candle]


def fetch_ticker(*, symbol: str, venue_code: str | None = None) -> Ticker:
    """Return the ticker of a market.

    Args:
        symbol: unified symbol.
        venue_code: where; default: the first enabled venue that lists the symbol.

    Raises:
        UnknownVenue, UnknownSymbol, VenueDisabled: as ``selectors.find_market``.
        VenueError: the venue did not answer.
    """
    return gateway_for(find_market(symbol, venue_code).venue.to_spec()).fetch_ticker(symbol)


def fetch_book(
    *,
    symbol: str,
    venue_code: str | None = None,
    depth: int = 20,
    is_live_enough: bool = True,
) -> Book:
    """Return the book of a market.

    Args:
        symbol: unified symbol.
        venue_code: where; default: the first enabled venue that lists the symbol.
        depth: levels of each side, at most.
        is_live_enough: take the live book if there is one; else the venue is asked in any case.

    Raises:
        UnknownVenue, UnknownSymbol, VenueDisabled: as ``selectors.find_market``.
        VenueError: the venue did not answer.
    """
    spec = find_market(symbol, venue_code).venue.to_spec()
    live = read_live_books([(spec, symbol)], depth) if is_live_enough else {}
    return live.get((spec.code, symbol)) or gateway_for(spec).fetch_book(symbol, depth)


def fetch_candles(
    *,
    symbol: str,
    venue_code: str | None = None,
    timeframe: str = "1m",
    since_ms: int | None = None,
    limit: int = 500,
) -> MarketCandles:
    """Return bars of a market, oldest first.

    Args:
        symbol: unified symbol.
        venue_code: where; default: the first enabled venue that lists the symbol.
        timeframe: width of a bar, as ccxt writes it (``1m``, ``4h``).
        since_ms: start of the first bar [ms since epoch]; default: the newest bars.
        limit: bars, at most.

    Raises:
        UnknownVenue, UnknownSymbol, VenueDisabled: as ``selectors.find_market``.
        VenueRejected: the venue has no bars of that width.
        VenueError: the venue did not answer.
    """
    venue = find_market(symbol, venue_code).venue
    candles = gateway_for(venue.to_spec()).fetch_candles(symbol, timeframe, since_ms, limit)
    return MarketCandles(venue.code, symbol, timeframe, candles)


def fetch_books(
    keys: Sequence[tuple[Venue | VenueSpec, str]],
    depth: int = 20,
    *,
    is_live_enough: bool = True,
    wait_ms: int | None = None,
    late_ms: int | None = None,
) -> BooksReport:
    """Return many books, fetched at the same time; no query is made.

    Args:
        keys: venue and symbol of each, at most ``BOOKS_MAX``.
        depth: levels of each side, at most.
        is_live_enough: take live books where there are some; else every venue is asked.
        wait_ms: how long they are waited for, at most; ``None``: for as long as a venue may take.
        late_ms: how long the others are waited for once one is there, which grows old meanwhile;
            ``None``: as long as that one was.

    Returns:
        Every key once: with its book, or with the reason why there is none.
    """
    if len(keys) > BOOKS_MAX:
        raise ValueError(f"at most {BOOKS_MAX} books at once, not {len(keys)}")
    asked = [
        (venue.to_spec() if isinstance(venue, Venue) else venue, symbol) for venue, symbol in keys
    ]
    report = BooksReport(read_live_books(asked, depth) if is_live_enough else {})
    waiting: dict[Future[Book], BookKey] = {
        _THREADS.submit(spec.code, partial(_fetch, spec, symbol, depth)): (spec.code, symbol)
        for spec, symbol in asked
        if (spec.code, symbol) not in report.books
    }
    longest_s = settings.VENUE_TIMEOUT_MS / 1_000 + DEADLINE_S_EXTRA
    if wait_ms is not None:
        longest_s = wait_ms / 1_000
    done, late = _wait(waiting, longest_s, late_ms, has_some=bool(report.books))
    for future in done:
        key = waiting[future]
        try:
            report.books[key] = future.result()
        except (VenueError, UnknownSymbol) as error:
            report.errors[key] = error
    for future in late:
        future.cancel()
        venue_code, _symbol = key = waiting[future]
        cause = Message("no answer within the time limit")
        report.errors[key] = VenueUnavailable(venue=venue_code, cause=cause)
    return report


def _wait(
    waiting: Mapping[Future[Book], BookKey],
    longest_s: float,
    late_ms: int | None,
    *,
    has_some: bool,
) -> tuple[set[Future[Book]], set[Future[Book]]]:
    """Return what came in time, and what did not.

    A venue that refuses at once has brought no book that could grow old.
    """
    if late_ms is None:
        return wait(waiting, timeout=longest_s)
    ends_at, done = time.monotonic() + longest_s, set[Future[Book]]()
    while not has_some and (left := waiting.keys() - done):
        rest_s = max(0.0, ends_at - time.monotonic())
        more, _late = wait(left, timeout=rest_s, return_when=FIRST_COMPLETED)
        if not more:
            break
        done |= more
        has_some = any(one.exception() is None for one in more)
    rest_s = max(0.0, min(ends_at - time.monotonic(), late_ms / 1_000))
    return wait(waiting, timeout=rest_s)


def fetch_tickers(venues: Sequence[Venue]) -> TickersReport:
    """Return the tickers of every market of many venues, fetched at the same time.

    Args:
        venues: one request each, at most ``VENUES_MAX``.

    Returns:
        Every venue once: with its tickers, or with the reason why there are none.
    """
    if len(venues) > VENUES_MAX:
        raise ValueError(f"at most {VENUES_MAX} venues at once, not {len(venues)}")
    waiting: dict[Future[Mapping[str, Ticker]], str] = {
        _THREADS.submit(venue.code, partial(_fetch_tickers, venue.to_spec())): venue.code
        for venue in venues
    }
    done, late = wait(waiting, timeout=settings.VENUE_TIMEOUT_MS / 1_000 + DEADLINE_S_EXTRA)
    report = TickersReport()
    for future in done:
        try:
            report.tickers[waiting[future]] = future.result()
        except VenueError as error:
            report.errors[waiting[future]] = error
    for future in late:
        future.cancel()
        code = waiting[future]
        cause = Message("no answer within the time limit")
        report.errors[code] = VenueUnavailable(venue=code, cause=cause)
    return report


def _fetch(spec: VenueSpec, symbol: str, depth: int) -> Book:
    return gateway_for(spec).fetch_book(symbol, depth)


def _fetch_tickers(spec: VenueSpec) -> Mapping[str, Ticker]:
    return gateway_for(spec).fetch_tickers()


_THREADS = VenueThreads(POOL_SIZE, "books")
"""More threads for a venue would only wait for a connection to it."""
