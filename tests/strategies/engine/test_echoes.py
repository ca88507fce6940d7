"""How long a market rests after it was traded on."""

import pytest

from markets.domain.live_book import LiveBook
from strategies.engine.echoes import WAIT_MS_MAX, Echoes
from strategies.sdk import MarketKey

KEY = MarketKey("alpha", "BTC/USDT")
TRADED_AT_MS = 1_000


@pytest.fixture
def book():
    live = LiveBook(*KEY)
    live.replace([["1", "1"]], [["2", "1"]], received_at_ms=900, venue_time_ms=900)
    return live


@pytest.fixture
def echoes(book):
    waiting = Echoes()
    waiting.expect({KEY: TRADED_AT_MS}, {KEY: book.version}, now_ms=50.0)
    return waiting


def change(book, venue_time_ms):
    book.apply([["1", "0.5"]], [], received_at_ms=1_001, venue_time_ms=venue_time_ms)


def test_without_a_trade_there_is_nothing_to_wait_for(book):
    assert Echoes().wait_ms(50.0) == 0


def test_the_book_that_was_decided_on_does_not_show_the_trade(echoes, book):
    echoes.hear(KEY, book)

    assert echoes.wait_ms(50.0) == WAIT_MS_MAX


def test_nor_does_one_that_was_made_before_the_trade(echoes, book):
    change(book, TRADED_AT_MS - 1)
    echoes.hear(KEY, book)

    assert echoes.wait_ms(60.0) == WAIT_MS_MAX - 10


@pytest.mark.parametrize("venue_time_ms", [TRADED_AT_MS, TRADED_AT_MS + 1, None])
def test_a_later_one_shows_it_and_so_does_any_other_of_a_venue_without_times(
    echoes, book, venue_time_ms
):
    change(book, venue_time_ms)
    echoes.hear(KEY, book)

    assert echoes.wait_ms(50.0) == 0


def test_a_book_that_says_nothing_is_taken_as_it_is_after_a_while(echoes):
    assert echoes.wait_ms(50.0 + WAIT_MS_MAX - 1) == 1
    assert echoes.wait_ms(50.0 + WAIT_MS_MAX) == 0


def test_a_book_that_is_gone_is_not_waited_for(echoes):
    echoes.forget(KEY)

    assert echoes.wait_ms(50.0) == 0
