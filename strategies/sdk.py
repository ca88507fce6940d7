"""The whole plugin API: what a strategy type sees and says.

A strategy type is one class on ``StrategyPlugin``: parameters with a schema, the markets it wants
to see, and ``evaluate``, a pure function from a view of those markets to an ``Evaluation``. It
reads no clock, no network and no database, so the same class runs on a schedule, on a stream and
in a replay, and every decision can be computed again from its evidence.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

from arbplatform.core.errors import Message
from markets.domain.rules import MarketRules
from strategies.domain.intents import Evaluation, ExecutionMode, Intent, LegIntent, Rejection
from strategies.domain.view import AssetKey, MarketKey, MarketView, Scope

__all__ = [
    "BOOK_DEPTH_DEFAULT",
    "AssetKey",
    "Evaluation",
    "ExecutionMode",
    "Intent",
    "LegIntent",
    "MarketKey",
    "MarketView",
    "Nominator",
    "Params",
    "Rejection",
    "Scope",
    "StrategyPlugin",
    "param_error",
]

PARAM_ERROR = "param"
"""Type of the errors that ``param_error`` makes."""

BOOK_DEPTH_DEFAULT = 20


class Params(BaseModel):
    """Base class of a plugin's parameters: a pydantic model, strict about unknown names."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def param_error(message: Message) -> PydanticCustomError:
    """Return what a validator of ``Params`` raises when it refuses a value.

    Args:
        message: sentence that says what to enter instead; its context holds JSON values.
    """
    return PydanticCustomError(
        PARAM_ERROR,
        "{sentence}",
        {
            "sentence": str(message),
            "template": message.template,
            "context": dict(message.context),
        },
    )


ParamsT = TypeVar("ParamsT", bound=Params)


class Nominator(Protocol):
    """Tells, price by price and in microseconds, when ``evaluate`` is worth calling.

    It has state, the newest best prices, and it errs to one side only: it may say yes where
    ``evaluate`` then finds nothing, never no where it finds something new. Exactly: tell it of
    every change of every book, and whenever ``evaluate`` on the newest books returns an intent
    that it did not return when it was last called, then for one of the markets that changed in
    between, the last answer was yes.

    So whoever relies on one also evaluates after carrying out an intent, since others may stand,
    and once a second in any case: an intent can come from what is no book. Funds arrive, dust
    grows, a clock moves on, a market is dropped. It is made for one set of rules: when those
    change, fees or active markets for instance, ask for a new one and tell it all prices again.
    """

    def update(self, key: MarketKey, bid: float, ask: float) -> bool:
        """Take the best prices of a market; return whether ``evaluate`` may want to trade now.

        Args:
            key: the market; one that was not subscribed to is answered with no.
            bid: best bid of its book [quote per base]; 0 when there is none.
            ask: best ask of its book [quote per base]; 0 when there is none.
        """

    def drop(self, key: MarketKey) -> None:
        """Forget the prices of a market whose book cannot be used any more."""


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

    @cached_property
    def params_json(self) -> Mapping[str, Any]:
        """The parameters as JSON values; made once, since they never change."""
        return self.params.model_dump(mode="json")

    @property
    def book_depth(self) -> int:
        """How many levels of each side of a book ``evaluate`` looks at, at most."""
        return BOOK_DEPTH_DEFAULT

    @property
    def book_wait_ms(self) -> int | None:
        """How long books are waited for once one has come [ms]; later that one is of no use.

        ``None``: for as long as a venue may take.
        """
        return None

    @abstractmethod
    def subscriptions(self, scope: Scope) -> Sequence[MarketKey]:
        """Return the markets to watch; none means that the parameters fit nothing in ``scope``."""

    def nominator(self, rules: Mapping[MarketKey, MarketRules]) -> Nominator | None:
        """Return what tells when to evaluate; ``None``: evaluate after every change of a book.

        Args:
            rules: of all subscribed markets.
        """
        return None

    @abstractmethod
    def evaluate(self, view: MarketView) -> Evaluation:
        """Return what to do now. Pure: the same view gives the same evaluation."""
