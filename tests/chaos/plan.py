"""What goes wrong, where and when: drawn from the seed before anything starts.

Every kind happens at least once, however short the storm; the rest is a matter of how often a kind
comes by on average.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from markets.simulator.demo import DEMO_LABEL, DEMO_VENUES

CALM_AT_START_S = 5.0
CALM_AT_END_S = 5.0
"""Nothing new goes wrong so close to the end of the storm."""

GUST_EVERY_S = 75.0
GUST_PART = 0.4
"""What takes everybody down comes in gusts, which fill this part of each cycle: guards need calm
spells to recover in, and nothing would be traded otherwise that could be lost."""

VENUE_TIMEOUT_MS = 3_000
"""After so long the platform gives up waiting for a venue, while under chaos."""

STORMS_MAX = 3
"""So often at most a storm comes until enough was executed: slow machines do less at a time."""

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
        is_wide: it takes more down than one request, and comes in gusts.
    """

    kind: str
    deed: str
    every_s: float
    targets: tuple[str, ...] = ("",)
    lasts_s: Span | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    is_wide: bool = False

    def draw(self, random: Random, *, seconds: float) -> Iterator[Act]:
        """Yield the acts of a storm of ``seconds`` [s], evenly spread but for chance and gusts."""
        count = max(1, round(seconds / self.every_s))
        span = seconds - CALM_AT_START_S - CALM_AT_END_S
        for number in range(count):
            passed = (number + random.random()) / count
            at_s = CALM_AT_START_S + span * (_in_gust(passed, span) if self.is_wide else passed)
            options = dict(self.options)
            if self.lasts_s is not None:
                options["lasts_s"] = round(random.uniform(*self.lasts_s), 2)
            target = random.choice(self.targets)
            yield Act(round(at_s, 2), self.kind, self.deed, target, options)


def make_plan(
    *, seed: int, seconds: float, has_server: bool, engines: Sequence[str] = ()
) -> list[Act]:
    """Return all acts of a storm, the first one first.

    Args:
        seed: the same seed makes the same plan.
        seconds: how long the storm lasts [s].
        has_server: whether the database is a server that can be restarted.
        engines: names of the processes that run strategies on streams.
    """
    random = Random(seed)  # noqa: S311  the same seed has to make the same plan
    wide = (*VENUE_STATES, *PROCESSES, *HALTS, *(DATABASE if has_server else ()))
    recipes = (
        *(replace(recipe, is_wide=True) for recipe in wide),
        *(*VENUE_FAULTS, *SCANNER, REPEATED_TASKS, *FUNDS),
        *(STREAM_FAULTS if engines else ()),
        *(replace(recipe, targets=tuple(engines)) for recipe in ENGINES if engines),
        *((replace(ENGINES_TOGETHER, options={"names": tuple(engines)}),) if engines else ()),
    )
    acts = [act for recipe in recipes for act in recipe.draw(random, seconds=seconds)]
    return sorted(acts, key=lambda act: (act.at_s, act.kind, act.target))


def prolong(plan: Sequence[Act], *, seconds: float) -> list[Act]:
    """Return the acts of a storm that begins anew after its ``seconds``, as often as it may."""
    return [
        replace(act, at_s=act.at_s + number * seconds)
        for number in range(STORMS_MAX)
        for act in plan
    ]


def _in_gust(passed: float, span: float) -> float:
    """Return which part of a span has passed when such a part of its gusts has."""
    count = max(1, round(span / GUST_EVERY_S))
    number = int(passed * count)
    return (number + GUST_PART * (passed * count - number)) / count


def _fault(kind: str, every_s: float, how: str, endpoint: str = "", **details: Any) -> Recipe:
    fault = {"kind": how} | ({"endpoint": endpoint} if endpoint else {}) | details
    return Recipe(kind, "fault", every_s, VENUES, options=fault)


def _refusal(kind: str, every_s: float, endpoint: str, code: int, **details: Any) -> Recipe:
    return _fault(kind, every_s, "refuse", endpoint, code=code, **details)


def _by_hand(kind: str, every_s: float, how: str, **details: Any) -> Recipe:
    return _fault(kind, every_s, how, account=DEMO_LABEL, **details)


VENUES = tuple(DEMO_VENUES)
CREATE, QUERY, TRADES, BOOK = "order.create", "order.query", "trades.own", "depth"
TOO_LATE_MS = VENUE_TIMEOUT_MS + 1_500
DONE = {"is_carried_out": True}
SOON: dict[str, Any] = {"for_ms": 5_000}
"""A read that is seldom made would meet a fault every time if it waited for it."""

ORDER_FAULTS: tuple[Recipe, ...] = (
    _fault("order dropped before it arrived", 32, "drop_request", CREATE),
    _fault("order's answer dropped", 10, "drop_answer", CREATE),
    _fault("order arrives late", 32, "late_request", CREATE, delay_ms=1_200),
    _fault("order arrives after its sender gave up", 40, "late_request", CREATE, delay_ms=4_500),
    _fault("order's answer late", 16, "late_answer", CREATE, delay_ms=1_500),
    _fault("order's answer too late", 24, "late_answer", CREATE, delay_ms=TOO_LATE_MS),
    _fault("order answered by a page", 19, "html", CREATE),
    _fault("order answered by a page, not accepted", 48, "html", CREATE, is_carried_out=False),
    _fault("order answered 503 by a page", 32, "html", CREATE, status=503),
    _fault("order's answer truncated", 19, "truncate", CREATE),
    _fault("order's answer broken JSON", 24, "bad_json", CREATE),
    _fault("order's answer empty", 24, "empty", CREATE),
    _refusal("order: backend timeout (-1007)", 48, CREATE, -1007),
    _refusal("order: backend timeout, accepted (-1007)", 32, CREATE, -1007, **DONE),
    _refusal("order: unexpected response (-1006)", 64, CREATE, -1006),
    _refusal("order: unexpected response, accepted (-1006)", 48, CREATE, -1006, **DONE),
    _refusal("order: internal error, accepted (-1001)", 64, CREATE, -1001, **DONE),
    _refusal("order: overloaded (-1008)", 48, CREATE, -1008),
    _refusal("order: overloaded, accepted (-1008)", 64, CREATE, -1008, **DONE),
    _refusal("order: duplicate, although the first (-2010)", 96, CREATE, -2010, **DONE),
    _refusal("order: outside of its time (-1021)", 32, CREATE, -1021),
    _refusal("order: no funds (-2010)", 19, CREATE, -2010, text="Account has insufficient balance"),
    _refusal("order: filter (-1013)", 24, CREATE, -1013, text="Filter failure: LOT_SIZE"),
    _refusal("order: too many orders (-1015)", 96, CREATE, -1015),
    _refusal("order: key refused (-2015)", 96, CREATE, -2015),
    _fault("order filled in part, then ended", 13, "partial_fill", part=0.4),
    _fault("order not filled at all", 19, "partial_fill", part=0),
    _fault("order rejected with an id", 32, "reject"),
    _fault("order filled after its end", 32, "late_fill", part=0.3, delay_ms=2_000),
)

TRANSFER_FAULTS: tuple[Recipe, ...] = (
    _fault("withdrawal's answer dropped", 60, "drop_answer", "withdrawal.create"),
    _fault("withdrawal answered by a page", 80, "html", "withdrawal.create"),
    _fault("withdrawal dropped before it arrived", 100, "drop_request", "withdrawal.create"),
    _fault("deposit short", 80, "short_deposit", amount="0.75"),
    _fault("move's answer dropped", 60, "drop_answer", "transfer.create"),
    _fault("move answered by a page", 80, "html", "transfer.create"),
    _fault("withdrawals: an empty list", 60, "empty_list", "withdrawal.list", times=2, **SOON),
    _fault("deposits: an empty list", 60, "empty_list", "deposit.list", times=2, **SOON),
    _fault("withdrawals suspended", 80, "suspend_withdrawals", asset="USDT", for_ms=8_000),
    _fault("deposits suspended", 80, "suspend_deposits", asset="USDT", for_ms=8_000),
    _fault("withdrawal stuck", 80, "stuck_withdrawal", for_ms=12_000),
    _fault("deposit stuck", 80, "stuck_deposit", for_ms=12_000),
)

BNB: dict[str, Any] = {"coin": "BNB", "price": "600", "for_ms": 15_000}
BOOK_FAULTS: tuple[Recipe, ...] = (
    _fault("books stand still", 80, "stale_book", for_ms=5_000),
    _fault("books crossed", 80, "crossed_book", bps=15, for_ms=5_000),
    _fault("fees in a third coin", 30, "fee_coin", symbol="BTC/USDT", account=DEMO_LABEL, **BNB),
    _fault(
        "fees in a third coin too", 30, "fee_coin", symbol="SOL/USDT", account=DEMO_LABEL, **BNB
    ),
)

OWNER_ACTS: tuple[Recipe, ...] = (
    _by_hand("owner buys", 96, "manual_trade", symbol="ETH/USDT", side="buy", amount="0.05"),
    _by_hand("owner sells", 96, "manual_trade", symbol="SOL/USDT", side="sell", amount="1.5"),
    _by_hand("owner deposits", 128, "manual_deposit", asset="USDT", amount="123.45"),
    _by_hand("owner withdraws", 128, "manual_withdrawal", asset="USDT", amount="67.89"),
)

READ_FAULTS: tuple[Recipe, ...] = (
    _fault("look-up dropped", 13, "drop_request", QUERY, times=2, **SOON),
    _fault("look-up answered by a page", 24, "html", QUERY, times=2, **SOON),
    _fault("look-up truncated", 32, "truncate", QUERY, times=2, **SOON),
    _fault("look-up empty", 32, "empty", QUERY, times=2, **SOON),
    _refusal("look-up: not found (-2013)", 19, QUERY, -2013, times=2, **SOON),
    _refusal("look-up: unavailable (-1016)", 48, QUERY, -1016, **SOON),
    _fault("trades dropped", 48, "drop_answer", TRADES, times=2, **SOON),
    _fault("trades answered by a page", 48, "html", TRADES, times=2, **SOON),
    _fault("trades: an empty list", 48, "empty_list", TRADES, times=2, **SOON),
    _fault("trades: the last is missing", 48, "lost_row", TRADES, times=2, **SOON),
    _fault("trades: every one twice", 48, "double_rows", TRADES, times=2, **SOON),
    _fault("orders: an empty list", 64, "empty_list", "orders.all", times=2, **SOON),
    _fault("open orders answered by a page", 96, "html", "orders.open", times=2, **SOON),
    _fault("books dropped", 19, "drop_request", BOOK, times=4, **SOON),
    _fault("books answered by a page", 24, "html", BOOK, times=4, **SOON),
    _fault("books truncated", 24, "truncate", BOOK, times=4, **SOON),
    _fault("books late", 24, "late_answer", BOOK, times=4, delay_ms=2_500, **SOON),
    _fault("balances truncated", 64, "truncate", "account", times=2, **SOON),
    _fault("balances answered by a page", 64, "html", "account", times=2, **SOON),
    _fault("balances: an empty list", 64, "empty_list", "account", times=2, **SOON),
    _fault("balances: the last is missing", 64, "lost_row", "account", times=2, **SOON),
)

MARKET: dict[str, Any] = {"stream": "market"}
USER: dict[str, Any] = {"stream": "user"}
STREAM_FAULTS: tuple[Recipe, ...] = (
    _fault("a stream of books has a gap", 7, "ws_gap", **MARKET),
    _fault("messages of a stream are swapped", 9, "ws_reorder", **MARKET),
    _fault("connections of a stream cut", 12, "ws_disconnect", **MARKET),
    _fault("messages of a stream come twice", 9, "ws_double", **MARKET),
    _fault("a stream is silent", 40, "ws_silence", for_ms=5_000, **MARKET),
    _fault("snapshots older than the stream", 40, "old_snapshot", for_ms=5_000),
    _fault("events of an account lost", 8, "ws_gap", times=3, **USER),
    _fault("events of an account swapped", 10, "ws_reorder", times=2, **USER),
    _fault("events of an account come twice", 8, "ws_double", times=3, **USER),
    _fault("connections of an account cut", 15, "ws_disconnect", **USER),
    _fault("an account hears nothing", 30, "ws_silence", for_ms=8_000, **USER),
)

ORDER_DELAYS_MS = frozenset(
    recipe.options["delay_ms"]
    for recipe in ORDER_FAULTS
    if recipe.options["kind"] == "late_request"
)
"""For how long orders are held up on their way."""

VENUE_STATES: tuple[Recipe, ...] = (
    _fault("maintenance", 180, "maintenance", for_ms=4_000),
    _fault("rate limit (429)", 90, "rate_limit", times=3, retry_after_s=2),
    _fault("ban (418)", 140, "ban", for_ms=4_000),
    _fault("clock ahead", 200, "clock_skew", offset_ms=2_500, for_ms=6_000),
    _fault("clock behind", 200, "clock_skew", offset_ms=-7_000, for_ms=6_000),
    _fault("markets suspended", 120, "suspend_market", for_ms=5_000),
)

VENUE_FAULTS = (*ORDER_FAULTS, *READ_FAULTS, *BOOK_FAULTS, *TRANSFER_FAULTS, *OWNER_ACTS)
"""Each of them meets single requests, or one market."""

WORKERS = ("worker", "worker-2")

PROCESSES: tuple[Recipe, ...] = (
    Recipe("worker killed", "kill", 85, WORKERS),
    Recipe("worker terminated", "terminate", 140, WORKERS),
    Recipe("worker frozen", "freeze", 140, WORKERS, (2, 20)),
    Recipe("beat killed", "kill", 100, ("beat",)),
    Recipe("beat frozen", "freeze", 90, ("beat",), (2, 6)),
    Recipe("second beat", "second_beat", 100, lasts_s=(8, 15)),
    Recipe("web killed", "kill", 120, ("web",)),
    Recipe("venues killed", "kill", 200, ("simulator",)),
    Recipe("venues frozen", "freeze", 200, ("simulator",), (1, 5)),
    Recipe("Redis killed", "kill", 160, ("redis",)),
    Recipe("Redis frozen", "freeze", 160, ("redis",), (1, 8)),
    Recipe("everything killed", "kill_all", 300),
)
ENGINES: tuple[Recipe, ...] = (
    Recipe("engine killed", "kill", 40),
    Recipe("engine terminated", "terminate", 90),
    Recipe("engine frozen", "freeze", 60, lasts_s=(1, 12)),
)
"""Their targets are the engines. They come all the time: the other engine takes over."""

ENGINES_TOGETHER = Recipe(
    "all engines frozen", "freeze_together", 150, lasts_s=(4, 8), is_wide=True
)
"""As when their machine is paused: all of them have lost everything when it goes on."""

SCANNER: tuple[Recipe, ...] = (
    Recipe("scanner killed", "kill", 75, ("scanner",)),
    Recipe("scanner terminated", "terminate", 150, ("scanner",)),
    Recipe("scanner frozen", "freeze", 100, ("scanner",), (2, 15)),
)
"""They come all the time: nothing that trades depends on it."""

REPEATED_TASKS = Recipe("tasks delivered twice", "repeat_tasks", 4)

DATABASE: tuple[Recipe, ...] = (
    Recipe("database restarted", "restart_database", 200, lasts_s=(0.5, 4)),
    Recipe("database killed", "kill_database", 250, lasts_s=(0.5, 4)),
    Recipe("database sessions ended", "end_sessions", 60),
)

HALTS: tuple[Recipe, ...] = (
    Recipe("kill switch", "halt", 100, lasts_s=(2.5, 6)),
    Recipe("reducing only", "reduce", 120, lasts_s=(2, 5)),
    Recipe("venue halted", "halt_venue", 110, VENUES, (2, 6)),
)

FUNDS: tuple[Recipe, ...] = (
    Recipe("funds sent to another venue", "send_funds", 16, VENUES),
    Recipe("funds moved to another wallet", "move_funds", 20, VENUES),
)
