"""Histories that are longer than one answer: read to their end, or not at all.

A part of a history that passes for the whole is worse than none: what it leaves out looks as if it
had never happened.
"""

from collections.abc import Mapping
from typing import Any

from arbplatform.core.errors import Message
from markets.gateway.client import Client
from markets.gateway.error_map import Malformed
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
    session: Session, client: Client, method: str, symbol: str, since_ms: int | None
) -> list[Any]:
    """Return a history of a market since a time, each row once.

    Args:
        session: with the venue.
        client: lent for this call.
        method: of ccxt, that takes a symbol, a time, a limit and parameters.
        symbol: the market.
        since_ms: from when on [ms since epoch]; ``None``: what the venue gives in one answer.

    Raises:
        Malformed: an answer is no list, or the end of the history cannot be reached.
    """
    quirks, size = session.quirks, _page_size(client, method, session.quirks)
    if since_ms is None:
        return session.rows(client, method, symbol, None, size)
    asked = None if quirks.paging is Paging.OFFSET else symbol
    start_ms, more = since_ms, dict[str, int]()
    rows: dict[tuple[Any, Any], Any] = {}
    for number in range(1, PAGES_MAX + 1):
        page = session.rows(client, method, asked, start_ms, size, *([more] if more else []))
        fresh = {key: row for row in page if (key := _key(row)) not in rows}
        rows |= fresh
        # ccxt drops what was made before then, as an order that ended since: it counts here
        if max(len(page), _count_rows(client.raw_answer)) < size:
            return [row for row in rows.values() if row.get("symbol") in {None, symbol}]
        if quirks.paging is Paging.UNKNOWN:
            break
        if quirks.paging is Paging.OFFSET:
            more = {quirks.offset_param: number * size}
        elif not fresh:
            raise Malformed(Message("more happened at one moment than one answer holds"))
        elif quirks.paging is Paging.BACKWARD:
            more = {"until": min(_moments(page)) + quirks.end_step_ms}
        else:
            start_ms = max(_moments(page))  # the same millisecond again
    raise Malformed(Message("more happened since then than can be read"))


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
