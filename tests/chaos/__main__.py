"""``python -m tests.chaos``: everything goes wrong at once, and nothing may be lost."""

import argparse
import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import django

from tests.chaos.plan import VENUE_TIMEOUT_MS
from tests.postgres import PostgresServer

SEED_MAX = 1_000_000
SECONDS_MIN, SECONDS_MAX = 30, 3_600
ENGINES_MAX = 4
SOCKET_PATH_BYTES_MAX = 107
"""The kernel's limit for the address of a Unix socket."""
DATABASE_SETTINGS = {"fsync": "off"}
"""A commit reaches the kernel, which no SIGKILL takes back; only a power cut would."""


def main(arguments: Sequence[str]) -> int:
    """Run a storm and return the exit code: 0 only if everything held."""
    chosen = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminated)
    data_dir: Path = chosen.data_dir or Path(tempfile.mkdtemp(prefix="arb-chaos-"))
    _check_directory(data_dir)
    _say(f"Chaos with the seed {chosen.seed} in {data_dir} on {chosen.database}.")
    server_dir = Path(tempfile.mkdtemp(prefix="arb-chaos-pg-"))
    is_held, is_kept = False, True
    try:
        with _database(chosen.database, server_dir) as server:
            is_held = _storm(chosen, data_dir, server)
        is_kept = chosen.is_kept or not is_held
    finally:
        if is_kept:
            _say(f"Everything is kept in {data_dir} (database server: {server_dir}).")
            _say(f"Once more: make chaos ARGS='{_describe(chosen)}'")
        else:
            shutil.rmtree(data_dir, ignore_errors=True)
            shutil.rmtree(server_dir, ignore_errors=True)
    return 0 if is_held else 1


def _storm(chosen: argparse.Namespace, data_dir: Path, server: PostgresServer | None) -> bool:
    """Set the environment, and only then load what reads it."""
    url = "" if server is None else server.url()
    environment = {
        "ARB_DATA_DIR": str(data_dir),
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "arbplatform.settings.dev",
        "VENUE_TIMEOUT_MS": str(VENUE_TIMEOUT_MS),
    }
    os.environ.update(environment | {"REDIS_URL": f"unix://{data_dir}/redis.sock"})
    django.setup()
    course: Any = import_module("tests.chaos.course")
    is_held: bool = course.run(
        course.Wish(chosen.seed, chosen.seconds, chosen.executions, chosen.engines),
        data_dir=data_dir,
        database_url=url,
        environment=environment | {"REDIS_URL": ""},
        server=server,
    )
    return is_held


@contextmanager
def _database(kind: str, directory: Path) -> Iterator[PostgresServer | None]:
    if kind == "sqlite":
        yield None
        return
    server = PostgresServer(directory, settings=DATABASE_SETTINGS)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make chaos ARGS=…", description=__doc__)
    parser.add_argument(
        "--seed", type=int, default=secrets.randbelow(SEED_MAX), help="default: a random one"
    )
    parser.add_argument(
        "--seconds", type=_seconds, default=420, help="how long things go wrong [s]"
    )
    parser.add_argument(
        "--executions", type=int, default=1_000, help="that have to happen at least"
    )
    parser.add_argument(
        "--engines",
        type=int,
        choices=range(ENGINES_MAX + 1),
        default=2,
        help="how many run most strategies on streams; 0: all are on the schedule",
    )
    parser.add_argument("--database", choices=("postgres", "sqlite"), default="postgres")
    parser.add_argument("--data-dir", type=Path, help="an empty directory (default: a scratch one)")
    parser.add_argument("--keep", dest="is_kept", action="store_true", help="remove nothing")
    return parser


def _describe(chosen: argparse.Namespace) -> str:
    return (
        f"--seed {chosen.seed} --seconds {chosen.seconds} --executions {chosen.executions} "
        f"--engines {chosen.engines} --database {chosen.database}"
    )


def _seconds(text: str) -> int:
    if not text.isdecimal() or not SECONDS_MIN <= int(text) <= SECONDS_MAX:
        raise argparse.ArgumentTypeError(f"a whole number from {SECONDS_MIN} to {SECONDS_MAX}")
    return int(text)


def _check_directory(data_dir: Path) -> None:
    data_dir.mkdir(parents=True, exist_ok=True)
    if any(data_dir.iterdir()):
        raise SystemExit(f"The directory {data_dir} is not empty. Name an empty one.")
    if len(os.fsencode(data_dir / "redis.sock")) > SOCKET_PATH_BYTES_MAX:
        raise SystemExit(f"The path {data_dir} is too long for a socket. Name a shorter one.")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _terminated(signum: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + signum)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
