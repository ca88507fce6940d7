"""What one message about a book costs, from its text to a book whose best prices are known.

Differences of 1, 10 and 50 levels in Binance's format, near the top of a book of 1,000 levels a
side. Beside ours, in the same run: ccxt.pro, given the same text, through its own JSON parser and
its own handler (it makes floats of the digits and checks the numbers, as ours does), and a
dictionary that is searched for its best prices and checks nothing. Further: the ways to read bare
numbers without making floats of them, and what 5,000 live books of 50 levels weigh.

Usage: ``python -m benchmarks.book_intake``. Targets: 10 levels ≤ 20 µs with JSON and checks, never
slower than ccxt.pro; 5,000 books ≤ 600 MB.
"""

import json
import re
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from random import Random
from types import SimpleNamespace
from typing import Any

import ccxt.pro
import orjson

from benchmarks.parts.results import Row, at_most, report, times_better
from benchmarks.parts.scripts import make_parser, run_script
from markets.domain.live_book import LiveBook
from markets.gateway.wire.binance import BINANCE
from markets.gateway.wire.decoding import decode_bare
from markets.gateway.wire.keeper import BookKeeper
from markets.gateway.wire.messages import BookKind, BookMessage

DEPTH = 1_000
MESSAGES = 2_000
ROUNDS = 7
LEVELS = (1, 10, 50)
COST_US_MAX = {1: 10, 10: 20, 50: 60}
BOOKS = 5_000
BOOK_LEVELS = 50
MEMORY_MB_MAX = 600
SYMBOL_ID = "BTCUSDT"


def price_of(tick: int) -> str:
    """Return a price as Binance writes it."""
    return f"{60_000 + tick / 100:.8f}"


def make_snapshot() -> dict[str, Any]:
    """Return the body of a snapshot."""
    random = Random(1)  # noqa: S311 - repeatable on purpose
    sides = (range(0, -DEPTH, -1), range(1, DEPTH + 1))
    bids, asks = (
        [[price_of(tick), f"{random.random() * 3:.8f}"] for tick in side] for side in sides
    )
    return {"lastUpdateId": 0, "bids": bids, "asks": asks}


def make_texts(levels: int, count: int) -> list[str]:
    """Return differences as they come over the wire; three levels in ten go, most near the top."""
    random = Random(levels)  # noqa: S311 - repeatable on purpose
    texts = []
    for number in range(1, count + 1):
        sides: dict[str, list[list[str]]] = {"b": [], "a": []}
        for _ in range(levels):
            away = min(int(random.expovariate(0.1)), DEPTH - 1)
            side, tick = ("a", 1 + away) if random.random() < 0.5 else ("b", -away)
            size = 0.0 if away and random.random() < 0.3 else random.random() * 3 + 1e-6
            sides[side].append([price_of(tick), f"{size:.8f}"])
        event = {"e": "depthUpdate", "E": number, "s": SYMBOL_ID, "U": number, "u": number}
        texts.append(json.dumps({"stream": "btcusdt@depth@100ms", "data": event | sides}))
    return texts


def ours() -> Callable[[str], object]:
    """Return what takes in a text with our protocol and keeper."""
    keeper = BookKeeper(BINANCE, LiveBook("binance", "BTC/USDT"))
    body = make_snapshot()
    snapshot = BookMessage(SYMBOL_ID, BookKind.SNAPSHOT, None, 0, body["bids"], body["asks"])
    keeper.adopt(snapshot, received_at_ms=1)

    def take(text: str) -> object:
        for message in BINANCE.read(BINANCE.decode(text)):
            keeper.take(message, received_at_ms=1)
        return keeper.book.best_bid, keeper.book.best_ask

    return take


def of_ccxt() -> Callable[[str], object]:
    """Return what takes in a text with ccxt.pro's own parser and handler."""
    exchange = ccxt.pro.binance()
    exchange.set_markets([exchange.safe_market(SYMBOL_ID) | market()])
    body = make_snapshot()
    bids, asks = (
        [[float(part) for part in level] for level in body[side]] for side in ("bids", "asks")
    )
    book = exchange.order_book({"nonce": 0, "bids": bids, "asks": asks})
    exchange.orderbooks["BTC/USDT"] = book
    client = SimpleNamespace(
        url="wss://stream.binance.com:9443/stream",
        resolve=lambda _result, _hash: None,
        reject=_reject,
        subscriptions={},
    )

    def take(text: str) -> object:
        exchange.handle_order_book(client, orjson.loads(text)["data"])
        return book["bids"][0][0], book["asks"][0][0]

    return take


def _reject(error: BaseException, _hash: str) -> None:
    raise error


def market() -> dict[str, Any]:
    """Return as much of a market as ccxt looks at here."""
    return {
        "id": SYMBOL_ID,
        "lowercaseId": SYMBOL_ID.lower(),
        "symbol": "BTC/USDT",
        "base": "BTC",
        "quote": "USDT",
        "type": "spot",
        "spot": True,
        "active": True,
    }


def naive() -> Callable[[str], object]:
    """Return what keeps dictionaries and searches their keys for the best prices."""
    body = make_snapshot()
    sides = {side[0]: {float(p): float(q) for p, q in body[side]} for side in ("bids", "asks")}

    def take(text: str) -> object:
        event = orjson.loads(text)["data"]
        for name, side in sides.items():
            for price, quantity in event[name]:
                size = float(quantity)
                if size:
                    side[float(price)] = size
                else:
                    side.pop(float(price), None)
        return max(sides["b"]), min(sides["a"])

    return take


def cost_us(make: Callable[[], Callable[[str], object]], texts: Sequence[str]) -> float:
    """Return the processor time of one text, the best of several rounds [µs]."""
    costs = []
    for _ in range(ROUNDS):
        take = make()
        began = time.process_time_ns()
        for text in texts:
            take(text)
        costs.append((time.process_time_ns() - began) / len(texts) / 1_000)
    return min(costs)


def check_equal(texts: Sequence[str]) -> None:
    """Raise unless all three know the same best prices after each text."""
    takers = [make() for make in (ours, of_ccxt, naive)]
    for text in texts:
        if len({take(text) for take in takers}) != 1:
            raise SystemExit("The books are not equal: the comparison would be worth nothing.")


def measure_intake(count: int) -> Iterator[Row]:
    """Yield what a message of each size costs."""
    for levels in LEVELS:
        texts = make_texts(levels, count)
        check_equal(texts[:300])
        cost = cost_us(ours, texts)
        yield at_most(
            f"text to book, {levels} levels",
            cost,
            "µs",
            COST_US_MAX[levels],
            reference=cost_us(of_ccxt, texts),
            reference_name="ccxt.pro",
            ratio_max=1,
        )
        reference = cost_us(naive, texts)
        yield Row(
            f"text to book, {levels} levels, beside a dictionary",
            cost,
            "µs",
            reference=reference,
            reference_name="dictionary",
            ratio=cost / reference,
        )


NUMBERS = re.compile(r"(?<=[:\[,])(-?\d[\d.eE+-]*)(?=[,}\]])")


def quote_first(text: str) -> Any:
    """Put quotes around all numbers, then use the fastest parser."""
    return orjson.loads(NUMBERS.sub(r'"\1"', text))


def to_decimals(text: str) -> Any:
    """Have every number made a Decimal."""
    return json.loads(text, parse_float=Decimal)


def measure_decoding(count: int) -> Iterator[Row]:
    """Yield what it costs to read a message of bare numbers without making floats of them."""
    levels = ",".join(f'{{"price":{45_000 + n / 10},"qty":0.12345{n:03}}}' for n in range(10))
    text = f'{{"channel":"book","type":"update","data":[{{"bids":[{levels}],"asks":[]}}]}}'
    cost = cost_us(lambda: decode_bare, [text] * count)
    for name, decode in (("quotes around numbers", quote_first), ("Decimals", to_decimals)):
        yield times_better(
            f"10 bare levels decoded exactly, beside {name}",
            cost,
            "µs",
            1,
            reference=cost_us(lambda: decode, [text] * count),  # noqa: B023 - called here
            reference_name=name,
            is_cost=True,
        )


def measure_memory(count: int) -> Row:
    """Return what many live books weigh."""
    tracemalloc.start()
    books = []
    for number in range(count):
        book = LiveBook("binance", f"A{number}/USDT")
        snapshot = orjson.loads(orjson.dumps(make_snapshot_of(BOOK_LEVELS, number)))
        book.replace(*snapshot, received_at_ms=1)
        books.append(book)
    used = tracemalloc.get_traced_memory()[0] / 2**20 * BOOKS / count
    tracemalloc.stop()
    return at_most(f"{BOOKS:,} books of {BOOK_LEVELS} levels a side", used, "MB", MEMORY_MB_MAX)


def make_snapshot_of(levels: int, seed: int) -> tuple[list[list[str]], list[list[str]]]:
    """Return bids and asks whose strings no other book shares."""
    base = 1_000_000 + 1_000 * seed
    return (
        [[f"{base - n}.01000000", f"{seed + n}.50000000"] for n in range(levels)],
        [[f"{base + n}.02000000", f"{seed + n}.70000000"] for n in range(levels)],
    )


def main() -> int:
    """Print the rows; return 0 when all targets are met."""
    is_quick = make_parser(__doc__).parse_args().quick
    count = 200 if is_quick else MESSAGES
    rows = [*measure_intake(count), *measure_decoding(count)]
    rows.append(measure_memory(100 if is_quick else BOOKS))
    return report(rows)


if __name__ == "__main__":
    run_script(main)
