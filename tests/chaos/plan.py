"""What goes wrong, where and when: drawn from the seed before anything starts.

Every kind happens at least once, however short the storm; the rest is a matter of how often a kind
comes by on average.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from markets.simulator.demo import DEMO_VENUES

CALM_AT_START_S = 5.0
CALM_AT_END_S = 5.0
"""Nothing new goes wrong so close to the end of the storm."""

VENUE_TIMEOUT_MS = 3_000
"""After so long the platform gives up waiting for a venue, while under chaos."""

ORDER = ("POST", "api/v3/order")
LOOKUP = ("GET", "api/v3/order")
TRADES = ("GET", "api/v3/myTrades")
BOOK = ("GET", "api/v3/depth")
ACCOUNT = ("GET", "api/v3/account")
EVERYTHING = ("", "")

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that goes wrong.

    Attributes:
        at_s: after the beginning of the storm [s].
        kind: what, for people and for the table.
        deed: which of the monkey's deeds it is.
        target: venue or process; may be empty.
        options: of the deed.
    """

    at_s: float
    kind: str
    deed: str
    target: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How acts of one kind are made.

    Attributes:
        kind, deed: of the acts.
        every_s: mean time between two [s].
        targets: one is drawn for each act.
        lasts_s: bounds of the option ``lasts_s``; ``None``: it has none [s].
        options: further options of the deed, the same for each act.
    """

    kind: str
    deed: str
    every_s: float
    targets: tuple[str, ...] = ("",)
    lasts_s: Span | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def draw(self, random: Random, *, seconds: float) -> Iterator[Act]:
        """Yield the acts of a storm of ``seconds`` [s], evenly spread but for chance."""
        count = max(1, round(seconds / self.every_s))
        span = seconds - CALM_AT_START_S - CALM_AT_END_S
        for number in range(count):
            at_s = CALM_AT_START_S + span * (number + random.random()) / count
            options = dict(self.options)
            if self.lasts_s is not None:
                options["lasts_s"] = round(random.uniform(*self.lasts_s), 2)
            target = random.choice(self.targets)
            yield Act(round(at_s, 2), self.kind, self.deed, target, options)


def make_plan(*, seed: int, seconds: float, has_server: bool) -> list[Act]:
    """Return all acts of a storm, the first one first.

    Args:
        seed: the same seed makes the same plan.
        seconds: how long the storm lasts [s].
        has_server: whether the database is a server that can be restarted.
    """
    random = Random(seed)  # noqa: S311  the same seed has to make the same plan
    recipes = (*VENUE_FAULTS, *PROCESSES, *PEOPLE, *(DATABASE if has_server else ()))
    acts = [act for recipe in recipes for act in recipe.draw(random, seconds=seconds)]
    return sorted(acts, key=lambda act: (act.at_s, act.kind, act.target))


def _fault(kind: str, every_s: float, where: tuple[str, str], *, how: str, **more: Any) -> Recipe:
    method, path = where
    fault = {"kind": how, "method": method, "path": path} | more
    return Recipe(kind, "fault", every_s, tuple(DEMO_VENUES), options=fault)


def _refusal(kind: str, every_s: float, where: tuple[str, str], **refusal: Any) -> Recipe:
    return _fault(kind, every_s, where, how="refuse", **refusal)


VENUE_FAULTS: tuple[Recipe, ...] = (
    _fault("order dropped before", 20, ORDER, how="drop_request"),
    _fault("order's answer dropped", 6, ORDER, how="drop_answer"),
    _fault("order's answer late", 15, ORDER, how="late_answer", delay_ms=VENUE_TIMEOUT_MS + 1_500),
    _fault("order answered late but in time", 10, ORDER, how="late_answer", delay_ms=1_500),
    _fault("order answered by a page", 10, ORDER, how="html"),
    _fault("order's answer truncated", 10, ORDER, how="truncate"),
    _refusal(
        "order: backend timeout (-1007)", 30, ORDER, status=504, code=-1007, text="Timeout waiting"
    ),
    _refusal(
        "order: unexpected response (-1006)",
        40,
        ORDER,
        status=503,
        code=-1006,
        text="Unexpected response",
    ),
    _refusal(
        "order: overloaded (-1008)", 30, ORDER, status=503, code=-1008, text="Server is overloaded"
    ),
    _refusal(
        "order: clock (-1021)",
        20,
        ORDER,
        status=400,
        code=-1021,
        text="Timestamp is outside recvWindow",
    ),
    _refusal(
        "order: no funds (-2010)",
        10,
        ORDER,
        status=400,
        code=-2010,
        text="Account has insufficient balance",
    ),
    _refusal(
        "order: filter (-1013)", 15, ORDER, status=400, code=-1013, text="Filter failure: LOT_SIZE"
    ),
    _refusal(
        "order: too many orders (-1015)",
        60,
        ORDER,
        status=429,
        code=-1015,
        text="Too many new orders",
    ),
    _refusal(
        "order: key refused (-2015)", 40, ORDER, status=401, code=-2015, text="Invalid API-key"
    ),
    _fault("look-up dropped", 8, LOOKUP, how="drop_request", times=2),
    _fault("look-up answered by a page", 12, LOOKUP, how="html", times=2),
    _fault("look-up truncated", 15, LOOKUP, how="truncate", times=2),
    _refusal(
        "look-up: not found (-2013)",
        12,
        LOOKUP,
        status=400,
        code=-2013,
        text="Order does not exist.",
    ),
    _refusal(
        "look-up: maintenance (503)", 20, LOOKUP, status=503, code=0, text="Service unavailable"
    ),
    _fault("trades dropped", 15, TRADES, how="drop_answer", times=2),
    _fault("trades answered by a page", 15, TRADES, how="html", times=2),
    _fault("books dropped", 10, BOOK, how="drop_request", times=4),
    _fault("books answered by a page", 12, BOOK, how="html", times=4),
    _fault("books truncated", 12, BOOK, how="truncate", times=4),
    _fault("books late", 12, BOOK, how="late_answer", times=4, delay_ms=2_500),
    _fault("balances truncated", 20, ACCOUNT, how="truncate", times=2),
    _fault("balances answered by a page", 20, ACCOUNT, how="html", times=2),
    _fault(
        "maintenance of everything",
        60,
        EVERYTHING,
        how="refuse",
        status=503,
        code=0,
        text="System maintenance",
        times=40,
    ),
    Recipe("rate limit (429)", "limit", 60, tuple(DEMO_VENUES), (1, 3), {"status": 429}),
    Recipe("ban (418)", "limit", 100, tuple(DEMO_VENUES), (3, 6), {"status": 418}),
)

WORKERS = ("worker", "worker-2")

PROCESSES: tuple[Recipe, ...] = (
    Recipe("worker killed", "kill", 18, WORKERS),
    Recipe("worker terminated", "terminate", 45, WORKERS),
    Recipe("worker frozen", "freeze", 50, WORKERS, (2, 20)),
    Recipe("beat killed", "kill", 45, ("beat",)),
    Recipe("beat frozen", "freeze", 90, ("beat",), (2, 6)),
    Recipe("second beat", "second_beat", 100, lasts_s=(8, 15)),
    Recipe("web killed", "kill", 120, ("web",)),
    Recipe("venues killed", "kill", 60, ("simulator",)),
    Recipe("venues frozen", "freeze", 60, ("simulator",), (1, 5)),
    Recipe("Redis killed", "kill", 70, ("redis",)),
    Recipe("Redis frozen", "freeze", 80, ("redis",), (1, 8)),
    Recipe("everything killed", "kill_all", 150),
    Recipe("tasks delivered twice", "repeat_tasks", 4),
)

DATABASE: tuple[Recipe, ...] = (
    Recipe("database restarted", "restart_database", 120, lasts_s=(0.5, 4)),
    Recipe("database killed", "kill_database", 150, lasts_s=(0.5, 4)),
    Recipe("database sessions ended", "end_sessions", 30),
)

PEOPLE: tuple[Recipe, ...] = (
    Recipe("kill switch", "halt", 45, lasts_s=(2.5, 6)),
    Recipe("reducing only", "reduce", 60, lasts_s=(2, 5)),
    Recipe("venue halted", "halt_venue", 50, tuple(DEMO_VENUES), (2, 6)),
)
