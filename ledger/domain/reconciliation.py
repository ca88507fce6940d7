"""What reconciliation concludes, and when: pure rules about differences between books and venue.

Nothing here is concluded from one answer. A movement that happened without the platform is booked
when the venue's history states it and its balances show exactly the same; a difference that stays
is never booked away: it raises an alarm.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import combinations
from typing import Final

from arbplatform.core.decimals import ZERO, Amount
from arbplatform.core.errors import Message
from arbplatform.core.ids import CLIENT_ID_LENGTH, CLIENT_ID_PREFIX, is_own_client_id
from arbplatform.core.transitions import TransitionTable
from markets.domain.funds import Wallet

PurseKey = tuple[Wallet, str]
"""Wallet and asset code."""

ROUNDS_MIN: Final = 5
"""Rounds in which a difference must have been seen before it raises an alarm."""

ALARM_AFTER: Final = timedelta(minutes=2)
"""For so long a difference may be a venue that is behind with its own books."""

MOTION_MAX: Final = timedelta(minutes=15)
"""For so long what is on its way may excuse a difference."""

OVERLAP: Final = timedelta(minutes=10)
"""Histories are read again for so long: a venue may list late, or be a little behind our clock."""

GRACE: Final = timedelta(seconds=60)
"""What is so young need not be in a venue's history yet."""

MOVEMENTS_MAX: Final = 100
SUBSETS_MAX: Final = 10
"""Movements of which every selection is tried; of more, only those that follow each other."""


class DiscrepancyKind(StrEnum):
    """What books and venue disagree on, or what happened without the platform."""

    BALANCE = "balance"
    MISSING_FILL = "missing_fill"
    """The venue lists an execution of our order that is not booked."""
    UNLISTED_FILL = "unlisted_fill"
    """Booked, but the venue does not list it (any more)."""
    FILL_CONFLICT = "fill_conflict"
    """Listed with another price, quantity or order than booked."""
    FEE = "fee"
    """A fee that the venue states and the books do not believe, or state otherwise."""
    ORDER_STATE = "order_state"
    """The venue's list of orders says something else than the journal."""
    UNKNOWN_ORDER = "unknown_order"
    """It bears our mark, but is not in the journal."""
    FOREIGN_INSTALLATION = "foreign_installation"
    """Another installation of the platform trades on the account."""
    FOREIGN_ORDER = "foreign_order"
    """A person, or another program, has an order open."""
    EXTERNAL_TRADE = "external_trade"
    EXTERNAL_DEPOSIT = "external_deposit"
    EXTERNAL_WITHDRAWAL = "external_withdrawal"
    EXTERNAL_MOVE = "external_move"
    """Between two wallets of the account."""


class DiscrepancyState(StrEnum):
    """What is done about it."""

    OPEN = "open"
    """Seen, and watched: it may disappear by itself."""
    EXPLAINED = "explained"
    """Its cause is known; there is nothing to book (yet)."""
    BOOKED = "booked"
    """Its cause was proven and is in the books."""
    ALARMED = "alarmed"
    """It neither disappeared nor was explained: a person must look."""
    CLOSED = "closed"
    """It is gone."""


class DiscrepancyEvent(StrEnum):
    """What can happen to a discrepancy."""

    EXPLAIN = "explain"
    REOPEN = "reopen"
    BOOK = "book"
    ALARM = "alarm"
    SETTLE = "settle"


_S, _E = DiscrepancyState, DiscrepancyEvent

DISCREPANCY_TRANSITIONS: TransitionTable[DiscrepancyState, DiscrepancyEvent] = TransitionTable(
    name="discrepancy",
    edges={
        **{
            (source, event): target
            for source in (_S.OPEN, _S.EXPLAINED, _S.ALARMED)
            for event, target in ((_E.BOOK, _S.BOOKED), (_E.SETTLE, _S.CLOSED))
        },
        (_S.OPEN, _E.EXPLAIN): _S.EXPLAINED,
        (_S.OPEN, _E.ALARM): _S.ALARMED,
        (_S.EXPLAINED, _E.REOPEN): _S.OPEN,
        (_S.EXPLAINED, _E.EXPLAIN): _S.EXPLAINED,
        (_S.ALARMED, _E.EXPLAIN): _S.EXPLAINED,
    },
)

UNSOLVED_STATES = frozenset({_S.OPEN, _S.ALARMED})
ACTIVE_STATES = UNSOLVED_STATES | {_S.EXPLAINED}


class RunOutcome(StrEnum):
    """What a reconciliation came to."""

    CLEAN = "clean"
    """The venue answered everything, and nothing is left unexplained."""
    DIFFERENT = "different"
    FAILED = "failed"
    """The venue did not answer everything: of what it did not tell, nothing was concluded."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """Something that a round saw.

    Attributes:
        kind: what it is.
        subject: names it among its kind: the same thing has the same subject in every round.
        explanation: why it is so, or what is known of it.
        asset: code, where it is about one.
        wallet: purse inside the account, where it is about one.
        booked: by the books [units of the asset, or base of a trade].
        stated: by the venue [the same].
        evidence: what it rests on, as JSON keeps it.
        is_explained: its cause is known, and nothing is wrong.
        is_grave: it raises an alarm at once: waiting would only make it worse.
        entry_id: how it was booked; ``None``: it was not.
    """

    kind: DiscrepancyKind
    subject: str
    explanation: Message
    asset: str = ""
    wallet: Wallet | None = None
    booked: Amount | None = None
    stated: Amount | None = None
    evidence: Mapping[str, str] = field(default_factory=dict)
    is_explained: bool = False
    is_grave: bool = False
    entry_id: int | None = None


@dataclass(frozen=True, slots=True)
class Movement:
    """Something that a venue's history states and the books do not know.

    Attributes:
        key: names it for ever.
        kind: what it is.
        at_ms: when, by the venue's clock [ms since epoch].
        amounts: what it did to the wallets [units of each asset].
        what: in words.
        evidence: the venue's own figures, as JSON keeps them.
        subject: of the sighting that it settles; empty: it is one of its own.
    """

    key: str
    kind: DiscrepancyKind
    at_ms: int
    amounts: Mapping[PurseKey, Amount]
    what: Message
    evidence: Mapping[str, str] = field(default_factory=dict)
    subject: str = ""


def explain_gaps(gaps: Mapping[PurseKey, Amount], movements: Sequence[Movement]) -> list[Movement]:
    """Return the movements that account for gaps to the last decimal; none if they do not.

    History and balances are two sources that a venue keeps apart. The newest of a history may not
    be in the balances yet, and the oldest may have been there before the books were opened: so a
    run of movements without its first and last ones is looked for.

    Args:
        gaps: what the venue has more than the books, by purse; no zeros.
        movements: what its history states and the books do not know.
    """
    found: list[Movement] = []
    newest = sorted(movements, key=lambda row: (row.at_ms, row.key))[-MOVEMENTS_MAX:]
    for group in _connected(newest):
        if any(purse in gaps for movement in group for purse in movement.amounts):
            found += _explain_group(gaps, sorted(group, key=lambda row: (row.at_ms, row.key)))
    return found


def must_alarm(*, seen_count: int, first_seen_at: datetime, now: datetime) -> bool:
    """Return whether a difference has stayed so long that it will not disappear by itself.

    Args:
        seen_count: rounds in which it was seen.
        first_seen_at: in the first of them; to come if the clock was ahead then, which was as long
            ago as nobody knows.
        now: the present moment.
    """
    return seen_count >= ROUNDS_MIN and abs(now - first_seen_at) >= ALARM_AFTER


def is_excused_by_motion(*, first_seen_at: datetime | None, now: datetime) -> bool:
    """Return whether orders or funds that are on their way may still be the cause."""
    return first_seen_at is None or abs(now - first_seen_at) < MOTION_MAX


class Owner(StrEnum):
    """Whose order it is, by its client id."""

    US = "us"
    OTHER_INSTALLATION = "other_installation"
    SOMEBODY = "somebody"
    UNSAID = "unsaid"
    """The venue does not tell the id."""


def owner_of(client_order_id: str | None, install_id: str) -> Owner:
    """Return whose order a client id belongs to.

    >>> owner_of("x-web-17", "aaaaa").value
    'somebody'
    """
    if not client_order_id:
        return Owner.UNSAID
    if is_own_client_id(client_order_id, install_id):
        return Owner.US
    is_ours_in_form = (
        client_order_id.startswith(CLIENT_ID_PREFIX)
        and len(client_order_id) == CLIENT_ID_LENGTH
        and client_order_id.isalnum()
    )
    return Owner.OTHER_INSTALLATION if is_ours_in_form else Owner.SOMEBODY


def _connected(movements: Sequence[Movement]) -> Iterator[list[Movement]]:
    """Yield groups of movements that share purses, directly or by others."""
    left = list(movements)
    while left:
        group, purses = [], set(left[0].amounts)
        is_growing = True
        while is_growing:
            joined = [row for row in left if purses & row.amounts.keys()]
            is_growing = bool(joined)
            group += joined
            purses.update(purse for row in joined for purse in row.amounts)
            left = [row for row in left if row not in joined]
        yield group


def _explain_group(
    gaps: Mapping[PurseKey, Amount], group: Sequence[Movement]
) -> Sequence[Movement]:
    for chosen in _selections(group):
        totals = _total(chosen)
        if any(totals.values()) and all(
            gaps.get(purse, ZERO) == total for purse, total in totals.items()
        ):
            return chosen
    return ()


def _selections(group: Sequence[Movement]) -> Iterator[Sequence[Movement]]:
    """Yield what may have happened: the most first, and of as many the latest first."""
    count = len(group)
    for length in range(count, 0, -1):
        for start in range(count - length, -1, -1):
            yield group[start : start + length]
    if count <= SUBSETS_MAX:
        for length in range(count - 1, 1, -1):
            yield from combinations(reversed(group), length)


def _total(movements: Iterable[Movement]) -> dict[PurseKey, Amount]:
    totals: dict[PurseKey, Amount] = {}
    for movement in movements:
        for purse, amount in movement.amounts.items():
            totals[purse] = totals.get(purse, ZERO) + amount
    return totals
