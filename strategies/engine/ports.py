"""What the parts of an engine need of each other, and of feeds and leases."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

from markets.domain.feeds import FeedStatus
from markets.domain.live_book import LiveBook
from markets.gateway.base import VenueSpec
from strategies.errors import BookNotLive
from strategies.services.claims import TickClaim

Job = Callable[[], Any]
"""Something that blocks, for a thread."""


class Errand(Protocol):
    """Something that a thread does for the loop. All of it is asked for on the loop."""

    @property
    def is_away(self) -> bool:
        """Whether its job has gone on to something that may take long, and may be left to it."""

    def begin(self) -> Job | None:
        """Return what the thread is to do, made at the moment when one is free.

        ``None``: there is nothing to do any more; then neither ``end`` nor ``fail`` is called.
        """

    def end(self, result: Any) -> None:
        """Take what the job returned."""

    def fail(self, error: Exception) -> None:
        """Take what the job raised."""


class Threads(Protocol):
    """Who does errands, as ``crew.Crew``."""

    def ask(self, errand: Errand, *, is_urgent: bool = True) -> bool:
        """Have an errand done as soon as a thread is free; return ``False`` if it is refused."""

    def hurry(self, errand: Errand) -> None:
        """Do an errand as an urgent one that was asked for as a patient one and still waits."""


class Books(Protocol):
    """Where live books come from."""

    def book(self, venue: str, symbol: str) -> LiveBook | None:
        """Return the book of a market if it may be decided on, else ``None``."""

    def reason(self, venue: str, symbol: str) -> BookNotLive:
        """Return why the book of a market may not be decided on."""


class Feeds(Protocol):
    """The live books of this process, as ``markets.feed.hub.FeedHub``; for the loop only."""

    @property
    def heard_at_ns(self) -> int:
        """When the last message came; 0: a snapshot was read since (``time.monotonic_ns``)."""

    def want(self, wanted: Mapping[VenueSpec, Collection[str]]) -> None:
        """Feed exactly these markets."""

    def book(self, venue: str, symbol: str) -> LiveBook | None:
        """Return the book of a market if it may be decided on."""

    def statuses(self) -> Sequence[FeedStatus]:
        """Return the state of each feed."""

    async def close(self) -> None:
        """End all feeds."""


class Named(Protocol):
    """An engine as others see it."""

    @property
    def name(self) -> str:
        """Its own and nobody else's."""

    @property
    def machine(self) -> str:
        """On which it runs."""

    @property
    def pid(self) -> int:
        """Of its process."""


class Held(Protocol):
    """A strategy that this engine holds, as ``services.leases.HeldStrategy``."""

    @property
    def strategy_id(self) -> int:
        """Which one."""

    @property
    def run_id(self) -> int:
        """The run in which it was taken."""

    @property
    def claim(self) -> TickClaim:
        """What its orders are written under."""


class Keeper(Protocol):
    """Who keeps the leases of this engine."""

    on_change: Callable[[frozenset[int]], None]
    is_busy: Callable[[int], bool]

    @property
    def engine(self) -> Named:
        """Whose leases they are."""

    def held(self) -> Mapping[int, Held]:
        """Return the strategies that may be decided on now, by id."""

    def let_go(self, strategy_id: int) -> None:
        """Give a strategy back that was left in the middle of an execution."""
