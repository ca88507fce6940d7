"""The command line of the simulator, without the weight of the rest of the platform."""

import argparse
import asyncio
import gc
import signal
from collections.abc import Callable
from pathlib import Path

import uvloop

from arbplatform.core.errors import InvalidInput
from markets.simulator.config import load_config
from markets.simulator.faults.file import load_faults
from markets.simulator.replay import OpenSession
from markets.simulator.running import HOST, Simulator

DEFAULT_PORT = 8010
PORT_MAX = 65_535
COLLECT_AFTER = (50_000, 20, 50)
"""Thresholds of the garbage collector: it would find next to nothing, slowly."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--config", type=Path, required=True, help="JSON file of the venues")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes a free one")
    parser.add_argument("--host", default=HOST, help="address to listen on")
    parser.add_argument("--state-dir", type=Path, help="where accounts survive a restart")
    parser.add_argument("--faults", type=Path, help="JSON file of what goes wrong, by venue")
    parser.add_argument("--seed", type=int, help="instead of the one in the file")


def serve(
    *,
    config: Path,
    host: str,
    port: int,
    state_dir: Path | None,
    seed: int | None,
    faults: Path | None = None,
    say: Callable[[str], None],
    open_session: OpenSession | None = None,
) -> None:
    """Serve the venues of a configuration file until SIGTERM or SIGINT.

    Args:
        config: JSON file.
        host: address to listen on.
        port: 0 takes a free one.
        state_dir: where accounts survive; ``None`` for nowhere.
        seed: instead of the one in the file.
        faults: JSON file of what goes wrong, by venue; ``None`` for nothing more.
        say: is told the address once everything is ready.
        open_session: reads recorded sessions of feeds; ``None``: they cannot be shown.

    Raises:
        ArbError: in one sentence, when the simulation cannot start.
    """
    if not 0 <= port <= PORT_MAX:
        raise InvalidInput("The port must be between 0 and {port_max}.", port_max=PORT_MAX)
    overrides = {} if seed is None else {"seed": seed}
    checked = load_config(config, **overrides)
    planned = None if faults is None else load_faults(faults, checked.venues)
    simulator = Simulator(
        checked,
        host=host,
        port=port,
        state_dir=state_dir,
        faults=planned,
        open_session=open_session,
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(simulator, host, say))


async def _serve(simulator: Simulator, host: str, say: Callable[[str], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await simulator.open()
    say(f"Simulated venues {', '.join(simulator.world.venues)} on http://{host}:{simulator.port}")
    # Orders and trades live long: looking through all of them often would only delay answers.
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    await stop.wait()
    await simulator.close()
