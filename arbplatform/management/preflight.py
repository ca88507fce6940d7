"""What is checked before anything starts, so that a wrong start ends with one sentence."""

import errno
import fcntl
import os
import socket
import warnings
from pathlib import Path
from typing import TextIO

from arbplatform.core.errors import Conflict, InvalidInput, Unavailable
from arbplatform.settings.env import env

LOCK_FILE = "up.lock"
DATABASE_ENGINES = ("django.db.backends.sqlite3", "django.db.backends.postgresql")
LISTEN_BACKLOG = 512


def lock_data_dir(data_dir: Path) -> TextIO:
    """Make the data directory ours until the returned file is closed or the process ends.

    Raises:
        Unavailable: it cannot be written to.
        Conflict: another process has it.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = (data_dir / LOCK_FILE).open("a+", encoding="utf-8")
    except OSError as error:
        raise Unavailable(
            "The data directory {path} cannot be used: {reason}. Choose another one with "
            "--data-dir, or mend its permissions.",
            path=str(data_dir),
            reason=error.strerror or str(error),
        ) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        owner = file.read().strip()
        file.close()
        raise Conflict(
            "arbplatform already runs on the data directory {path} (process {owner}). Stop that "
            "one first, or choose another directory with --data-dir.",
            path=str(data_dir),
            owner=owner or "?",
        ) from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; the web server inherits it, so no restart loses the port.

    Raises:
        Conflict: another program has the port.
        InvalidInput: the address cannot be used at all.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(LISTEN_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise Conflict(
                "The port {port} is in use by another program. Stop that one, or choose another "
                "port with --port.",
                port=port,
            ) from None
        raise InvalidInput(
            "The address {host}:{port} cannot be listened on: {reason}. Choose another one with "
            "--host and --port.",
            host=host,
            port=port,
            reason=error.strerror or str(error),
        ) from None
    return listener


def free_port() -> int:
    """Return a loopback port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


def is_port_free(port: int) -> bool:
    """Return whether a loopback port can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def check_database_url(url: str) -> None:
    """Refuse a database URL that no server could stand behind; its text may hold a password.

    Raises:
        InvalidInput: it does not name an SQLite or PostgreSQL database.
    """
    if not url:
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the sentence below says it better
            config = env.db_url_config(url)
    except ValueError:
        config = {}
    if config.get("ENGINE") not in DATABASE_ENGINES or not config.get("NAME"):
        raise InvalidInput(
            "DATABASE_URL is not the address of a database. Write it as "
            "postgres://user:password@host:5432/name or sqlite:////path/to/file, with special "
            "characters of the password percent-encoded, or leave it empty."
        )
