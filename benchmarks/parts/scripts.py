"""What every benchmark does alike: its arguments, its databases, its end.

A script ends with::

    if __name__ == "__main__":
        run(main)
"""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn, TypeVar

import uvloop

from benchmarks.parts.processes import end_in_order, has_ended, running

Found = TypeVar("Found")

DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
"""What people call a database, by what Django calls it."""


def make_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser of arguments with what every benchmark understands: ``--quick``."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="seconds instead of minutes: a smoke test, no figures"
    )
    return parser


def make_database_parser(description: str | None) -> argparse.ArgumentParser:
    """Return the same for a benchmark that is run on each database."""
    parser = make_parser(description)
    parser.add_argument("--database", choices=DATABASES, help="only this one; else each in turn")
    return parser


def run_script(main: Callable[[], int]) -> NoReturn:
    """Run a script so that it tidies up whatever ends it, and exit with what it returns."""
    end_in_order()
    try:
        code = main()
    except KeyboardInterrupt:
        code = 130
    finally:
        has_ended()
    sys.exit(code)


def run_loop(work: Coroutine[Any, Any, Found]) -> Found:
    """Run a coroutine on a loop of its own; SIGTERM cancels it, so that it tidies up.

    A handler that raises, as ``end_in_order`` installs, would be ignored inside of uvloop.
    """

    async def run() -> Found:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await work

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(run())
    except asyncio.CancelledError:
        raise SystemExit(128 + signal.SIGTERM) from None
    finally:
        end_in_order()  # the loop has taken its handler with it


def run_on_databases(chosen: str | None, measure: Callable[[], int]) -> int:
    """Run ``measure`` here, or this script once for each database.

    A process can be set up for one database only. SQLite is a file with the product's own settings
    (WAL, every commit on disk); PostgreSQL comes from a wheel, with fsync, on a local socket.

    Args:
        chosen: what ``--database`` said; where DATABASE_URL is set, that one is measured.
        measure: measures on the configured database and returns an exit code.
    """
    if os.environ.get("DATABASE_URL") or chosen == "sqlite":
        return measure()
    spec = sys.modules["__main__"].__spec__
    assert spec is not None  # it was started by its name: python -m benchmarks.NAME
    codes = []
    for name in [chosen] if chosen else DATABASES:
        command = ["-m", spec.name, *sys.argv[1:], "--database", name]
        if name == "postgresql":
            command = ["-m", "tests.postgres", "--durable", sys.executable, *command]
        with running(command) as process:
            codes.append(process.wait())
    return 1 if any(codes) else 0
