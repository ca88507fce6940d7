"""What a decision is made from: markets, their books and rules, and the funds at hand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from arbplatform.core.decimals import Amount
from markets.domain.book import Book
from markets.domain.rules import MarketRules


class MarketKey(NamedTuple):
    """One market: a symbol on a venue (by code)."""

    venue: str
    symbol: str


class AssetKey(NamedTuple):
    """One asset on a venue (by code)."""

    venue: str
    asset: str


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a strategy may trade.

    Attributes:
        venues: codes of the venues of its accounts, in the order of the accounts.
        rules: rules of every active market of those venues.
    """

    venues: tuple[str, ...]
    rules: Mapping[MarketKey, MarketRules]


@dataclass(frozen=True, slots=True)
class MarketView:
    """All that a decision may depend on.

    Attributes:
        now_ms: the moment of the decision [ms since epoch].
        books: the newest book of each subscribed market that could be had.
        rules: rules and fees of each subscribed market.
        free: what can be spent [units of the asset].
        dust: what earlier executions of the strategy left over, by asset code; plugins need not
            care for it [units of the asset].
    """

    now_ms: int
    books: Mapping[MarketKey, Book]
    rules: Mapping[MarketKey, MarketRules]
    free: Mapping[AssetKey, Amount]
    dust: Mapping[str, Amount] = field(default_factory=dict)
