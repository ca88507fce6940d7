"""The platform under chaos: ``manage.py up`` with a second worker, in a process of its own.

``python -m tests.chaos.stage DATA_DIR DATABASE_URL`` runs until SIGTERM. Being a process of its
own it can be killed like any other, and everything that it supervises dies with it.
"""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from arbplatform.management import children, stack, supervisor
from arbplatform.management.supervisor import Supervisor, until_signal
from arbplatform.management.terminal import Terminal

SECOND_WORKER = "worker-2"
HEALTHY_AFTER_S = 3.0
"""Children are killed all the time here: one that had begun its work starts again at once."""


class Stage(Supervisor):
    """The platform with two workers."""

    async def _start(self) -> None:
        await super()._start()
        second = stack.worker(self._environment, self.options.data_dir)
        command = tuple(part.replace("arbplatform@", "second@") for part in second.command)
        self._add(replace(second, name=SECOND_WORKER, command=command))

    async def _stop(self) -> None:
        if SECOND_WORKER in self._children:
            await self._children["beat"].stop()
            await self._children[SECOND_WORKER].stop()
        await super()._stop()


async def serve(data_dir: Path, database_url: str) -> int:
    """Run the platform until a signal stops it.

    Args:
        data_dir: where everything is kept.
        database_url: where the database is; empty is SQLite in the directory.
    """
    options = stack.StackOptions(data_dir=data_dir, port=0, database_url=database_url)
    terminal = Terminal(is_quiet=True)
    platform = Stage(options, terminal)

    async def run() -> int:
        async with platform:
            terminal.write("ready")
            await asyncio.Event().wait()  # until a signal cancels it
        return 0

    return await until_signal(run(), platform=platform, terminal=terminal) or 0


if __name__ == "__main__":
    children.HEALTHY_AFTER_S = HEALTHY_AFTER_S
    supervisor.READY_TIMEOUT_S = 120.0  # the machine may be busy
    sys.exit(asyncio.run(serve(Path(sys.argv[1]), sys.argv[2])))
