import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from arbplatform.management.embedded_redis import find_server
from markets.gateway import factory
from markets.simulator.running import start_in_thread
from tests.markets.simulator.worlds import ASKS, BIDS, two_venues


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
        until = time.monotonic() + 3
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
def redis_server() -> Iterator[RedisServer]:
    directory = Path(tempfile.mkdtemp(prefix="arb-redis-"))  # a short path: sockets want one
    server = RedisServer(directory)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(directory)


@pytest.fixture
def simulator() -> Iterator[Any]:
    with start_in_thread(two_venues()) as running:
        for code in ("alpha", "beta"):
            running.control.set_book(code, "BTC/USDT", BIDS, ASKS)
        yield running


@pytest.fixture(autouse=True)
def nothing_is_shared_afterwards() -> Iterator[None]:
    yield
    factory.close_all()
    factory.configure(timeout_ms=10_000)
