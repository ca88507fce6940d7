"""Who is told of which market."""

from markets.domain.live_book import LiveBook
from strategies.engine.board import Board
from strategies.sdk import MarketKey

BTC, ETH = MarketKey("alpha", "BTC/USDT"), MarketKey("alpha", "ETH/USDT")


class Notes:
    def __init__(self):
        self.heard = []

    def book_changed(self, key, book, at_ns):
        self.heard.append(("changed", key, at_ns))

    def book_lost(self, key):
        self.heard.append(("lost", key))


def test_only_those_who_watch_a_market_are_told_of_it():
    board, one, other = Board(), Notes(), Notes()
    board.place(one, [BTC, ETH])
    board.place(other, [ETH])

    board.book_changed(LiveBook(*BTC), 7)
    board.book_lost(*ETH)
    board.book_changed(LiveBook("beta", "BTC/USDT"), 8)
    board.book_lost("beta", "BTC/USDT")

    assert one.heard == [("changed", BTC, 7), ("lost", ETH)]
    assert other.heard == [("lost", ETH)]


def test_whoever_watches_other_markets_now_is_told_of_those_only():
    board, one = Board(), Notes()
    board.place(one, [BTC])
    board.place(one, [ETH])

    board.book_changed(LiveBook(*BTC), 1)
    board.book_changed(LiveBook(*ETH), 2)

    assert one.heard == [("changed", ETH, 2)]


def test_whoever_has_left_is_told_nothing():
    board, one, other = Board(), Notes(), Notes()
    board.place(one, [BTC])
    board.place(other, [BTC])
    board.remove(one)
    board.remove(one)

    board.book_changed(LiveBook(*BTC), 1)

    assert one.heard == []
    assert other.heard == [("changed", BTC, 1)]
