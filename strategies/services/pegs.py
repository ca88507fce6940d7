"""Keep what reference markets say of assets that are meant to be worth the same."""

from collections.abc import Collection, Iterable, Sequence

from django.conf import settings

from arbplatform.core.clock import SYSTEM_CLOCK, Clock, to_ms
from arbplatform.core.decimals import Price
from markets.domain.book import Book
from markets.models import Market
from markets.services.data import fetch_books
from strategies.domain.quality import Peg
from strategies.models import PegReading
from strategies.selectors import list_peg_markets, list_peg_readings

BOOK_DEPTH = 5


def list_references() -> list[Market]:
    """Return the reference markets: all between pegged assets, or those that are configured."""
    markets = list_peg_markets(settings.PEGGED_ASSETS)
    if not settings.PEG_REFERENCES:
        return markets
    wanted = set(settings.PEG_REFERENCES)
    return [market for market in markets if f"{market.venue.code}:{market.symbol}" in wanted]


def measure_pegs(*, clock: Clock = SYSTEM_CLOCK) -> list[PegReading]:
    """Look at every reference market and keep its mid; calls venues, outside any transaction.

    A market that shows no two sides now keeps what was measured last, and that grows old.

    Returns:
        What was measured now.
    """
    markets = list_references()
    if not markets:
        return []
    report = fetch_books([(market.venue, market.symbol) for market in markets], depth=BOOK_DEPTH)
    now = clock.now()
    rows = []
    for market in markets:
        book = report.books.get((market.venue.code, market.symbol))
        mid = None if book is None else _mid(book)
        if mid is not None:
            rows.append(PegReading(market=market, mid=mid, measured_at=now))
    PegReading.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["market"],
        update_fields=["mid", "measured_at"],
    )
    return rows


def map_pegs(markets: Iterable[Market]) -> dict[int, Peg]:
    """Return what is known of reference markets, by market id; unknown where never measured."""
    by_id = {market.pk: market for market in markets}
    readings = list_peg_readings(by_id) if by_id else {}
    return {pk: _peg(market, readings.get(pk)) for pk, market in by_id.items()}


def concerning(markets: Sequence[Market], codes: Collection[str]) -> tuple[Market, ...]:
    """Return the reference markets that one of some assets is a side of."""
    return tuple(row for row in markets if row.base.code in codes or row.quote.code in codes)


def _peg(market: Market, reading: PegReading | None) -> Peg:
    return Peg(
        venue=market.venue.code,
        symbol=market.symbol,
        base=market.base.code,
        quote=market.quote.code,
        mid=None if reading is None else reading.mid,
        measured_at_ms=0 if reading is None else to_ms(reading.measured_at),
    )


def _mid(book: Book) -> Price | None:
    bid, ask = book.best_bid, book.best_ask
    if bid is None or ask is None or book.is_crossed:
        return None
    return (bid.price + ask.price) / 2
