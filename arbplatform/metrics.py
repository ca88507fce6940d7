"""What Prometheus reads: speeds of the engines, queues, leases, orders, executions and health.

Everything is read at the moment it is asked for. A source that does not answer leaves its families
out and is said to be down; the others are told all the same.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from django.db import DatabaseError
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from arbplatform.background.queues import read_depths
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.errors import ArbError
from arbplatform.core.histograms import Histogram
from arbplatform.parts import check_parts
from arbplatform.persistence.clock import DATABASE_CLOCK
from ledger.selectors import count_live_by_state
from markets.selectors import list_venues
from markets.services.feed_figures import FeedFigures, sum_up
from markets.services.feeds import list_feeds
from strategies.domain.engine_stats import EngineStats
from strategies.selectors import count_executions, count_strategies
from strategies.selectors.engines import count_unheld_streams, list_held
from strategies.services.engine_stats import list_stats

logger = logging.getLogger(__name__)

US_PER_S: Final = 1_000_000
MS_PER_S: Final = 1_000
BOUNDS_US: Final = tuple(2.0**power for power in range(25))
"""Upper bounds of the buckets, from 1 µs to 17 s [µs]; each is one of ``Histogram``'s own."""

Read = Callable[[], Iterable[Metric]]


class PlatformCollector(Collector):
    """Reads everything anew for each answer.

    Args:
        clock: tells how old the engines' words are.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """Yield every family, and at last which sources have answered."""
        up = GaugeMetricFamily(
            "arb_source_up", "Whether a source of these metrics has answered.", labels=["source"]
        )
        sources: Mapping[str, Read] = {
            "engines": lambda: engine_families(list_stats(clock=self._clock), self._clock.now_ms()),
            "feeds": lambda: feed_families(
                sum_up(list_feeds(clock=self._clock), self._clock.now_ms())
            ),
            "queues": lambda: queue_families(read_depths()),
            "leases": lease_families,
            "trading": trading_families,
            "venues": venue_families,
            "parts": part_families,
        }
        for name, read in sources.items():
            try:
                families = list(read())
            except (ArbError, DatabaseError, RedisError, OSError) as error:
                logger.warning("The metrics of %s cannot be read: %s", name, error)
                up.add_metric([name], 0)
                continue
            up.add_metric([name], 1)
            yield from families
        yield up


def engine_families(engines: Iterable[EngineStats], now_ms: int) -> Iterator[Metric]:
    """Yield what engines say about themselves.

    Args:
        engines: the newest word of each.
        now_ms: the present moment [ms since epoch].
    """
    stage = HistogramMetricFamily(
        "arb_engine_stage_seconds",
        "How long a stage between a venue's event and a booked fill takes.",
        labels=["engine", "stage"],
    )
    waiting = _gauge("arb_engine_queue", "What waits in a queue of an engine.", "engine", "queue")
    dropped = _counter("arb_engine_drops", "What a queue has dropped.", "engine", "queue")
    conflated = _counter(
        "arb_engine_conflated", "Updates of books that a newer one has overtaken.", "engine"
    )
    feeds = _gauge("arb_engine_feeds", "Feeds of an engine, by state.", "engine", "state")
    held = _gauge("arb_engine_strategies", "Strategies that an engine decides for.", "engine")
    memory = _gauge("arb_engine_memory_bytes", "Memory that an engine takes.", "engine")
    age = _gauge("arb_engine_age_seconds", "Since an engine has said something.", "engine")
    for stats in engines:
        name = stats.name
        for each, histogram in stats.stages.items():
            stage.add_metric([name, each.value], *_buckets(histogram))
        for family, counts in ((waiting, stats.queues), (dropped, stats.drops)):
            for queue, number in counts.items():
                family.add_metric([name, queue], number)
        for state, number in stats.feeds.items():
            feeds.add_metric([name, state], number)
        conflated.add_metric([name], stats.conflated)
        held.add_metric([name], len(stats.strategies))
        memory.add_metric([name], stats.rss_bytes)
        age.add_metric([name], max(0, now_ms - stats.at_ms) / MS_PER_S)
    yield from (stage, waiting, dropped, conflated, feeds, held, memory, age)


def feed_families(figures: Iterable[FeedFigures]) -> Iterator[Metric]:
    """Yield how well the live books of each venue are known."""
    labels = ("engine", "venue")
    states = _gauge("arb_feeds", "Feeds of an engine, by venue and state.", *labels, "state")
    age = _gauge(
        "arb_feed_age_seconds", "Of the oldest proof that a healthy book is current.", *labels
    )
    breaks = _gauge(
        "arb_feed_breaks", "Gaps, wrong checksums and broken books of the open feeds.", *labels
    )
    reconnects = _gauge("arb_feed_reconnects", "Connections of these feeds opened again.", *labels)
    for each in figures:
        own = [each.engine, each.venue]
        for state, number in each.states.items():
            states.add_metric([*own, state.value], number)
        if each.age_ms is not None:
            age.add_metric(own, each.age_ms / MS_PER_S)
        breaks.add_metric(own, each.breaks)
        reconnects.add_metric(own, each.reconnects)
    yield from (states, age, breaks, reconnects)


def queue_families(depths: Mapping[str, int]) -> Iterator[Metric]:
    """Yield how many messages wait for the workers."""
    family = _gauge("arb_queue_messages", "Messages that wait for a worker.", "queue")
    for queue, depth in depths.items():
        family.add_metric([queue], depth)
    yield family


def lease_families() -> Iterator[Metric]:
    """Yield who holds strategies, by the database."""
    now = DATABASE_CLOCK.now()
    held = _gauge("arb_leases", "Strategies that an engine has leased.", "engine")
    for engine, strategies in list_held(now=now).items():
        held.add_metric([engine], len(strategies))
    yield held
    free = _gauge("arb_unheld_strategies", "Running strategies on streams that no engine holds.")
    free.add_metric([], count_unheld_streams(now=now))
    yield free


def trading_families() -> Iterator[Metric]:
    """Yield strategies, executions and orders by state.

    Of orders those that are not at their end: all of them would be counted for ever longer.
    """
    for name, text, counts in (
        ("arb_strategies", "Strategies by state.", count_strategies()),
        ("arb_executions", "Executions by state.", count_executions()),
        ("arb_live_orders", "Orders by state.", count_live_by_state()),
    ):
        family = _gauge(name, text, "state")
        for state, number in sorted(counts.items()):
            family.add_metric([str(state)], number)
        yield family


def venue_families() -> Iterator[Metric]:
    """Yield the state of every venue that is used."""
    family = _gauge("arb_venue_state", "1 for the state that a venue is in.", "venue", "state")
    for venue in list_venues(is_enabled=True):
        family.add_metric([venue.code, venue.state], 1)
    yield family


def part_families() -> Iterator[Metric]:
    """Yield how each part of the platform is."""
    up = _gauge("arb_part_up", "Whether a part of the platform works.", "part")
    age = _gauge("arb_part_age_seconds", "Since a part has last shown itself.", "part")
    for name, part in check_parts().items():
        up.add_metric([name], int(part.is_ok))
        if part.age_ms is not None:
            age.add_metric([name], part.age_ms / MS_PER_S)
    yield from (up, age)


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=labels)


def _counter(name: str, text: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, labels=labels)


def _buckets(histogram: Histogram) -> tuple[list[tuple[str, float]], float]:
    counted = histogram.cumulative(BOUNDS_US)
    buckets = [
        (f"{bound_us / US_PER_S:g}", float(number))
        for bound_us, number in zip(BOUNDS_US, counted, strict=True)
    ]
    return [*buckets, ("+Inf", float(histogram.count))], histogram.sum_us / US_PER_S
