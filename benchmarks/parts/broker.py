"""A Redis of a benchmark's own."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from benchmarks.parts.processes import stop, wait_for

START_S = 10


class Broker:
    """A Redis that runs.

    Attributes:
        url: of its socket.
        pid: of its process.
    """

    def __init__(self, url: str, pid: int) -> None:
        self.url, self.pid = url, pid
        self._client = redis.Redis.from_url(url)

    def length(self, queue: str) -> int:
        """Return how many messages wait in a queue."""
        return int(self._client.llen(queue))

    def clear(self) -> None:
        """Forget everything."""
        self._client.flushall()


@contextmanager
def running_broker() -> Iterator[Broker]:
    """Run a Redis as long as the context lasts."""
    # it reads the settings, which are a benchmark's own only once it has a scratch platform
    from arbplatform.management.embedded_redis import find_server  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="arb-redis-") as name:  # sockets want short paths
        path = Path(name) / "redis.sock"
        command = [str(find_server()), "--port", "0", "--unixsocket", str(path), "--save", ""]
        process = subprocess.Popen(command, cwd=name, stdout=subprocess.DEVNULL)
        try:
            wait_for(path.exists, START_S, "Redis")
            yield Broker(f"unix://{path}", process.pid)
        finally:
            stop(process)
