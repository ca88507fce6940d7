"""What a driver has had written down about opportunities that were left."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from strategies.models import Decision, Reason
from strategies.services.opportunities import (
    LEFT_PER_TICK_MAX,
    REPEAT_AFTER_S,
    LeftIntent,
    route_of,
)


class LeftMemory:
    """What a driver has had written down lately, so that the database is not asked each time.

    A tick comes once a second and asks; a stream decides a thousand times in that time.
    """

    def __init__(self) -> None:
        self._said: dict[str, tuple[Decision, Reason, datetime]] = {}

    def news(self, left: Sequence[LeftIntent], now: datetime) -> list[LeftIntent]:
        """Return those that were not said just now, and remember them.

        Args:
            left: best first; more than are written down of one decision are not looked at.
            now: the present moment.
        """
        since = now - timedelta(seconds=REPEAT_AFTER_S)
        self._said = {route: said for route, said in self._said.items() if said[2] > since}
        found = []
        for item in left[:LEFT_PER_TICK_MAX]:
            route = route_of(item.intent)
            if self._said.get(route, ())[:2] != (item.decision, item.reason):
                self._said[route] = (item.decision, item.reason, now)
                found.append(item)
        return found

    def forget(self) -> None:
        """Take nothing for said: it could not be written down."""
        self._said.clear()
