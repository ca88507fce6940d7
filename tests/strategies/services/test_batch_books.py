"""Books that batches of ticks share."""

from threading import Event
from types import SimpleNamespace
from typing import Any

from markets.services.data import BooksReport
from strategies.sdk import MarketKey
from strategies.services import batch_books
from strategies.services.batch_books import FETCHES_MAX, BatchBooks
from tests.markets.fakes.gateway import make_book


def market_of(venue: str, symbol: str) -> dict[MarketKey, Any]:
    return {MarketKey(venue, symbol): SimpleNamespace(venue=venue, symbol=symbol)}


def test_a_venue_that_hangs_keeps_the_books_of_no_other(monkeypatch):
    release = Event()

    def fetch(keys, _depth):
        if keys[0][0] == "slow":
            release.wait(30)
        return BooksReport({key: make_book(*key) for key in keys})

    monkeypatch.setattr(batch_books, "fetch_books", fetch)
    monkeypatch.setattr(batch_books, "WAIT_S", 0.01)
    books = BatchBooks()
    for number in range(FETCHES_MAX + 1):
        assert not books.collect(market_of("slow", f"COIN{number}/USDT"), depth=5).books
    monkeypatch.setattr(batch_books, "WAIT_S", 5)

    try:
        found = books.collect(market_of("fast", "BTC/USDT"), depth=5)
    finally:
        release.set()

    assert list(found.books) == [MarketKey("fast", "BTC/USDT")]
