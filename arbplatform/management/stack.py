"""The processes that together are the platform, and how each one is run."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from arbplatform.management.children import ChildSpec
from arbplatform.management.preflight import SELF_SUFFICIENT
from arbplatform.management.probes import LOCALHOST, answers_http
from arbplatform.settings.env import BASE_DIR, env

WORKER_THREADS = 8
WORKER_STOP_TIMEOUT_S = 45.0
"""Longer than WORKER_DRAIN_MS and one step of an execution at venues that do not answer: what was
sent is answered for before the worker goes. Mostly it takes a moment."""
ROOT_WARNING = "ignore:You're running the worker with superuser privileges"


@dataclass(frozen=True, slots=True)
class StackOptions:
    """What a person may choose.

    Attributes:
        data_dir: everything that is written is below it.
        host: address that the web server listens on.
        port: its port; 0 is any free one.
        has_demo: whether the simulated venues run and a first start trades on them.
        has_scanner: whether a process looks for what earns on all venues, all the time.
        database_url: empty is SQLite in the data directory.
        redis_url: empty is the embedded server.
    """

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 8000
    has_demo: bool = True
    has_scanner: bool = True
    database_url: str = ""
    redis_url: str = ""

    def environment(self, redis_url: str) -> dict[str, str]:
        """Return the environment of the platform's processes."""
        inherited = os.environ.get("PYTHONPATH", "")
        return {
            # the C library would keep a pool of freed memory for each of many threads
            "MALLOC_ARENA_MAX": "2",
            **os.environ,
            "DJANGO_SETTINGS_MODULE": settings_module(),
            "ARB_DATA_DIR": str(self.data_dir),
            "DATABASE_URL": self.database_url,
            "REDIS_URL": redis_url,
            "PYTHONPATH": os.pathsep.join(filter(None, (str(BASE_DIR), inherited))),
            "PYTHONUNBUFFERED": "1",
            # made before anything starts and by the web server; they load every page and address
            "CELERY_SKIP_CHECKS": "1",
        }


def settings_module() -> str:
    """Return the settings that the platform's processes run with."""
    return os.environ.get("DJANGO_SETTINGS_MODULE") or SELF_SUFFICIENT


def manage(*arguments: str) -> tuple[str, ...]:
    """Return the command line of a management command."""
    return (sys.executable, str(BASE_DIR / "manage.py"), *arguments)


def check() -> tuple[str, ...]:
    """Return the command line that checks the configuration and changes nothing."""
    return (sys.executable, "-m", "arbplatform.management.checking")


def web(environment: Mapping[str, str], directory: Path, *, descriptor: int, url: str) -> ChildSpec:
    """Return the web server, on the inherited socket ``descriptor`` that ``url`` leads to."""
    return ChildSpec(
        name="web",
        command=(sys.executable, "-m", "arbplatform.management.web", str(descriptor)),
        environment=environment,
        directory=directory,
        is_ready=partial(answers_http, f"{url}/healthz", host=_allowed_host()),
        descriptors=(descriptor,),
    )


def _allowed_host() -> str:
    """Return a name of the web server by which it lets itself be asked."""
    names = env.list("ALLOWED_HOSTS", default=[])
    return next((name.lstrip(".") for name in names if name != "*"), LOCALHOST)


def worker(environment: Mapping[str, str], directory: Path) -> ChildSpec:
    """Return the Celery worker.

    Threads, not processes: the tasks wait for venues and the database most of the time, the
    connections to venues are pooled per process, and one process needs a fraction of the memory.
    """
    return ChildSpec(
        name="worker",
        command=(
            *_celery("worker", "--pool", "threads", "--concurrency", str(WORKER_THREADS)),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
            *("--hostname", "arbplatform@%h"),
        ),
        # Celery warns root about messages that run code; ours are JSON, nothing else is accepted.
        environment={**environment, "PYTHONWARNINGS": ROOT_WARNING},
        directory=directory,
        stop_timeout_s=WORKER_STOP_TIMEOUT_S,
    )


def engine(environment: Mapping[str, str], directory: Path) -> ChildSpec:
    """Return the engine, which runs the strategies that are driven by streams."""
    return ChildSpec(
        name="engine",
        command=manage("run_engine", "--skip-checks"),
        environment=environment,
        directory=directory,
        stop_timeout_s=WORKER_STOP_TIMEOUT_S,
    )


def scanner(environment: Mapping[str, str], directory: Path) -> ChildSpec:
    """Return the scanner, which looks for what earns on all enabled venues."""
    return ChildSpec(
        name="scanner",
        command=manage("run_scanner", "--skip-checks"),
        environment=environment,
        directory=directory,
    )


def beat(environment: Mapping[str, str], directory: Path) -> ChildSpec:
    """Return the scheduler; the schedule is in the database, so it writes no file."""
    return ChildSpec(
        name="beat",
        command=_celery("beat", "--pidfile", ""),
        ask_again_s=2.0,  # while it starts, its own error handling can swallow the first request
        environment=environment,
        directory=directory,
    )


def _celery(program: str, *arguments: str) -> tuple[str, ...]:
    return (
        *(sys.executable, "-m", "celery", "--quiet", "-A", "arbplatform", program),
        *("--loglevel", "WARNING", *arguments),
    )
