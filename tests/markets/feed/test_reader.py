"""What feeds read over REST, each venue in threads of its own."""

import asyncio
import threading
from typing import Any

import pytest

from markets.feed.reader import AT_ONCE, RestReader
from markets.gateway.base import VenueSpec
from markets.gateway.factory import use_gateways
from tests.markets.fakes.gateway import make_book

SYMBOL = "BTC/USDT"
HANGING = [VenueSpec(f"hangs-{number}", "binance") for number in range(8)]
WELL = VenueSpec("well", "binance")


class Gateway:
    """Answers at once, or when it may."""

    def __init__(self, code, may_answer, begun):
        self.venue, self._may_answer, self._begun = code, may_answer, begun

    def fetch_book(self, symbol, _depth):
        if self.venue.startswith("hangs"):
            self._begun.release()
            self._may_answer.wait(60)
        return make_book(self.venue, symbol)


@pytest.fixture
async def hung():
    """A reader of which every venue but one has been asked more than it answers at once."""
    may_answer, begun, reader = threading.Event(), threading.Semaphore(0), RestReader()

    def build(spec: VenueSpec, _key: Any) -> Any:
        return Gateway(spec.code, may_answer, begun)

    with use_gateways(build):
        waiting = [
            asyncio.ensure_future(reader.book(spec, SYMBOL, 5))
            for spec in HANGING
            for _call in range(AT_ONCE + 1)
        ]
        await asyncio.sleep(0)
        for _call in range(AT_ONCE * len(HANGING)):
            assert begun.acquire(timeout=30)
        yield reader, waiting
        may_answer.set()
        reader.close()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_however_many_venues_hang_the_others_are_read(hung):
    reader, waiting = hung

    async with asyncio.timeout(30):
        book = await reader.book(WELL, SYMBOL, 5)
        look = await reader.look(WELL, SYMBOL, 5)

    assert book == look == make_book("well", SYMBOL)
    assert not any(each.done() for each in waiting)


async def test_after_its_end_nothing_more_is_asked(hung):
    reader, waiting = hung
    reader.close()

    with pytest.raises(RuntimeError):
        await reader.book(WELL, SYMBOL, 5)
    # those for which no thread was free are not asked any more
    unbegun = waiting[AT_ONCE :: AT_ONCE + 1]
    await asyncio.wait(unbegun, timeout=30)
    assert [each for each in waiting if each.cancelled()] == unbegun
