"""The whole plugin API: what a strategy type sees and says.

A strategy type is one class on ``StrategyPlugin``: parameters with a schema, the markets it wants
to see, and ``evaluate``, a pure function from a view of those markets to an ``Evaluation``. It
reads no clock, no network and no database, so the same class runs on a schedule, on a stream and
in a replay, and every decision can be computed again from its evidence.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

from arbplatform.core.errors import Message
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

    @property
    def book_depth(self) -> int:
        """How many levels of each side of a book ``evaluate`` looks at, at most."""
        return BOOK_DEPTH_DEFAULT

    @abstractmethod
    def subscriptions(self, scope: Scope) -> Sequence[MarketKey]:
        """Return the markets to watch; none means that the parameters fit nothing in ``scope``."""

    @abstractmethod
    def evaluate(self, view: MarketView) -> Evaluation:
        """Return what to do now. Pure: the same view gives the same evaluation."""
