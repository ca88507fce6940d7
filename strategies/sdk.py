"""The whole plugin API: what a strategy type sees and says.

A strategy type is one class on ``StrategyPlugin``: parameters with a schema, the markets it wants
to see, and ``evaluate``, a pure function from a view of those markets to an ``Evaluation``. It
reads no clock, no network and no database, so the same class runs on a schedule, on a stream and
in a replay, and every decision can be computed again from its evidence.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Generic, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict

from arbplatform.core.decimals import Amount, Bps, Price, Quantity
from arbplatform.core.errors import Message
from markets.domain.book import Book
from markets.domain.orders import Side
from markets.domain.rules import MarketRules


class Params(BaseModel):
    """Base class of a plugin's parameters: a pydantic model, strict about unknown names."""

    model_config = ConfigDict(extra="forbid", frozen=True)


ParamsT = TypeVar("ParamsT", bound=Params)


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
    """

    now_ms: int
    books: Mapping[MarketKey, Book]
    rules: Mapping[MarketKey, MarketRules]
    free: Mapping[AssetKey, Amount]


class ExecutionMode(StrEnum):
    """How the legs of an intent are sent."""

    PARALLEL = "parallel"
    """All at once: the funds of every leg are there already."""
    SEQUENTIAL = "sequential"
    """One after the other: each leg spends what the one before brought."""


@dataclass(frozen=True, slots=True)
class LegIntent:
    """One limit IOC order that a strategy wants.

    Attributes:
        venue: code of the venue.
        symbol: unified symbol.
        side: buy or sell.
        quantity: to order [base], on the lot grid.
        limit_price: worst acceptable price [quote per base], on the tick grid.
        expected_spent: what leaves [quote on a buy, base on a sell], fee included if in that asset.
        expected_received: what arrives [base on a buy, quote on a sell], net of fee.
    """

    venue: str
    symbol: str
    side: Side
    quantity: Quantity
    limit_price: Price
    expected_spent: Amount
    expected_received: Amount


@dataclass(frozen=True, slots=True)
class Intent:
    """One arbitrage that a strategy wants to carry out.

    Attributes:
        summary: for people: what is bought and sold where.
        legs: the orders, in sequence.
        mode: in parallel or in sequence.
        edge_bps: expected profit after fees [bps of notional].
        notional: what the edge relates to [units of ``profit_asset``].
        expected_profit: after fees and lots [units of ``profit_asset``].
        profit_asset: code of the asset in which the profit arises.
        sizing: how the size was found, by name, for the evidence; JSON values only.
    """

    summary: str
    legs: tuple[LegIntent, ...]
    mode: ExecutionMode
    edge_bps: Bps
    notional: Amount
    expected_profit: Amount
    profit_asset: str
    sizing: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a candidate was not traded.

    Attributes:
        subject: what was looked at, for people (``BTC/USDT alpha → beta``).
        code: machine-readable reason in lower snake case (``edge_below_min``).
        message: the sentence.
        edge_bps: the edge at hand, if it was computed [bps].
    """

    subject: str
    code: str
    message: Message
    edge_bps: Bps | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a strategy makes of a view: what it wants, best first, and why not the rest."""

    intents: tuple[Intent, ...] = ()
    rejections: tuple[Rejection, ...] = ()


class StrategyPlugin(ABC, Generic[ParamsT]):
    """Base class of every strategy type.

    Class attributes:
        slug: public name, never changed.
        title: name for people, English (translated at the edge).
        description: one or two sentences for people, English.
        params_class: the parameters' model.
        venues_min, venues_max: how many venues (accounts) it trades on; ``None`` is unlimited.
    """

    slug: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    params_class: ClassVar[type[Params]]
    venues_min: ClassVar[int] = 1
    venues_max: ClassVar[int | None] = None

    def __init__(self, params: ParamsT) -> None:
        self.params = params

    @abstractmethod
    def subscriptions(self, scope: Scope) -> Sequence[MarketKey]:
        """Return the markets to watch; none means that the parameters fit nothing in ``scope``."""

    @abstractmethod
    def evaluate(self, view: MarketView) -> Evaluation:
        """Return what to do now. Pure: the same view gives the same evaluation."""
