"""Scan every market of every enabled venue for round trips that earn now, on nobody's account.

While a scanner process runs (``strategies/services/live_scan.py``), its newest result is shown.
Without one, each scan asks every venue for all its tickers in one request, and for the books of
what they nominate; it is kept for a moment and made by one thread at a time, so that any number of
people may watch without asking the venues any more often.
"""

import time
from collections.abc import Mapping, Sequence
from threading import Lock

from django.conf import settings

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from markets.domain.book import Book
from markets.models import Venue
from markets.selectors import list_rules, list_venues
from markets.services.data import VENUES_MAX, fetch_books, fetch_tickers
from strategies.domain.scan import Nomination, survey, usable_tops
from strategies.domain.shortlist import shortlist
from strategies.domain.view import MarketKey
from strategies.services.scan_store import forget_stored_scan, read_scan
from strategies.services.sightings import (
    CONFIRMED_MAX,
    DEPTH,
    START_ASSETS,
    Failure,
    Scan,
    Source,
    price_assets,
    sight,
)

KEPT_S = 2.0
"""For so long a scan is shown again instead of making another one."""


def scan_markets(*, clock: Clock = SYSTEM_CLOCK) -> Scan:
    """Return what every enabled venue offers now.

    That is what the scanner process saw last, if one runs; else a scan over REST, of which one of
    the last moments is shown again.

    Args:
        clock: tells the time.
    """
    live = read_scan(clock=clock)
    if live is not None:
        return live
    with _LOCK:
        if _LAST and 0 <= time.monotonic() - _LAST[0][0] < KEPT_S:
            return _LAST[0][1]
        scan = _scan(clock)
        _LAST[:] = [(time.monotonic(), scan)]
        return scan


def forget_scan() -> None:
    """Let the next scan be a new one."""
    _LAST.clear()
    forget_stored_scan()


def _scan(clock: Clock) -> Scan:
    started = time.monotonic()
    venues = list(list_venues(is_enabled=True)[:VENUES_MAX])
    rules = {MarketKey(*key): item for key, item in list_rules(v.code for v in venues).items()}
    report = fetch_tickers(venues)
    tickers = [ticker for by_symbol in report.tickers.values() for ticker in by_symbol.values()]
    found = survey(tickers, rules, starts=(settings.REPORTING_ASSET, *START_ASSETS))
    prices = price_assets(tickers, rules, now_ms=clock.now_ms())
    nominations = shortlist(
        found.nominations,
        tops=dict(usable_tops(tickers, rules)),
        rules=rules,
        prices=prices,
        limit=CONFIRMED_MAX,
    )
    books = _fetch_books_of(nominations, venues)
    now_ms = clock.now_ms()
    return Scan(
        source=Source.REST,
        scanned_at=clock.now(),
        took_ms=round((time.monotonic() - started) * 1_000),
        venue_count=len(venues),
        markets=found.markets,
        pairs=found.pairs,
        cycles=found.cycles,
        nominated=len(found.nominations),
        sightings=tuple(
            sight(item, books=books, rules=rules, prices=prices, now_ms=now_ms)
            for item in nominations
        ),
        errors={code: Failure(error.code, error.message) for code, error in report.errors.items()},
        feeds=dict.fromkeys(report.tickers, Source.REST),
    )


def _fetch_books_of(
    nominations: Sequence[Nomination], venues: Sequence[Venue]
) -> Mapping[MarketKey, Book]:
    by_code = {venue.code: venue for venue in venues}
    keys = {step.key for item in nominations for step in item.steps}
    report = fetch_books([(by_code[key.venue], key.symbol) for key in sorted(keys)], depth=DEPTH)
    return {MarketKey(*key): book for key, book in report.books.items()}


_LOCK = Lock()
_LAST: list[tuple[float, Scan]] = []
