"""Histories that are longer than one answer: read to their end, or not at all.

A part of a history that passes for the whole is worse than none: what it leaves out looks as if it
had never happened.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from arbplatform.core.errors import Message
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
    asked = None if quirks.paging is Paging.OFFSET else symbol
    start_ms, more = since_ms, dict[str, int]()
    rows: dict[tuple[Any, Any], Any] = {}
    for number in range(1, PAGES_MAX + 1):
        arguments = (asked, start_ms, more) if more else (asked, start_ms)
        page = patience.take(partial(_read_page, session, method, symbol, *arguments))
        fresh = {key: row for row in page.rows if (key := _key(row)) not in rows}
        rows |= fresh
        if not page.is_full:
            return [row for row in rows.values() if row.get("symbol") in {None, symbol}]
        if quirks.paging is Paging.UNKNOWN:
            break
        if quirks.paging is Paging.OFFSET:
            more = {quirks.offset_param: number * page.size}
        elif not fresh:
            raise Malformed(Message("more happened at one moment than one answer holds"))
        elif quirks.paging is Paging.BACKWARD:
            more = {"until": min(_moments(page.rows)) + quirks.end_step_ms}
        else:
            start_ms = max(_moments(page.rows))  # the same millisecond again
    raise Malformed(Message("more happened since then than can be read"))


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
