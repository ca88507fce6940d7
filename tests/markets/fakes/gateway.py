"""A gateway in memory, for tests of what stands above the port."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from markets.domain.book import Book, Level
from markets.domain.fees import FeeSchedule
from markets.domain.quote import Candle, Ticker
from markets.domain.rules import MarketRules
from markets.gateway.base import VenueSpec


def make_rules(venue: str, symbol: str, **changes: Any) -> MarketRules:
    base, quote = symbol.split("/")
    values: dict[str, Any] = {
        "venue": venue,
        "symbol": symbol,
        "base": base,
        "quote": quote,
        "tick": Decimal("0.01"),
        "lot": Decimal("0.0001"),
        "quantity_min": Decimal("0.0001"),
        "quantity_max": None,
        "notional_min": Decimal(5),
        "fees": FeeSchedule(maker=Decimal("0.0008"), taker=Decimal("0.001")),
        **changes,
    }
    return MarketRules(**values)


class FakeMarketGateway:
    """Answers from ``answers`` by method name: a value, or a callable of the arguments.

    An exception is raised. ``calls`` tells what was asked.
    """

    def __init__(self, spec: VenueSpec, answers: Mapping[str, Any]) -> None:
        self.venue = spec.code
        self.spec = spec
        self.answers = answers
        self.calls: list[tuple[Any, ...]] = []

    def fetch_time_ms(self) -> int:
        time_ms: int = self._answer("fetch_time_ms")
        return time_ms

    def fetch_markets(self) -> Sequence[MarketRules]:
        rules: Sequence[MarketRules] = self._answer("fetch_markets")
        return rules

    def fetch_ticker(self, symbol: str) -> Ticker:
        ticker: Ticker = self._answer("fetch_ticker", symbol)
        return ticker

    def fetch_book(self, symbol: str, depth: int = 20) -> Book:
        book: Book = self._answer("fetch_book", symbol, depth)
        return book

    def fetch_candles(
        self, symbol: str, timeframe: str = "1m", since_ms: int | None = None, limit: int = 500
    ) -> Sequence[Candle]:
        candles: Sequence[Candle] = self._answer(
            "fetch_candles", symbol, timeframe, since_ms, limit
        )
        return candles

    def _answer(self, method: str, *arguments: Any) -> Any:
        self.calls.append((method, *arguments))
        answer = self.answers[method]
        if isinstance(answer, Callable):  # type: ignore[arg-type]
            answer = answer(*arguments)
        if isinstance(answer, Exception):
            raise answer
        return answer


def make_book(venue: str, symbol: str, bid: str = "100", ask: str = "101") -> Book:
    return Book(
        venue=venue,
        symbol=symbol,
        bids=(Level(Decimal(bid), Decimal("1.50")),),
        asks=(Level(Decimal(ask), Decimal(2)),),
        received_at_ms=1_767_225_600_000,
    )
