"""Ended executions about which the books have learned more since: none is missed for good."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, NamedTuple

from ledger.models import Entry
from ledger.selectors import count_entries, count_entries_between
from strategies.domain.states import FINISHED_STATES
from strategies.models import Execution, SweepPlace

NEWEST_MAX: Final = 2_000
"""Ids at the end of the entries that every round looks at: some of them may be committed late."""

ENTRIES_MAX: Final = 2 * NEWEST_MAX
"""Entries that one round looks at where more were booked than rounds have kept up with."""

EXECUTIONS_MAX: Final = 500
"""Executions of which each round looks at the next ones, whatever was booked."""


class Place(NamedTuple):
    """Up to where rounds have read.

    Attributes:
        entry_id: the last entry of the ledger.
        execution_id: the last execution whose turn it was; 0: the first ones come next.
    """

    entry_id: int
    execution_id: int


@dataclass(frozen=True, slots=True)
class LateNews:
    """What a round found.

    Attributes:
        execution_ids: ended executions that the books know more about, oldest first.
        place: where the next round reads on once these are settled.
    """

    execution_ids: list[int]
    place: Place


def find_late_news() -> LateNews:
    """Return executions that had ended before the books learned more about them.

    Whoever books a late fill or fee wakes the execution by a message, and messages can be lost.
    How many entries a settlement saw is compared, and no times: what was committed between its
    look at the books and its own commit is found as well, whatever any clock says.

    Entries are read on from where the last round ended, so that none of many is passed over. A
    process may write one under an id that it drew long ago: therefore all executions have their
    turn too, some in each round.
    """
    newest = Entry.objects.order_by("-id").values_list("id", flat=True).first() or 0
    places = SweepPlace.objects.values_list("entry_id", "execution_id")
    place = Place(*(places.first() or (newest, 0)))
    entries = Entry.objects.filter(id__gt=min(place.entry_id, newest - NEWEST_MAX)).order_by("id")
    named = list(entries.values_list("id", "execution_id")[:ENTRIES_MAX])
    outdated = _look_at({pk for _id, pk in named})
    in_turn, execution_id = _look_at_next(place.execution_id)
    read_on = Place(named[-1][0] if named else newest, execution_id)
    return LateNews(sorted(outdated | in_turn), read_on)


def _look_at(execution_ids: Collection[int]) -> set[int]:
    """Return which of some executions have ended before the last of their entries."""
    ended = Execution.objects.filter(pk__in=execution_ids, state__in=FINISHED_STATES).order_by()
    seen = dict(ended.values_list("pk", "entries_seen"))
    booked = count_entries(seen)
    return {pk for pk, number in seen.items() if booked.get(pk, 0) != (number or 0)}


def _look_at_next(after: int) -> tuple[set[int], int]:
    """Return the same of the next executions, and which was the last of them; 0: there are no more.

    Of those settled before their entries were counted nothing is known.
    """
    rows = Execution.objects.filter(pk__gt=after, entries_seen__isnull=False).order_by("pk")
    found = list(rows.values_list("pk", "state", "entries_seen")[:EXECUTIONS_MAX])
    if not found:
        return set(), 0
    last = found[-1][0]
    booked = count_entries_between(after, last)
    outdated = {
        pk
        for pk, state, number in found
        if state in FINISHED_STATES and booked.get(pk, 0) != number
    }
    return outdated, last if len(found) == EXECUTIONS_MAX else 0
