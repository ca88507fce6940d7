"""Ask a venue for its account of things: an answer is ``Ok`` or ``Failed``, never just empty."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from accounts.models import VenueAccount
from arbplatform.core.clock import Clock, to_ms
from arbplatform.core.errors import ArbError
from ledger.domain.denials import Denial
from ledger.domain.reconciliation import DiscrepancyKind, Sighting
from ledger.errors import ComparisonBrokenOff
from ledger.selectors.traded import Activity
from markets.errors import NotSupportedByVenue, OrderAbsent, VenueRateLimited, VenueUnavailable
from markets.gateway.base import VenueGateway
from markets.gateway.histories import Histories, sharing

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ok(Generic[T]):
    """The venue itself said this; if it is empty, the venue said "nothing"."""

    value: T


@dataclass(frozen=True, slots=True)
class Failed:
    """Nothing was learned: what the venue did not tell is neither there nor gone."""

    error: ArbError

    @property
    def is_unsupported(self) -> bool:
        """Whether the venue never tells this."""
        return isinstance(self.error, NotSupportedByVenue)


@dataclass(slots=True)
class Round:
    """One comparison of one account with what its venue tells.

    Attributes:
        account: whose.
        gateway: to its venue.
        clock: tells the time.
        started_at: the round's beginning.
        opened_at: when the books of the account were opened: what was before is not ours to book.
        since: from when on histories of orders and executions are read.
        gaps_since: from when on the cause of a gap is looked for.
        sightings: what was seen so far.
        failures: reads that failed so far.
        covered: kinds and beginnings of subjects that the round has seen all of: what was seen
            there before and is not seen now is gone.
        is_moving: something on its way keeps the books from being compared.
        is_cut_short: there was more to look at than one round may.
        known_strangers: orders that earlier rounds have found not to be in the journal: by symbol
            and the venue's id, their client order ids.
        strangers: those of this round.
        known_denials: orders of which the venue denied in earlier rounds what it lists, likewise.
        denials: those of this round.
        asks_all: a person wants to know: orders that were denied are asked for although they rest.
        activity: what the account's orders have been doing, by an earlier round; then by this one.
        touched: orders that this round has written to, which may have been settled long ago.
        before_read: is called before each question.
        histories: what earlier rounds have read of histories that they could not read to the end.
    """

    account: VenueAccount
    gateway: VenueGateway
    clock: Clock
    started_at: datetime
    opened_at: datetime
    since: datetime
    gaps_since: datetime
    sightings: list[Sighting] = field(default_factory=list)
    failures: list[ArbError] = field(default_factory=list)
    covered: set[tuple[DiscrepancyKind, str]] = field(default_factory=set)
    is_moving: bool = False
    is_cut_short: bool = False
    known_strangers: Mapping[str, str] = field(default_factory=dict)
    strangers: dict[str, str] = field(default_factory=dict)
    known_denials: Mapping[str, Denial] = field(default_factory=dict)
    denials: dict[str, Denial] = field(default_factory=dict)
    asks_all: bool = False
    activity: Activity | None = None
    touched: set[int] = field(default_factory=set)
    before_read: Callable[[], None] = lambda: None
    histories: Histories = field(default_factory=Histories)

    @property
    def venue(self) -> str:
        """Code of the venue."""
        return self.account.venue.code

    @property
    def since_ms(self) -> int:
        """``since`` [ms since epoch]."""
        return to_ms(self.since)

    @property
    def is_silent(self) -> bool:
        """Whether the venue wants no more questions, or does not answer any."""
        return any(
            isinstance(error, VenueRateLimited) or type(error) is VenueUnavailable
            for error in self.failures
        )

    def read(self, ask: Callable[[], T]) -> Ok[T] | Failed:
        """Ask the venue once; once it is silent, ask no more."""
        if self.is_silent:
            return Failed(self.failures[-1])
        self.before_read()
        try:
            return Ok(ask())
        except ArbError as error:
            failed = Failed(error)
        except Exception as error:
            # whatever broke while an answer was read, it is no answer
            logger.exception("Reconciliation of %s: a read failed", self.account)
            failed = Failed(VenueUnavailable(venue=self.venue, cause=type(error).__name__))
        is_answer = failed.is_unsupported or isinstance(failed.error, OrderAbsent)
        if not is_answer:
            self.failures.append(failed.error)
        return failed

    def read_history(self, ask: Callable[[], T]) -> Ok[T] | Failed:
        """Ask for the history of a market; one of all markets together is read once in a round."""
        with sharing(self.histories):
            return self.read(ask)

    def cover(self, kind: DiscrepancyKind, prefix: str = "") -> None:
        """Note that the venue told everything about a kind, or the subjects with a beginning."""
        self.covered.add((kind, prefix))

    def uncover(self, kind: DiscrepancyKind, prefix: str = "") -> None:
        """Take that back: something of it was not looked at after all."""
        self.covered.discard((kind, prefix))

    def break_off(self, error: BaseException) -> None:
        """Note that the round ends here: what it did not come to is neither there nor gone."""
        self.covered.clear()
        self.failures.insert(
            0, ComparisonBrokenOff(account=str(self.account), error=type(error).__name__)
        )
