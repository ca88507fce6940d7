"""The scanner as it runs in a process of its own: told of prices, it knows what earns.

Best prices of all symbols of all enabled venues come in one by one; the kernels know at any moment
which round trips earn at them. Once a second the best of those are judged on real books, exactly,
and passed on: to whoever shows them, and to the clients that are told as it happens.

Books are asked for in turn, those that were never looked at first, and no more than
``BOOKS_PER_SCAN`` a second over REST, so that looking around leaves the rates of the venues to
those who trade.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Lock

from django.conf import settings

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.errors import LimitExceeded
from markets.domain.book import Book
from markets.domain.quote import Ticker
from markets.domain.rules import MarketRules
from markets.gateway.base import VenueSpec
from markets.selectors import list_rules, list_venues
from markets.services.data import THREADS, fetch_books
from strategies.domain.live_survey import LiveSurvey, Steps
from strategies.domain.scan import Nomination
from strategies.domain.view import MarketKey
from strategies.services.sightings import (
    CONFIRMED_MAX,
    DEPTH,
    START_ASSETS,
    UNCONFIRMED,
    Failure,
    Scan,
    Sighting,
    Source,
    price_assets,
    sight,
)

logger = logging.getLogger(__name__)

BOOKS_PER_SCAN = 6
"""Books that are asked for in one scan, at most."""

Books = Mapping[MarketKey, Book]
FetchBooks = Callable[[Sequence[tuple[VenueSpec, str]]], Books]


class LiveScanner:
    """Everything that earns anywhere now.

    Prices may be told by one thread while another one scans.

    Args:
        clock: tells the time.
        fetch: asks for books; those that cannot be had are left out.
        books_per_scan: so many are asked for in one scan at most, three or more.
    """

    def __init__(
        self,
        *,
        clock: Clock = SYSTEM_CLOCK,
        fetch: FetchBooks | None = None,
        books_per_scan: int = BOOKS_PER_SCAN,
    ) -> None:
        self._clock = clock
        self._books_per_scan = books_per_scan
        self._fetch = fetch or _fetch_books
        self._lock = Lock()
        self._specs: dict[str, VenueSpec] = {}
        self._survey = _survey_of({})
        self._tickers: dict[MarketKey, Ticker] = {}
        self._confirmed: dict[Steps, tuple[int, Sighting]] = {}
        self._errors: dict[str, Failure] = {}
        self._feeds: dict[str, Source] = {}

    def reload(self) -> list[VenueSpec]:
        """Read which venues and markets there are, and return how to reach the venues."""
        specs = {v.code: v.to_spec() for v in list_venues(is_enabled=True)[:THREADS]}
        rules = {MarketKey(*key): item for key, item in list_rules(specs).items()}
        with self._lock:
            self._specs = specs
            if rules != self._survey.rules:
                self._tickers = {k: t for k, t in self._tickers.items() if k in rules}
                self._survey = _survey_of(rules)
                self._survey.update(self._tickers.values())
            self._errors = {code: item for code, item in self._errors.items() if code in specs}
            self._feeds = {code: item for code, item in self._feeds.items() if code in specs}
        return list(specs.values())

    def tickers_changed(self, venue: str, tickers: Iterable[Ticker], source: Source) -> None:
        """Take new best prices of a venue.

        Args:
            venue: code of the venue.
            tickers: of any of its markets.
            source: how they came.
        """
        with self._lock:
            told = [t for t in tickers if MarketKey(venue, t.symbol) in self._survey.rules]
            self._tickers.update((MarketKey(venue, ticker.symbol), ticker) for ticker in told)
            self._survey.update(told)
            self._errors.pop(venue, None)
            self._feeds[venue] = source

    def venue_lost(self, venue: str, failure: Failure) -> None:
        """Forget the prices of a venue that cannot be seen any more.

        Args:
            venue: code of the venue.
            failure: why.
        """
        with self._lock:
            self._survey.drop(venue)
            for key in [key for key in self._tickers if key.venue == venue]:
                del self._tickers[key]
            self._errors[venue] = failure
            self._feeds.pop(venue, None)

    def scan(self) -> Scan:
        """Return what earns now, the best of it judged on real books."""
        started = time.monotonic()
        now_ms = self._clock.now_ms()
        with self._lock:
            found, rules = self._survey.survey(), self._survey.rules
            first_seen_ms = self._survey.first_seen_ms(found.nominations, now_ms)
            tickers, feeds = list(self._tickers.values()), dict(self._feeds)
            errors, specs = dict(self._errors), dict(self._specs)
            for venue, message in self._survey.too_many.items():
                errors.setdefault(venue, Failure(LimitExceeded.code, message))
        nominations = found.nominations[:CONFIRMED_MAX]
        self._confirm(nominations, specs, tickers, rules)
        now_ms = self._clock.now_ms()
        return Scan(
            source=Source.STREAM,
            scanned_at=self._clock.now(),
            took_ms=round((time.monotonic() - started) * 1_000),
            venue_count=len(specs),
            markets=found.markets,
            pairs=found.pairs,
            cycles=found.cycles,
            nominated=len(found.nominations),
            sightings=tuple(
                self._sighting_of(item).at(
                    now_ms, nomination=item, first_seen_ms=first_seen_ms[item.steps]
                )
                for item in nominations
            ),
            errors=errors,
            feeds=feeds,
        )

    def _sighting_of(self, nomination: Nomination) -> Sighting:
        confirmed = self._confirmed.get(nomination.steps)
        if confirmed is None:
            return Sighting(nomination, None, UNCONFIRMED, None, None)
        return confirmed[1]

    def _confirm(
        self,
        nominations: Sequence[Nomination],
        specs: Mapping[str, VenueSpec],
        tickers: Iterable[Ticker],
        rules: Mapping[MarketKey, MarketRules],
    ) -> None:
        """Judge as many nominations as books may be asked for, those that waited longest first."""
        known = {item.steps: self._confirmed.get(item.steps) for item in nominations}
        self._confirmed = {steps: found for steps, found in known.items() if found is not None}
        waiting = sorted(nominations, key=lambda item: (known[item.steps] or (0,))[0])
        keys: dict[MarketKey, None] = {}
        chosen: list[Nomination] = []
        for item in waiting:
            asked = {**keys, **dict.fromkeys(step.key for step in item.steps)}
            if len(asked) > self._books_per_scan:
                break
            keys = asked
            chosen.append(item)
        if not chosen:
            return
        wanted = [(specs[key.venue], key.symbol) for key in keys if key.venue in specs]
        books = self._fetch(wanted)
        prices = price_assets(tickers, rules)
        now_ms = self._clock.now_ms()
        for item in chosen:
            seen = sight(item, books=books, rules=rules, prices=prices, now_ms=now_ms)
            self._confirmed[item.steps] = (now_ms, seen)


def _survey_of(rules: Mapping[MarketKey, MarketRules]) -> LiveSurvey:
    return LiveSurvey(rules, starts=(settings.REPORTING_ASSET, *START_ASSETS))


def _fetch_books(keys: Sequence[tuple[VenueSpec, str]]) -> Books:
    report = fetch_books(keys, depth=DEPTH)
    for key, error in report.errors.items():
        logger.info("No book of %s for the scanner: %s", key, error)
    return {MarketKey(*key): book for key, book in report.books.items()}
