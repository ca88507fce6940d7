"""``manage.py simulate``: run the simulated venues alone, until told to stop."""

import asyncio
import gc
import signal
from pathlib import Path
from typing import Any

import uvloop
from django.core.management.base import BaseCommand, CommandError, CommandParser

from arbplatform.core.errors import ArbError
from markets.simulator.config import load_config
from markets.simulator.running import HOST, Simulator

DEFAULT_PORT = 8010
PORT_MAX = 65_535
_COLLECT_AFTER = (50_000, 20, 50)


class Command(BaseCommand):
    """Serves the venues of a configuration file."""

    help = "Run simulated venues: the Binance spot protocol over HTTP and WebSocket."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--config", type=Path, required=True, help="JSON file of the venues")
        parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes a free one")
        parser.add_argument("--host", default=HOST, help="address to listen on")
        parser.add_argument("--state-dir", type=Path, help="where accounts survive a restart")
        parser.add_argument("--seed", type=int, help="instead of the one in the file")

    def handle(self, *_: Any, **options: Any) -> None:
        """Serve until SIGTERM or SIGINT.

        Raises:
            CommandError: in one sentence, when the simulation cannot start.
        """
        if not 0 <= options["port"] <= PORT_MAX:
            raise CommandError(f"The port must be between 0 and {PORT_MAX}.")
        overrides = {} if options["seed"] is None else {"seed": options["seed"]}
        try:
            config = load_config(options["config"], **overrides)
            simulator = Simulator(
                config, host=options["host"], port=options["port"], state_dir=options["state_dir"]
            )
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._serve(simulator))
        except ArbError as error:
            raise CommandError(str(error)) from None

    async def _serve(self, simulator: Simulator) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await simulator.open()
        codes = ", ".join(simulator.world.venues)
        self.stdout.write(f"Simulated venues {codes} on http://{HOST}:{simulator.port}")
        self.stdout.flush()
        # Orders and trades live long: looking through all of them often would only delay answers.
        gc.freeze()
        gc.set_threshold(*_COLLECT_AFTER)
        await stop.wait()
        await simulator.close()
