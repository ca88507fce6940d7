"""Live books of simulated venues, over real sockets."""

import asyncio
from decimal import Decimal

import pytest
from aiohttp import WSMessage, WSMsgType

from markets.gateway.base import VenueSpec
from tests.markets.feed.stage import (
    FAST,
    SYMBOL,
    followed,
    move,
    reason_of,
    spec_of,
    streams,
    struck,
)


async def test_a_book_is_followed_from_its_snapshot_on(simulator, alpha):
    async with followed(alpha) as told:
        await told.until_state("healthy")
        assert told.books == [("alpha", SYMBOL, 50000.0, 50010.0)]

        move(simulator, "50001")
        await told.until_bid(50001.0)

        book = told.hub.book("alpha", SYMBOL).to_book(2)
        assert [level.price for level in book.bids] == [Decimal(50001), Decimal(50000)]
        assert [level.quantity for level in book.asks] == [Decimal(1), Decimal(2)]
        assert told.states_of() == ["resyncing", "healthy"]
        assert told.is_never_open_when_closed


async def test_exactly_what_is_wanted_is_subscribed(simulator, alpha, beta):
    async with followed(alpha, beta) as told:
        await told.until_state("healthy", "beta")
        await told.until_state("healthy", "alpha")
        assert streams(simulator, "alpha") == streams(simulator, "beta") == {"btcusdt@depth@100ms"}

        told.hub.want({alpha: [SYMBOL, "ETH/BTC"]})
        await told.until_state("stale", symbol="ETH/BTC")  # the simulated book is empty

        assert streams(simulator) == {"btcusdt@depth@100ms", "ethbtc@depth@100ms"}
        assert told.states_of("beta")[-1] == "down"
        assert told.hub.book("beta", SYMBOL) is None
        assert {status.venue for status in told.hub.statuses()} == {"alpha"}


async def test_a_market_that_the_venue_has_not_is_named_as_such(alpha):
    async with followed(alpha, symbols=[SYMBOL, "DOGE/USDT"]) as told:
        await told.until_state("healthy")

        assert told.states_of(symbol="DOGE/USDT") == ["down"]
        assert reason_of(told, "DOGE/USDT") == "The venue has no such market."


async def test_a_venue_whose_feeds_cannot_be_opened_keeps_no_other_from_being_fed(alpha, caplog):
    broken = VenueSpec("broken", "binance", "http://[no-address", "ws://[no-address")

    async with followed(broken, alpha) as told:
        await told.until_state("healthy")

    assert "The feeds of broken could not be opened" in caplog.text


async def test_nothing_is_handed_out_after_the_end(alpha):
    async with followed(alpha) as told:
        await told.until_state("healthy")
        await told.hub.close()

        assert told.hub.book("alpha", SYMBOL) is None
        assert told.states_of()[-1] == "down"
        assert told.is_never_open_when_closed


async def test_what_listens_may_fail_and_nothing_stops(simulator, alpha):
    class Failing:
        def __init__(self):
            self.calls = 0
            self.has_heard = asyncio.Event()

        def book_changed(self, _book):
            self.calls += 1
            self.has_heard.set()
            raise RuntimeError("broken")

        feed_changed = book_changed

    async with followed(alpha) as told:
        await told.until_state("healthy")
        failing = Failing()
        told.hub._gates._listener = failing

        move(simulator, "50001")
        await asyncio.wait_for(failing.has_heard.wait(), 10)

        assert told.bid() == 50001.0


async def test_streams_without_an_address_of_their_own_are_never_opened(simulator):
    spec = VenueSpec("alpha", "binance", f"{simulator.url}/alpha")

    async with followed(spec) as told:
        await told.until_state("down")

        assert reason_of(told) == (
            "The venue's streams have no address of their own: set its WebSocket origin."
        )


@pytest.mark.parametrize("kind", ["ws_gap", "ws_disconnect"])
async def test_two_lines_of_one_fault_close_one_venue_only(simulator, alpha, beta, kind):
    async with followed(alpha, beta) as told:
        await told.until_state("healthy", "beta")
        await told.until_state("healthy", "alpha")
        simulator.control.add_fault("alpha", kind, symbol=SYMBOL, stream="market")

        move(simulator, "50001")
        await struck(simulator, kind)
        move(simulator, "50002")
        await told.until_bid(50002.0)

        assert told.states_of("beta") == ["resyncing", "healthy"]
        assert told.states_of()[2:] != []
        assert told.is_never_open_when_closed


async def test_a_venue_that_cannot_be_reached_is_down_with_its_reason():
    spec = VenueSpec("gone", "binance", "http://127.0.0.1:9/gone", "ws://127.0.0.1:9/gone")

    async with followed(spec) as told:
        await told.until_state("down", "gone")

        assert "its markets could not be read" in reason_of(told)


async def test_books_of_a_class_of_many_venues_are_followed_as_ccxt_reads_them(simulator):
    spec = spec_of(simulator, "alpha", "binanceus")

    async with followed(spec) as told:
        await told.until_state("healthy")
        move(simulator, "50001")
        await told.until_bid(50001.0)

        assert told.hub.book("alpha", SYMBOL).to_book(1).bids[0].price == Decimal("50001.0")


async def test_a_book_that_ccxt_reads_is_left_when_nobody_wants_it_and_taken_again(simulator):
    spec = spec_of(simulator, "alpha", "binanceus")

    async with followed(spec, symbols=(SYMBOL, "ETH/BTC")) as told:
        await told.until_state("healthy")
        await told.until_state("stale", symbol="ETH/BTC")
        both = streams(simulator)

        told.hub.want({spec: ["ETH/BTC"]})
        told.hub.want({spec: ["ETH/BTC", SYMBOL]})
        await told.until(lambda: told.states_of().count("healthy") == 2)
        again = streams(simulator)
        told.hub.want({spec: [SYMBOL]})
        await told.until_so(lambda: len(streams(simulator)) == 1)

        assert len(both) == 2
        assert again == both
        assert told.states_of()[-1] == "healthy"


async def test_markets_that_ccxt_reads_come_back_together_after_a_lost_connection(simulator):
    async with followed(spec_of(simulator, "alpha", "binanceus")) as told:
        await told.until_state("healthy")
        venue = told.hub._venues["alpha"]

        pauses_ms = [venue._pause_ms(told.hub._kit.backoff()) for _ in range(100)]

        assert max(pauses_ms) <= FAST.first_pause_ms


async def test_a_message_that_ccxt_cannot_read_ends_the_connection(simulator):
    async with followed(spec_of(simulator, "alpha", "binanceus")) as told:
        await told.until_state("healthy")
        streams_ = told.hub._venues["alpha"]._streams
        [client] = streams_._open_clients()

        client.handle_message(WSMessage(WSMsgType.BINARY, b"\xff", None))
        await told.until_state("down")

        assert reason_of(told) == "The connection failed: NetworkError."
        await told.until_state("healthy")
