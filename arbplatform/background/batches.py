"""When which schedules are due, many at a time: what beat publishes in batches.

Every entry has a place in its interval that follows from its id alone, so that a thousand entries
of one second are spread evenly over that second, and two beats, or one that was started anew, agree
on when each is due. Entries that share interval and place make a bucket; the heap holds buckets,
not entries, and no change of one entry touches the others.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from math import ceil

GRID_MS = 50
"""Places within an interval are so far apart: at most twenty batches a second for each interval."""
BATCH_MAX = 400
"""Entries of one message: what a worker gets through in a fraction of their interval."""
_GOLDEN = 0.618_033_988_749_895
"""Multiples of it, modulo 1, lie evenly whatever the number of them."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A schedule whose task is published with others.

    Attributes:
        pk: of its row.
        subject_id: the one argument of its task.
        interval_ms: from one time to the next [ms].
        expires_s: after so long a message about it is of no use any more [s].
    """

    pk: int
    subject_id: int
    interval_ms: int
    expires_s: int

    @property
    def place_ms(self) -> int:
        """Where in its interval it is due [ms]."""
        places = max(1, self.interval_ms // GRID_MS)
        return int(self.pk * _GOLDEN % 1 * places) * GRID_MS


@dataclass(slots=True)
class Bucket:
    """Entries that are due at the same moments.

    Attributes:
        interval_ms: from one time to the next [ms].
        place_ms: where in the interval, counted from the epoch [ms].
        entries: by id of the row.
        due_ms: when it is due next [ms since epoch].
    """

    interval_ms: int
    place_ms: int
    entries: dict[int, Entry] = field(default_factory=dict)
    due_ms: int = 0

    @property
    def name(self) -> str:
        """Name that is the same in every beat."""
        return f"{self.interval_ms}:{self.place_ms}"

    def aim(self, now_ms: int) -> None:
        """Set when it is due next: after ``now_ms``, without catching up what was missed."""
        passed = (now_ms - self.place_ms) // self.interval_ms
        self.due_ms = (passed + 1) * self.interval_ms + self.place_ms


@dataclass(frozen=True, slots=True)
class Batch:
    """What one message is about.

    Attributes:
        entries: at most ``BATCH_MAX``.
        due_ms: when the first of them was due [ms since epoch].
        expires_s: after so long the message is of no use [s].
    """

    entries: Sequence[Entry]
    due_ms: int
    expires_s: int


class BatchPlan:
    """Which entries there are, and which are due.

    Finding what is due costs O(log n) in the number of buckets, a change of an entry O(log n) too.
    """

    def __init__(self) -> None:
        self._entries: dict[int, Entry] = {}
        self._buckets: dict[tuple[int, int], Bucket] = {}
        self._heap: list[tuple[int, int, int]] = []

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, entry: Entry, now_ms: int) -> None:
        """Add an entry, or replace the one of the same row.

        Args:
            entry: to plan.
            now_ms: it is not due before [ms since epoch].
        """
        if self._entries.get(entry.pk) == entry:
            return
        self.remove(entry.pk)
        self._entries[entry.pk] = entry
        key = (entry.interval_ms, entry.place_ms)
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(*key)
            bucket.aim(now_ms)
            heappush(self._heap, (bucket.due_ms, *key))
        bucket.entries[entry.pk] = entry

    def remove(self, pk: int) -> None:
        """Forget an entry; nothing happens if there is none of this row."""
        entry = self._entries.pop(pk, None)
        if entry is not None:
            # an empty bucket is dropped when its turn comes
            del self._buckets[entry.interval_ms, entry.place_ms].entries[pk]

    def keep_only(self, pks: Iterable[int]) -> None:
        """Forget the entries of all other rows."""
        for pk in self._entries.keys() - set(pks):
            self.remove(pk)

    def take_due(self, now_ms: int) -> list[tuple[Bucket, int]]:
        """Return the buckets that are due, each with the moment it was due [ms since epoch].

        They are planned anew: each is returned once for each of its turns, and turns that were
        missed altogether are left out.
        """
        found = []
        while self._heap and self._heap[0][0] <= now_ms:
            due_ms, *key = heappop(self._heap)
            bucket = self._buckets[key[0], key[1]]
            if not bucket.entries:
                del self._buckets[key[0], key[1]]
                continue
            bucket.aim(now_ms)
            heappush(self._heap, (bucket.due_ms, key[0], key[1]))
            found.append((bucket, due_ms))
        return found

    def next_due_ms(self) -> int | None:
        """Return when to look again [ms since epoch]; ``None`` when nothing is planned."""
        return self._heap[0][0] if self._heap else None

    def restart(self, now_ms: int) -> None:
        """Plan every bucket anew, after the clock was set."""
        for bucket in self._buckets.values():
            bucket.aim(now_ms)
        self._heap = [(each.due_ms, *key) for key, each in self._buckets.items()]
        heapify(self._heap)


def make_batches(buckets: Sequence[tuple[Bucket, int]]) -> list[Batch]:
    """Return the entries of buckets in as few messages as hold them, all about the same size.

    Args:
        buckets: each with the moment it was due [ms since epoch].
    """
    entries = [entry for bucket, _due_ms in buckets for entry in bucket.entries.values()]
    if not entries:
        return []
    due_ms = min(moment for _bucket, moment in buckets)
    count = ceil(len(entries) / BATCH_MAX)
    size = ceil(len(entries) / count)
    return [
        Batch(chunk, due_ms, min(entry.expires_s for entry in chunk))
        for start in range(0, len(entries), size)
        if (chunk := entries[start : start + size])
    ]
