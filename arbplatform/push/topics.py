"""What can be subscribed to: the catalogue of topics.

``ticker:{venue}:{symbol}``, ``book:…`` and ``trades:…`` name a market, and
``kline:{venue}:{symbol}:{timeframe}`` the width of bars too; the others stand alone.
Everybody who may read the API may read every topic: each is a faster way to what the API shows to
whoever is logged in.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from arbplatform.push.errors import UnknownTopic

PREFIX: Final = "arb:push:"
"""Of the channel in Redis that carries a topic."""
NAME_MAX: Final = 120
_TIMEFRAME: Final = re.compile(r"[1-9][0-9]{0,2}[smhdwMy]")
"""The width of a bar as ccxt writes it."""


class Delivery(StrEnum):
    """What becomes of a message that a client has not taken yet when the next one comes."""

    NEWEST = "newest"
    """The next one takes its place: only the present state is of interest."""
    QUEUE = "queue"
    """Both are kept; of a queue that is full the oldest is dropped, and counted."""


class TopicKind(StrEnum):
    """The kinds of topics; the value is the first part of a topic's name."""

    TICKER = "ticker"
    """Best bid and ask of one market."""
    BOOK = "book"
    """The best levels of one market's order book."""
    TRADES = "trades"
    """What others trade on one market."""
    KLINE = "kline"
    """The newest bars of one market's chart."""
    OPPORTUNITIES = "opportunities"
    """The best round trips that can be seen now."""
    EXECUTIONS = "executions"
    """An execution came into a state."""
    STRATEGIES = "strategies"
    """A strategy started, stopped, failed or decided."""
    LOGS = "logs"
    """A line was written into the logs that people read."""


@dataclass(frozen=True, slots=True)
class TopicRule:
    """How topics of a kind are handled.

    Attributes:
        delivery: what becomes of messages that were not taken yet.
        has_market: whether the name goes on with a venue and a symbol.
        is_tape: whether it tells what was traded, by a stream besides that of the book.
        has_timeframe: whether the name ends with the width of bars.
        is_staff_only: whether members of staff alone may subscribe.
    """

    delivery: Delivery
    has_market: bool = False
    is_tape: bool = False
    has_timeframe: bool = False
    is_staff_only: bool = False


RULES: Final[Mapping[TopicKind, TopicRule]] = {
    TopicKind.TICKER: TopicRule(Delivery.NEWEST, has_market=True),
    TopicKind.BOOK: TopicRule(Delivery.NEWEST, has_market=True),
    TopicKind.TRADES: TopicRule(Delivery.QUEUE, has_market=True, is_tape=True),
    TopicKind.KLINE: TopicRule(Delivery.NEWEST, has_market=True, is_tape=True, has_timeframe=True),
    TopicKind.OPPORTUNITIES: TopicRule(Delivery.NEWEST),
    TopicKind.EXECUTIONS: TopicRule(Delivery.QUEUE),
    TopicKind.STRATEGIES: TopicRule(Delivery.QUEUE),
    TopicKind.LOGS: TopicRule(Delivery.QUEUE),
}


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic.

    Attributes:
        kind: of it.
        venue: code of the venue; empty unless it names a market.
        symbol: unified symbol; empty unless it names a market.
        timeframe: width of bars as ccxt writes it; empty unless it is about bars.
    """

    kind: TopicKind
    venue: str = ""
    symbol: str = ""
    timeframe: str = ""

    @property
    def name(self) -> str:
        """The topic as clients spell it."""
        parts = (self.kind.value, self.venue, self.symbol, self.timeframe)
        return ":".join(part for part in parts if part)

    @property
    def stream(self) -> tuple[str, ...]:
        """What an engine follows for it; the book and the best prices of a market are one."""
        market = self.venue, self.symbol
        return (*market, self.kind, self.timeframe) if self.rule.is_tape else market

    @property
    def channel(self) -> str:
        """The channel in Redis that carries it."""
        return PREFIX + self.name

    @property
    def rule(self) -> TopicRule:
        """How it is handled."""
        return RULES[self.kind]


@lru_cache(maxsize=16_384)
def parse_topic(name: str) -> Topic:
    """Return the topic that a client or publisher has named.

    Raises:
        UnknownTopic: there is no such topic.
    """
    kind_name, _, rest = name.partition(":")
    venue, _, symbol = rest.partition(":")
    timeframe = ""
    kind = _KINDS.get(kind_name)
    if kind is None or len(name) > NAME_MAX:
        raise UnknownTopic(topic=name[:NAME_MAX])
    is_whole = bool(venue and symbol) if RULES[kind].has_market else name == kind_name
    if RULES[kind].has_timeframe:
        symbol, _, timeframe = symbol.rpartition(":")
        is_whole = bool(venue and symbol and _TIMEFRAME.fullmatch(timeframe))
    if not is_whole or not name.isprintable() or " " in name:
        raise UnknownTopic(topic=name[:NAME_MAX])
    return Topic(kind, venue, symbol, timeframe)


def ticker_topic(venue: str, symbol: str) -> str:
    """Return the name of the topic of a market's best prices."""
    return f"{TopicKind.TICKER}:{venue}:{symbol}"


def book_topic(venue: str, symbol: str) -> str:
    """Return the name of the topic of a market's order book."""
    return f"{TopicKind.BOOK}:{venue}:{symbol}"


_KINDS: Final = {kind.value: kind for kind in TopicKind}
