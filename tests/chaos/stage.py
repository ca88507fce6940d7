"""The platform under chaos: ``manage.py up`` with a second worker, in a process of its own.

``python -m tests.chaos.stage DATA_DIR DATABASE_URL ENGINE…`` runs until SIGTERM. Being a process of
its own it can be killed like any other, and everything that it supervises dies with it.
"""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from arbplatform.management import children, stack, supervisor
from arbplatform.management.supervisor import Supervisor, until_signal
from arbplatform.management.terminal import Terminal

SECOND_WORKER = "worker-2"
HEALTHY_AFTER_S = 3.0
"""Children are killed all the time here: one that had begun its work starts again at once."""


class Stage(Supervisor):
    """The platform with two workers, and with as many engines as are named.

    Args:
        options: of the platform.
        terminal: where it says what it does.
        engines: their names; the platform's own one is ``engine``.
    """

    def __init__(
        self, options: stack.StackOptions, terminal: Terminal, engines: Sequence[str]
    ) -> None:
        super().__init__(options, terminal)
        self._engines = [name for name in engines if name != "engine"]

    async def _start(self) -> None:
        await super()._start()
        for name in self._engines:
            self._add(replace(stack.engine(self._environment, self.options.data_dir), name=name))
        second = stack.worker(self._environment, self.options.data_dir)
        command = tuple(part.replace("arbplatform@", "second@") for part in second.command)
        self._add(replace(second, name=SECOND_WORKER, command=command))

    async def _stop(self) -> None:
        if SECOND_WORKER in self._children:
            await self._children["beat"].stop()
            for name in (*self._engines, "engine", SECOND_WORKER):
                await self._children[name].stop()
        await super()._stop()


async def serve(data_dir: Path, database_url: str, engines: Sequence[str]) -> int:
    """Run the platform until a signal stops it.

    Args:
        data_dir: where everything is kept.
        database_url: where the database is; empty is SQLite in the directory.
        engines: names of the engines.
    """
    options = stack.StackOptions(data_dir=data_dir, port=0, database_url=database_url)
    terminal = Terminal(is_quiet=True)
    platform = Stage(options, terminal, engines)

    async def run() -> int:
        async with platform:
            terminal.write("ready")
            await asyncio.Event().wait()  # until a signal cancels it
        return 0

    return await until_signal(run(), platform=platform, terminal=terminal) or 0


if __name__ == "__main__":
    children.HEALTHY_AFTER_S = HEALTHY_AFTER_S
    supervisor.READY_TIMEOUT_S = 120.0  # the machine may be busy
    sys.exit(asyncio.run(serve(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])))
