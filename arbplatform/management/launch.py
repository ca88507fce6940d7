"""The command lines of ``up`` and ``demo``.

They run without Django: the process that supervises the others stays small, and no settings are
loaded (which would make secrets in the default data directory) before the options are known.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from arbplatform.core.errors import ArbError, Message
from arbplatform.management import demo_run
from arbplatform.management.speech import label, render
from arbplatform.management.stack import StackOptions
from arbplatform.management.supervisor import Supervisor, until_signal
from arbplatform.management.terminal import Terminal
from arbplatform.settings.env import DATA_DIR, env

PORT_MAX = 65_535
LABEL_COLUMNS = 10


def main(arguments: Sequence[str]) -> int:
    """Run ``up`` or ``demo`` and return the exit code.

    Args:
        arguments: the command and its options.
    """
    chosen = build_parser().parse_args(arguments)
    terminal = Terminal(is_quiet=chosen.is_quiet)
    run: Coroutine[Any, Any, int] = (
        _run_up(_up_options(chosen), terminal)
        if chosen.command == "up"
        else demo_run.run_demo(
            seconds=chosen.seconds,
            data_dir=chosen.data_dir,
            database_url=chosen.database_url,
            terminal=terminal,
        )
    )
    try:
        return asyncio.run(run)
    except ArbError as error:
        told = Message("Error {code}: {what}", {"code": error.code, "what": error.message})
        sys.stderr.write(f"{render(told)}\n")
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of both commands."""
    parser = argparse.ArgumentParser(prog="manage.py")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="Run everything on embedded defaults.")
    up.add_argument(
        "--data-dir", type=_directory, help="where everything is kept (default: ARB_DATA_DIR)"
    )
    up.add_argument("--host", default="127.0.0.1", help="address to listen on")
    up.add_argument("--port", type=_port, default=8000, help="port to listen on; 0: any free one")
    up.add_argument(
        "--no-demo", action="store_true", help="no simulated venues and no demo strategies"
    )
    up.add_argument(
        "--no-scanner",
        action="store_true",
        help="no process that watches all markets of all venues",
    )
    demo = commands.add_parser("demo", help="Trade on a scratch directory, then add it all up.")
    demo.add_argument("--seconds", type=_seconds, default=60, help="how long to trade [s]")
    demo.add_argument(
        "--data-dir", type=_directory, help="an empty directory, kept (default: a scratch one)"
    )
    demo.add_argument(
        "--database-url", default="", help="an empty database (default: SQLite in the directory)"
    )
    for command in (up, demo):
        command.add_argument(
            "--quiet",
            dest="is_quiet",
            action="store_true",
            default=command is demo,
            help="show no lines of the processes, only log them",
        )
    return parser


def _up_options(chosen: argparse.Namespace) -> StackOptions:
    return StackOptions(
        data_dir=chosen.data_dir or DATA_DIR,
        host=chosen.host,
        port=chosen.port,
        has_demo=not chosen.no_demo,
        has_scanner=not chosen.no_scanner,
        database_url=env.str("DATABASE_URL", default=""),
        redis_url=env.str("REDIS_URL", default=""),
    )


async def _run_up(options: StackOptions, terminal: Terminal) -> int:
    platform = Supervisor(options, terminal)

    async def serve() -> int:
        async with platform:
            _introduce(platform, terminal)
            await asyncio.Event().wait()  # until a signal cancels it
        return 0

    terminal.say(Message("arbplatform is starting; the first start takes some seconds longer."))
    await until_signal(serve(), platform=platform, terminal=terminal)
    terminal.say(Message("arbplatform has stopped."))
    return 0


def _introduce(platform: Supervisor, terminal: Terminal) -> None:
    """Say what a person needs to know once everything runs."""
    terminal.write()
    terminal.say(Message("arbplatform is running."))
    for name, value in (
        (Message("console"), f"{platform.url}/admin/"),
        (Message("API"), f"{platform.url}/api/docs"),
        (Message("data"), str(platform.options.data_dir)),
    ):
        terminal.write(f"  {label(name, LABEL_COLUMNS)} {value}")
    platform.say_login()
    terminal.say(Message("Stop it with Ctrl-C."))
    terminal.write()


def _directory(text: str) -> Path:
    return Path(text).expanduser().resolve()


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > PORT_MAX:
        raise argparse.ArgumentTypeError(f"{text} is not a port: it is a number up to {PORT_MAX}")
    return int(text)


def _seconds(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= demo_run.SECONDS_MAX:
        raise argparse.ArgumentTypeError(
            f"{text} is not a duration: it is a whole number of seconds from 1 to "
            f"{demo_run.SECONDS_MAX}"
        )
    return int(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
