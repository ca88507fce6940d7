"""A Redis server and a Celery worker of our own that a test may stop and start."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery
from django.conf import settings
from django.db import connection
from redis.backoff import NoBackoff
from redis.retry import Retry

from arbplatform.management.embedded_redis import find_server
from arbplatform.settings.base import broker_url

ROOT = Path(__file__).resolve().parents[1]
START_TIMEOUT_S = 30.0
PATIENCE_S = 30.0
"""Before a Redis that does answer is held to be away, however busy the machine is [s]."""
CLIENTS_OF_REDIS = (
    "arbplatform.background.queues",
    "arbplatform.push.publisher",
    "markets.gateway.budget",
    "markets.services.feeds",
)
WAIT_S = 120.0
"""So long something may take, from the cold start of Celery or an engine on, on a busy machine."""


class RedisServer:
    """A Redis server of our own that a test may stop and start."""

    def __init__(self, directory: Path) -> None:
        self._socket = directory / "redis.sock"
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{self._socket}"

    def start(self) -> None:
        self._process = subprocess.Popen(
            [str(find_server()), "--port", "0", "--unixsocket", str(self._socket), "--save", ""],
            cwd=self._directory,
            stdout=subprocess.DEVNULL,
        )
        until = time.monotonic() + START_TIMEOUT_S
        with redis.Redis.from_url(self.url, retry=Retry(NoBackoff(), 0)) as client:
            while not self._answers(client):
                assert time.monotonic() < until, "Redis did not start"
                time.sleep(0.02)

    @staticmethod
    def _answers(client: Any) -> bool:
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None


@pytest.fixture
def redis_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[RedisServer]:
    """One with an address of its own, whose clients in this process are patient."""
    for module in CLIENTS_OF_REDIS:
        monkeypatch.setattr(f"{module}.TIMEOUT_S", PATIENCE_S)
    directory = Path(tempfile.mkdtemp(prefix="arb-redis-"))  # a short path: sockets want one
    server = RedisServer(directory)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(directory)


_PART = (sys.executable, "-m", "tests.patient_part")
_CELERY = (*_PART, "celery", "--quiet", "-A", "arbplatform")
_POOL = ("--pool", "threads", "--concurrency", "4", "--without-gossip")
COMMANDS = {
    "worker": (*_CELERY, "worker", "--loglevel", "WARNING", *_POOL),
    "beat": (*_CELERY, "beat", "--loglevel", "WARNING", "--pidfile", ""),
    "engine": (*_PART, "run_engine"),
    "scanner": (*_PART, "run_scanner"),
}


class Part:
    """A process of the platform, with its own Redis and our database.

    No order and no decision of it is too late because the machine is busy.

    Args:
        program: ``worker``, ``beat``, ``engine`` or ``scanner``.

    Attributes:
        process: it.
    """

    def __init__(self, program: str, redis_url: str, directory: Path, **environment: str) -> None:
        self._log = directory / f"{program}-{time.monotonic_ns()}.log"
        with self._log.open("wb") as output:
            self.process = subprocess.Popen(
                COMMANDS[program],
                cwd=ROOT,
                env=environment_of(redis_url, directory) | environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        """What it has written so far."""
        return self._log.read_text()

    def end(self) -> int:
        """Ask it to end by SIGTERM and return its exit code."""
        self.process.terminate()
        return self.process.wait(WAIT_S)

    def clean_up(self) -> None:
        """End it in any case."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def environment_of(redis_url: str, directory: Path) -> dict[str, str]:
    """Return what a process of the platform needs to work on the database of the test."""
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "arbplatform.settings.dev",
        "ARB_DATA_DIR": str(directory),
        "DATABASE_URL": database_url(),
        "REDIS_URL": redis_url,
        "PYTHONWARNINGS": "ignore",
    }


def database_url() -> str:
    """Return what DATABASE_URL has to be for another process to see the test's database."""
    config = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{config['NAME']}"
    return f"postgres://{config['USER']}@/{config['HOST']}/{config['NAME']}"


def sender(redis_url: str) -> Celery:
    """Return what puts messages into the queues that the platform reads."""
    app = Celery(broker=broker_url(redis_url), set_as_current=False)
    app.conf.update(
        task_default_queue=settings.CELERY_TASK_DEFAULT_QUEUE,
        task_routes=settings.CELERY_TASK_ROUTES,
        task_ignore_result=True,
    )
    return app


def send(redis_url: str, task: str, **ids: int) -> None:
    """Put a message into the queue, as beat does."""
    with sender(redis_url) as app:
        app.send_task(task, kwargs=ids)


def wait_until(condition: Any, what: Any, timeout_s: float = WAIT_S) -> Any:
    """Return the first true value of ``condition()``; fail when there is none in time."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        if found := condition():
            return found
        time.sleep(0.02)
    return pytest.fail(f"waited {timeout_s:.0f} s in vain: {what() if callable(what) else what}")


@pytest.fixture
def start_part(transactional_db: None, redis_server: RedisServer, tmp_path: Path) -> Iterator[Any]:
    """Start processes that are surely gone after the test, before its database is emptied."""
    started: list[Part] = []

    def start(program: str, **environment: str) -> Part:
        started.append(Part(program, redis_server.url, tmp_path, **environment))
        return started[-1]

    yield start
    for part in started:
        part.clean_up()
