"""Which benchmarks there are, in the order in which ``python -m benchmarks`` runs them."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.parts.scripts import DATABASES

TOTAL_S = 600
"""What everything together may take [s]."""
BOTH = tuple(DATABASES)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A script, on each of its databases.

    Attributes:
        name: of its module.
        limit_s: it is stopped after so long on each database [s]; most take half of that.
        databases: that it is run on, one after the other; none where it has no choice.
        long: arguments of a longer form, which only ``--all`` runs.
        long_limit_s: what the longer form may take [s].
    """

    name: str
    limit_s: int
    databases: Sequence[str] = ("",)
    long: Sequence[str] = ()
    long_limit_s: int = 0


TARGETS = (
    Benchmark("book_to_venue", 110, BOTH),
    Benchmark("detection", 60),
    Benchmark("cross_venue_detection", 30),
    Benchmark("intake", 40),
    Benchmark("scheduled_scale", 100, BOTH),
    Benchmark("ledger_writes", 40, BOTH),
    Benchmark("books_memory", 90, long=("--minutes", "20"), long_limit_s=1_500),
)
"""What the engine was built to reach. They are always run, whatever time is left."""

ENGINE = (
    Benchmark("send_latency", 40, BOTH),
    Benchmark("warm_orders", 80),
    Benchmark("book_intake", 40),
    Benchmark("recorded_session", 40),
    Benchmark("push_fanout", 60),
    Benchmark("stream_scale", 90, ("sqlite",)),
)
"""What the engine promises besides."""

EARLIER = (
    Benchmark("evaluation", 30),
    Benchmark("tick_latency", 60),
    Benchmark("matching_engine", 30),
    Benchmark("simulator_http", 30),
    Benchmark("takeover", 150, BOTH),
    Benchmark("embedded_stack", 120),
    Benchmark("replay_brazil", 150),
)
"""What the rest of the platform promises."""

EVERY = TARGETS + ENGINE + EARLIER


def choose(only: Sequence[str]) -> tuple[Benchmark, ...]:
    """Return the benchmarks that are asked for, all if none is, in their order.

    Raises:
        SystemExit: one of them does not exist.
    """
    unknown = set(only) - {benchmark.name for benchmark in EVERY}
    if unknown:
        names = ", ".join(benchmark.name for benchmark in EVERY)
        raise SystemExit(f"There is no {', '.join(sorted(unknown))}. There are: {names}")
    return tuple(benchmark for benchmark in EVERY if not only or benchmark.name in only)
