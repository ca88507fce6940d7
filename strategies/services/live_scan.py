"""The scanner as it runs in a process of its own: told of prices, it knows what earns.

Best prices of all symbols of all enabled venues come in one by one; the kernels know at any moment
which round trips earn at them. Once a second the best of those are judged on real books, exactly,
and passed on: to whoever shows them, and to the clients that are told as it happens.

The markets of what earns are named as watched, so that an engine follows their books, which then
cost the venues nothing. Other books are asked for in turn, those that were never looked at first,
and no more than ``BOOKS_PER_SCAN`` a second over REST: looking around leaves the rates of the
venues to those who trade. A venue that does not answer holds up its own round trips only.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from threading import Lock

from django.conf import settings
from redis.exceptions import RedisError

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.decimals import Price
from arbplatform.core.errors import LimitExceeded
from markets.domain.book import Book
from markets.domain.quote import Ticker
from markets.domain.rules import MarketRules
from markets.gateway.base import VenueSpec
from markets.selectors import list_rules, list_venues
from markets.services.data import VENUES_MAX, fetch_books
from markets.services.feeds import read_live_books, register_interest
from strategies.domain.live_survey import LiveSurvey, Steps
from strategies.domain.scan import Nomination
from strategies.domain.shortlist import shortlist
from strategies.domain.view import MarketKey
from strategies.services.book_desk import ANSWER_S, BookDesk, Books, FetchBooks
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
UNTOLD_MS_MAX = 180_000
"""A price that was not told again for so long is forgotten: of a market that is still listed, it is
told once a minute even if nothing has changed [ms]."""

Watch = Callable[[Collection[tuple[str, str]]], None]


class LiveScanner:
    """Everything that earns anywhere now.

    Prices may be told by one thread while another one scans.

    Args:
        clock: tells the time.
        fetch: asks for books; those that cannot be had are left out.
        read_live: returns those books that an engine follows.
        watch: names markets as watched.
        books_per_scan: so many are asked for in one scan at most, three or more.
        answer_s: how long a scan waits for them [s].
    """

    def __init__(
        self,
        *,
        clock: Clock = SYSTEM_CLOCK,
        fetch: FetchBooks | None = None,
        read_live: FetchBooks | None = None,
        watch: Watch | None = None,
        books_per_scan: int = BOOKS_PER_SCAN,
        answer_s: float = ANSWER_S,
    ) -> None:
        self._clock = clock
        self._books_per_scan = books_per_scan
        self._desk = BookDesk(fetch or _fetch_books, answer_s=answer_s)
        self._read_live = read_live or _read_live_books
        self._watch = watch or _name_as_watched
        self._lock = Lock()
        self._specs: dict[str, VenueSpec] = {}
        self._survey = _survey_of({}, {})
        self._tickers: dict[MarketKey, Ticker] = {}
        self._told_ms: dict[MarketKey, int] = {}
        self._confirmed: dict[Steps, tuple[int, Sighting]] = {}
        self._errors: dict[str, Failure] = {}
        self._feeds: dict[str, Source] = {}

    def reload(self) -> list[VenueSpec]:
        """Read which venues and markets there are, and return how to reach the venues.

        Called by the thread that scans, or while nobody does.
        """
        specs = {v.code: v.to_spec() for v in list_venues(is_enabled=True)[:VENUES_MAX]}
        rules = {MarketKey(*key): item for key, item in list_rules(specs).items()}
        old, made = self._survey, None
        if rules != old.rules:
            # finding all cycles may take seconds, in which prices go on coming in
            made = _survey_of(rules, old.standing_since_ms)
        with self._lock:
            self._specs = specs
            if made is not None:
                self._tickers = {k: t for k, t in self._tickers.items() if k in rules}
                self._told_ms = {k: told_ms for k, told_ms in self._told_ms.items() if k in rules}
                self._survey = made
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
        now_ms = self._clock.now_ms()
        with self._lock:
            told = {
                key: ticker
                for ticker in tickers
                if (key := MarketKey(venue, ticker.symbol)) in self._survey.rules
            }
            self._tickers.update(told)
            self._told_ms.update(dict.fromkeys(told, now_ms))
            self._survey.update(told.values())
            self._errors.pop(venue, None)
            self._feeds[venue] = source

    def venue_lost(self, venue: str, failure: Failure) -> None:
        """Forget the prices of a venue that cannot be seen any more.

        Args:
            venue: code of the venue.
            failure: why.
        """
        with self._lock:
            self._forget([key for key in self._tickers if key.venue == venue])
            self._errors[venue] = failure
            self._feeds.pop(venue, None)

    def forget(self) -> None:
        """Forget all prices and what was made of them: nobody tells of changes any more."""
        with self._lock:
            self._forget(list(self._tickers))
            self._survey.first_seen_ms((), self._clock.now_ms())
            self._confirmed, self._errors, self._feeds = {}, {}, {}

    def scan(self) -> Scan:
        """Return what earns now, the best of it judged on real books."""
        started = time.monotonic()
        now_ms = self._clock.now_ms()
        with self._lock:
            oldest_ms = now_ms - UNTOLD_MS_MAX
            self._forget([key for key, told_ms in self._told_ms.items() if told_ms < oldest_ms])
            found, rules = self._survey.survey(), self._survey.rules
            first_seen_ms = self._survey.first_seen_ms(found.nominations, now_ms)
            tickers, feeds = list(self._tickers.values()), dict(self._feeds)
            tops = dict(self._survey.tops)
            errors, specs = dict(self._errors), dict(self._specs)
            for venue, message in self._survey.too_many.items():
                errors.setdefault(venue, Failure(LimitExceeded.code, message))
        prices = price_assets(tickers, rules, now_ms=now_ms) if found.nominations else {}
        nominations = shortlist(
            found.nominations, tops=tops, rules=rules, prices=prices, limit=CONFIRMED_MAX
        )
        self._confirm(nominations, specs, prices, rules)
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

    def _forget(self, keys: Collection[MarketKey]) -> None:
        """Forget the prices of markets. Called under the lock."""
        self._survey.drop(keys)
        for key in keys:
            del self._tickers[key]
            del self._told_ms[key]

    def _sighting_of(self, nomination: Nomination) -> Sighting:
        confirmed = self._confirmed.get(nomination.steps)
        if confirmed is None:
            return Sighting(nomination, None, UNCONFIRMED, None, None)
        return confirmed[1]

    def _confirm(
        self,
        nominations: Sequence[Nomination],
        specs: Mapping[str, VenueSpec],
        prices: Mapping[str, Price],
        rules: Mapping[MarketKey, MarketRules],
    ) -> None:
        """Judge what has live books, and of the rest what waited longest."""
        known = {item.steps: self._confirmed.get(item.steps) for item in nominations}
        self._confirmed = {steps: found for steps, found in known.items() if found is not None}
        keys = dict.fromkeys(step.key for item in nominations for step in item.steps)
        if not keys:
            return
        self._watch(keys)
        live = self._read_live([(specs[k.venue], k.symbol) for k in keys if k.venue in specs])
        waiting = sorted(nominations, key=lambda item: (known[item.steps] or (0,))[0])
        self._desk.ask(self._choose(waiting, live), specs)
        books: dict[MarketKey, Book | None] = {**self._desk.answers(), **live}
        had = {key: book for key, book in books.items() if book is not None}
        now_ms = self._clock.now_ms()
        for item in waiting:
            if all(step.key in books for step in item.steps):
                seen = sight(item, books=had, rules=rules, prices=prices, now_ms=now_ms)
                self._confirmed[item.steps] = (now_ms, seen)

    def _choose(self, waiting: Sequence[Nomination], live: Books) -> list[MarketKey]:
        """Return which books are to be asked for: all that a round trip lacks, or none of them."""
        busy = self._desk.busy
        missing: dict[MarketKey, None] = {}
        for item in waiting:
            needed = dict.fromkeys(step.key for step in item.steps if step.key not in live)
            if any(key.venue in busy for key in needed):
                continue
            if len({**missing, **needed}) <= self._books_per_scan:
                missing.update(needed)
        return list(missing)


def _survey_of(
    rules: Mapping[MarketKey, MarketRules], standing_since_ms: Mapping[Steps, int]
) -> LiveSurvey:
    starts = (settings.REPORTING_ASSET, *START_ASSETS)
    return LiveSurvey(rules, starts=starts, standing_since_ms=standing_since_ms)


def _fetch_books(keys: Sequence[tuple[VenueSpec, str]]) -> Books:
    report = fetch_books(keys, depth=DEPTH)
    for key, error in report.errors.items():
        logger.info("No book of %s for the scanner: %s", key, error)
    return {MarketKey(*key): book for key, book in report.books.items()}


def _read_live_books(keys: Sequence[tuple[VenueSpec, str]]) -> Books:
    return {MarketKey(*key): book for key, book in read_live_books(keys, DEPTH).items()}


def _name_as_watched(pairs: Collection[tuple[str, str]]) -> None:
    try:
        register_interest(pairs)
    except (RedisError, OSError) as error:
        logger.info("No engine follows what the scanner looks at: %s", error)
