"""Counts what struck: the venues count too, but forget it whenever they are killed."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any


class Strikes:
    """How often the acts of each kind struck, over all lives of the venues' process.

    Attributes:
        total: by kind of act.
    """

    def __init__(self) -> None:
        self.total: Counter[str] = Counter()
        self._kinds: dict[tuple[str, int], str] = {}
        self._seen: Counter[tuple[str, int]] = Counter()

    def arm(self, venue: str, number: int, kind: str) -> None:
        """Take note of a fault that was just armed; a process that began anew counts from one.

        Args:
            venue: code.
            number: that the venue has given it.
            kind: of the act.
        """
        self._kinds[venue, number] = kind
        self._seen[venue, number] = 0

    def see(self, venue: str, faults: Iterable[Mapping[str, Any]]) -> None:
        """Take note of how often each fault of a venue has struck.

        Args:
            venue: code.
            faults: those that are armed and those that ended, as the venue lists them.
        """
        for fault in faults:
            key = venue, fault["id"]
            if key in self._kinds:
                self.total[self._kinds[key]] += fault["struck"] - self._seen[key]
                self._seen[key] = fault["struck"]
