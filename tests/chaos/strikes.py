"""Counts what struck: the venues count too, but forget it whenever they are killed."""

from collections import Counter
from collections.abc import Mapping


class Strikes:
    """How often each kind of fault struck, over all lives of the venues' process.

    Attributes:
        total: by kind.
    """

    def __init__(self) -> None:
        self.total: Counter[str] = Counter()
        self._seen: dict[str, Counter[str]] = {}

    def see(self, venue: str, counted: Mapping[str, int]) -> None:
        """Take note of what a venue has counted since its process began.

        Args:
            venue: code.
            counted: by kind.
        """
        before = self._seen.get(venue, Counter())
        if any(counted.get(kind, 0) < count for kind, count in before.items()):
            before = Counter()  # it began anew
        self.total += Counter(counted) - before
        self._seen[venue] = Counter(counted)
