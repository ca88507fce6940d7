"""One storm: starts the platform, lets it pass, prints what came of it.

Needs Django to be set up; ``tests.chaos.__main__`` does that.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from arbplatform.management.demo_venues import SimulatedVenues
from tests.chaos import reading, report, storm
from tests.chaos.monkey import Server
from tests.chaos.processes import Platform
from tests.chaos.world import write_world

VIOLATIONS_FILE = "violations.json"
LOG_FILE = "chaos.log"


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for.

    Attributes:
        seed: of the plan and of the venues.
        seconds: how long things go wrong [s].
        executions: that have to happen at least.
        engines: how many engines run strategies on streams.
    """

    seed: int
    seconds: float
    executions: int
    engines: int = 0


def run(
    wish: Wish,
    *,
    data_dir: Path,
    database_url: str,
    environment: Mapping[str, str],
    server: Server | None,
) -> bool:
    """Run a storm, print its table, and return whether everything held.

    Args:
        wish: what was asked for.
        data_dir: of the platform.
        database_url: empty is SQLite in the directory.
        environment: of the platform's processes.
        server: the database; ``None`` if it is a file.
    """
    # what our own services complain about while everything is broken belongs to no terminal
    logging.basicConfig(filename=data_dir / LOG_FILE, force=True)
    config = write_world(data_dir, seed=wish.seed)
    engines = name_engines(wish.engines)
    platform = Platform(data_dir, database_url, environment, engines)
    platform.start()
    try:
        platform.wait_until_ready()
        venues = SimulatedVenues(
            data_dir / "simulator", int((data_dir / "simulator" / "port").read_text())
        )
        scope = storm.Scope(
            seed=wish.seed,
            seconds=wish.seconds,
            executions=wish.executions,
            data_dir=data_dir,
            simulator_url=venues.url,
            config=config,
            engines=engines,
        )
        return _judge(wish, data_dir, storm.run(scope, platform, server))
    finally:
        platform.stop()


def name_engines(count: int) -> tuple[str, ...]:
    """Return the names of so many engines; the first one is the platform's own."""
    return tuple("engine" if number == 0 else f"engine-{number + 1}" for number in range(count))


def _judge(wish: Wish, data_dir: Path, result: storm.Result) -> bool:
    evidence, violations = result.evidence, result.violations
    executed = len(evidence.executions)
    violations["enough happened"] = (
        []
        if executed >= wish.executions
        else [f"{executed} executions, {wish.executions} were wanted"]
    )
    for line in report.describe(
        evidence=evidence,
        diary=result.diary,
        tallies=reading.read_tallies(),
        violations=violations,
    ):
        storm.say(line)
    is_held = not any(violations.values())
    (data_dir / VIOLATIONS_FILE).write_text(json.dumps(violations, indent=1))
    storm.say("")
    storm.say(
        f"Seed {wish.seed}: {executed} executions, {len(evidence.orders)} orders, "
        f"{result.diary.done.total()} things went wrong, at rest after {result.settled_s:.0f} s. "
        + ("Nothing was lost." if is_held else "NOT EVERYTHING HELD.")
    )
    return is_held
