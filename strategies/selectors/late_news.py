"""Ended executions about which the books have learned more since: none is missed for good."""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from django.db.models import QuerySet
from django.db.models.functions import Coalesce

from ledger.models import Entry
from ledger.selectors import number_of_entries
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
    entries = Entry.objects.filter(id__gt=min(place.entry_id, newest - NEWEST_MAX), id__lte=newest)
    last_entry = _nth_id(entries, ENTRIES_MAX) or newest
    named = entries.filter(id__lte=last_entry).order_by().values("execution_id")
    # of those settled before their entries were counted nothing is known
    in_turn = Execution.objects.filter(id__gt=place.execution_id, entries_seen__isnull=False)
    last_in_turn = _nth_id(in_turn, EXECUTIONS_MAX)
    if last_in_turn:
        in_turn = in_turn.filter(id__lte=last_in_turn)
    outdated = {*_outdated(Execution.objects.filter(id__in=named)), *_outdated(in_turn)}
    return LateNews(sorted(outdated), Place(last_entry, last_in_turn))


def _nth_id(rows: QuerySet[Any], number: int) -> int:
    """Return the id of the ``number``-th of some rows, by id; 0: there are fewer."""
    ids = rows.order_by("id").values_list("id", flat=True)
    return ids[number - 1 : number].first() or 0


def _outdated(rows: QuerySet[Execution]) -> QuerySet[Execution, int]:
    """Return which of some executions have ended before the last of their entries.

    The database counts and compares; of many executions hardly any has to be told of.
    """
    ended = rows.filter(state__in=FINISHED_STATES).order_by()
    told = ended.annotate(booked=number_of_entries("id"))
    return told.exclude(booked=Coalesce("entries_seen", 0)).values_list("id", flat=True)
