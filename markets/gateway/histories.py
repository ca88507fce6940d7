"""Histories that are longer than one answer: read to their end, or not at all.

A part of a history that passes for the whole is worse than none: what it leaves out looks as if it
had never happened.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from arbplatform.core.errors import Message
from markets.errors import VenueRateLimited
from markets.gateway.client import Client
from markets.gateway.error_map import Effect, Malformed
from markets.gateway.patience import Patience
from markets.gateway.quirks import Paging, Quirks
from markets.gateway.session import Session

PAGE = 500
"""Rows that are asked for at once, where the venue gives so many."""

UNSTATED_PAGE = 50
"""Rows that are asked for at once where nobody says how many the venue gives."""

PAGES_MAX = 40

KEPT_PAGES_MAX = 200
"""Answers of one history that are read over several rounds, at most."""

KEPT_ROWS_MAX = 20_000
"""Rows of one history that are kept; one that has grown beyond is read anew, from later on."""

_FEATURES: Mapping[str, str] = {
    "fetch_my_trades": "fetchMyTrades",
    "fetch_orders": "fetchOrders",
    "fetch_closed_orders": "fetchClosedOrders",
    "fetch_canceled_orders": "fetchClosedOrders",
    "fetch_canceled_and_closed_orders": "fetchClosedOrders",
}
"""Under which name ccxt says how many rows a venue gives at once."""


def read_pages(
    session: Session,
    method: str,
    symbol: str,
    since_ms: int | None,
    patience: Patience | None = None,
) -> list[Any]:
    """Return a history of a market since a time, each row once.

    Each answer is a call of its own, so that an order never waits for a whole history. In the
    background they are waited for until the rate budget has room.

    Args:
        session: with the venue; nothing of it may be lent to the caller.
        method: of ccxt, that takes a symbol, a time, a limit and parameters.
        symbol: the market.
        since_ms: from when on [ms since epoch]; ``None``: what the venue gives in one answer.
        patience: how it waits for room; ``None``: as who reads it is waited for.

    Raises:
        Malformed: an answer is no list, or the end of the history cannot be reached.
    """
    quirks, patience = session.quirks, patience or Patience()
    if since_ms is None:
        return patience.take(partial(_read_page, session, method, symbol, symbol, None)).rows
    if quirks.paging is Paging.OFFSET:
        histories = shared() or Histories(PAGES_MAX)
        reader = _Reader(session, method, symbol, since_ms, patience)
        return reader.bring_up_to_date(histories.of(session, method, since_ms))
    start_ms, more = since_ms, dict[str, int]()
    rows: dict[tuple[Any, Any], Any] = {}
    for _number in range(PAGES_MAX):
        arguments = (symbol, start_ms, more) if more else (symbol, start_ms)
        page = patience.take(partial(_read_page, session, method, symbol, *arguments))
        fresh = {key: row for row in page.rows if (key := _key(row)) not in rows}
        rows |= fresh
        if not page.is_full:
            return [row for row in rows.values() if row.get("symbol") in {None, symbol}]
        if quirks.paging is Paging.UNKNOWN:
            break
        if not fresh:
            raise Malformed(Message("more happened at one moment than one answer holds"))
        if quirks.paging is Paging.BACKWARD:
            more = {"until": min(_moments(page.rows)) + quirks.end_step_ms}
        else:
            start_ms = max(_moments(page.rows))  # the same millisecond again
    raise Malformed(Message("more happened since then than can be read"))


@dataclass(slots=True)
class _Kept:
    """What is known of a history of all markets of an account: its newest rows, without a gap.

    Attributes:
        session: whose history.
        since_ms: from when on [ms since epoch].
        pages_left: answers that may still be read.
        rows: those that ccxt left of it.
        place: how many of the venue's rows that is at least; older ones come behind it.
        is_whole: all of it is known, as of the last look.
        is_current: this round has looked.
    """

    session: Session
    since_ms: int
    pages_left: int
    rows: dict[tuple[Any, Any], Any] = field(default_factory=dict)
    place: int = 0
    is_whole: bool = False
    is_current: bool = False

    def serves(self, session: Session, since_ms: int) -> bool:
        """Return whether it reaches back so far, or will when it is read on."""
        is_same = self.session is session and self.since_ms <= since_ms
        is_short = len(self.rows) <= KEPT_ROWS_MAX
        return is_same and is_short and (self.is_whole or self.pages_left > 0)


class Histories:
    """Histories that a venue tells for all markets of an account together.

    Each is read once in a round, whichever markets are asked about. One that is longer than the
    rate budget allows in a round is read on in the next: what happens meanwhile comes in front of
    it, so that the place where it was left is only farther back, and nothing is passed over.

    Args:
        pages_max: answers of one history, at most.
    """

    def __init__(self, pages_max: int = KEPT_PAGES_MAX) -> None:
        self._pages_max = pages_max
        self._kept: dict[str, _Kept] = {}

    def begin_round(self) -> None:
        """Ask for what is new once more."""
        for kept in self._kept.values():
            kept.is_current = False

    def of(self, session: Session, method: str, since_ms: int) -> _Kept:
        """Return what is known of a history, as far as it is of use."""
        kept = self._kept.get(method)
        if kept is None or not kept.serves(session, since_ms):
            kept = self._kept[method] = _Kept(session, since_ms, self._pages_max)
        return kept


_HISTORIES: ContextVar[Histories | None] = ContextVar("histories", default=None)


@contextmanager
def sharing(histories: Histories) -> Iterator[None]:
    """Let reads of this thread go by what is known of histories already, until the block ends.

    For comparisons only: who looks an order up wants to know what is there now.
    """
    token = _HISTORIES.set(histories)
    try:
        yield
    finally:
        _HISTORIES.reset(token)


def shared() -> Histories | None:
    """Return what reads of this thread go by."""
    return _HISTORIES.get()


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one history of all markets for one of them."""

    session: Session
    method: str
    symbol: str
    since_ms: int
    patience: Patience

    def bring_up_to_date(self, kept: _Kept) -> list[Any]:
        """Read what is missing and return the rows of the market.

        Raises:
            VenueRateLimited: there is no room for all of it now; what was read stays.
            Malformed: it is too long, or an answer is no list.
        """
        if not kept.is_current and kept.place:
            self._read_new(kept)
        while not kept.is_whole:
            self._read_on(kept)
        kept.is_current = True
        return [
            row
            for row in kept.rows.values()
            if row.get("symbol") in {None, self.symbol}
            and (row.get("timestamp") or self.since_ms) >= self.since_ms
        ]

    def _read_new(self, kept: _Kept) -> None:
        """Read what has come in front since the last round: up to a row that is known.

        If that fails, the longer one of two pieces with a gap between them is read on.

        Executions come newest first. Of orders that have ended kraken does not say by which time it
        sorts them, and ccxt sorts each answer anew: one that rested long may come in behind what is
        known, and stay unread until a round reads it all at once. So nothing may be concluded from
        an order's absence; its own report and the executions tell.
        """
        newer = _Kept(kept.session, kept.since_ms, PAGES_MAX)
        try:
            while not newer.is_whole and kept.rows.keys().isdisjoint(newer.rows):
                self._read_on(newer)
        except (VenueRateLimited, Malformed):
            if newer.place > kept.place or not newer.pages_left:
                kept.rows, kept.place, kept.is_whole = newer.rows, newer.place, False
            raise
        kept.place += len(newer.rows.keys() - kept.rows.keys())
        kept.rows |= newer.rows
        kept.is_whole |= newer.is_whole
        kept.is_current = True

    def _read_on(self, kept: _Kept) -> None:
        """Read one answer more, behind what is known."""
        if not kept.pages_left:
            raise Malformed(Message("more happened since then than can be read"))
        more = [{self.session.quirks.offset_param: kept.place}] if kept.place else []
        ask = partial(
            _read_page, self.session, self.method, self.symbol, None, kept.since_ms, *more
        )
        page = self.patience.take(ask)
        kept.rows |= {_key(row): row for row in page.rows}
        kept.place += page.size
        kept.pages_left -= 1
        kept.is_whole = not page.is_full


@dataclass(frozen=True, slots=True)
class _Page:
    """One answer.

    Attributes:
        rows: what ccxt left of it.
        size: how many rows were asked for.
        is_full: so many came.
    """

    rows: list[Any]
    size: int
    is_full: bool


def _read_page(
    session: Session, method: str, symbol: str, asked: str | None, start_ms: int | None, *more: Any
) -> _Page:
    with session.call(Effect.LOOKUP, symbol) as client:
        size = _page_size(client, method, session.quirks)
        rows = session.rows(client, method, asked, start_ms, size, *more)
        # ccxt drops what was made before then, as an order that ended since: it counts here
        is_full = max(len(rows), _count_rows(client.raw_answer)) >= size
        return _Page(rows, size, is_full)


def _page_size(client: Client, method: str, quirks: Quirks) -> int:
    """Return how many rows one answer holds when there are more."""
    if quirks.page_size is not None:
        return quirks.page_size
    features = (client.features or {}).get("spot") or {}
    stated = (features.get(_FEATURES[method]) or {}).get("limit")
    if isinstance(stated, int):
        return min(PAGE, stated)
    return UNSTATED_PAGE if quirks.paging is Paging.UNKNOWN else PAGE


def _count_rows(answer: object) -> int:
    """Return how many rows the longest list in a raw answer holds, by number or by name."""
    parts = list(answer.values()) if isinstance(answer, Mapping) else answer
    if not isinstance(parts, list):
        return 0
    inner = [part for part in parts if isinstance(part, Mapping | list)]
    own = sum(isinstance(part, Mapping) for part in inner)
    return max([own, *(_count_rows(part) for part in inner)])


def _key(row: Mapping[str, Any]) -> tuple[Any, Any]:
    # the side belongs to it: both halves of a trade with oneself carry one id
    return row.get("id"), row.get("side")


def _moments(page: list[Any]) -> list[int]:
    """Return when the rows of a page were made [ms since epoch].

    Raises:
        Malformed: none of them says it.
    """
    moments = [row["timestamp"] for row in page if row.get("timestamp")]
    if not moments:
        raise Malformed(Message("the answer holds no {what}", {"what": "time"}))
    return moments
