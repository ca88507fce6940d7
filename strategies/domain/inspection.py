"""Which books a decision may rest on: fresh, whole and taken at about the same moment."""

from collections.abc import Iterable, Iterator
from operator import ge, itemgetter, le
from typing import Any

from arbplatform.core.decimals import ZERO
from markets.domain.book import Book
from strategies.domain.intents import Rejection
from strategies.domain.reasons import reject
from strategies.domain.view import MarketKey, MarketView

_PRICE_OF = itemgetter(0)


def name_market(key: MarketKey) -> str:
    """Return what people call a market: ``BTC/USDT alpha``."""
    return f"{key.symbol} {key.venue}"


def reject_book(
    view: MarketView, key: MarketKey, *, age_ms_max: int, depth: int
) -> Rejection | None:
    """Return why a market cannot be used at all now; ``None`` when it can.

    Args:
        view: the moment and its books.
        key: a market whose rules are in ``view``.
        age_ms_max: oldest book that may be used, either way: a book from the future means that a
            clock jumped [ms].
        depth: how many levels of each side to look at.
    """
    named: dict[str, Any] = {"symbol": key.symbol, "venue": key.venue}
    subject = name_market(key)
    if not view.rules[key].is_active:
        return reject(subject, "market_inactive", **named)
    book = view.books.get(key)
    if book is None:
        return reject(subject, "no_book", **named)
    age_ms = book.age_ms(view.now_ms)
    if abs(age_ms) > age_ms_max:
        return reject(subject, "book_stale", **named, age_ms=age_ms, age_ms_max=age_ms_max)
    if book.best_bid and book.best_ask and book.is_crossed:
        return reject(
            subject, "book_crossed", **named, bid=book.best_bid.price, ask=book.best_ask.price
        )
    if not _is_ordered(book, depth):
        return reject(subject, "book_broken", **named)
    return None


def _is_ordered(book: Book, depth: int) -> bool:
    """Return whether all prices are positive and none is better than one that stands before it."""
    asks = list(map(_PRICE_OF, book.asks[:depth]))
    bids = list(map(_PRICE_OF, book.bids[:depth]))
    return (
        all(map(le, asks, asks[1:]))
        and all(map(ge, bids, bids[1:]))
        and (not asks or asks[0] > ZERO)
        and (not bids or bids[-1] > ZERO)
    )


def reject_empty_sides(book: Book, *, subject: str) -> Iterator[Rejection]:
    """Yield one rejection for each side of ``book`` that offers nothing."""
    named: dict[str, Any] = {"symbol": book.symbol, "venue": book.venue}
    if not book.asks:
        yield reject(subject, "book_without_asks", **named)
    if not book.bids:
        yield reject(subject, "book_without_bids", **named)


def reject_skew(books: Iterable[Book], *, skew_ms_max: int, subject: str) -> Rejection | None:
    """Return a rejection when the books were taken too far apart to be compared.

    Args:
        books: at least one.
        skew_ms_max: longest time between the oldest and the newest [ms].
        subject: names what they are compared for.
    """
    moments = [book.received_at_ms for book in books]
    skew_ms = max(moments) - min(moments)
    if skew_ms <= skew_ms_max:
        return None
    return reject(subject, "books_skewed", skew_ms=skew_ms, skew_ms_max=skew_ms_max)
