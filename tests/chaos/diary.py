"""What was done in a storm, and what only the platform can count about it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tests.chaos.strikes import Strikes


@dataclass(frozen=True, slots=True)
class Kill:
    """A process that was killed or frozen.

    Attributes:
        kind: of the act.
        name: of the process.
        pid: its id before.
        at: when.
        lasts_s: how long it was frozen [s]; 0: it was killed.
    """

    kind: str
    name: str
    pid: int
    at: datetime
    lasts_s: float = 0.0


@dataclass(slots=True)
class Diary:
    """What was done.

    Attributes:
        done: how often each kind of act was carried out.
        given_up: how often each kind could not be carried out.
        people: what the operator had to do.
        kills: every process that was killed.
        strikes: what of it struck, by the venues' own count.
    """

    done: Counter[str] = field(default_factory=Counter)
    given_up: Counter[str] = field(default_factory=Counter)
    people: Counter[str] = field(default_factory=Counter)
    kills: list[Kill] = field(default_factory=list)
    strikes: Strikes = field(default_factory=Strikes)


@dataclass(frozen=True, slots=True)
class Tallies:
    """What only the database can count.

    Attributes:
        lookups: look-ups of orders, all together.
        looked_up: orders that were looked up.
        repairs: what repairs decided, by action.
        errors: lines of the log of level error, by event.
    """

    lookups: int
    looked_up: int
    repairs: Mapping[str, int]
    errors: Mapping[str, int]
