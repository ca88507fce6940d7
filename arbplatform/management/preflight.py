"""What is checked before anything starts, so that a wrong start ends with one sentence."""

import errno
import fcntl
import os
import socket
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TextIO
from urllib.parse import SplitResult, urlsplit

from arbplatform.management.errors import (
    AddressUnusable,
    AlreadyRuns,
    DatabaseAddressWrong,
    DirectoryUnusable,
    PortTaken,
    RedisAddressWrong,
    SecretsMissing,
)
from arbplatform.settings.env import env, missing_secrets

LOCK_FILE = "up.lock"
SELF_SUFFICIENT = "arbplatform.settings.dev"
"""The settings that make the secrets which they need."""
DATABASE_ENGINES = ("django.db.backends.sqlite3", "django.db.backends.postgresql")
REDIS_SCHEMES = ("redis", "rediss")
LISTEN_BACKLOG = 512


def lock_data_dir(data_dir: Path) -> TextIO:
    """Make the data directory ours until the returned file is closed or the process ends.

    Raises:
        DirectoryUnusable: it cannot be written to.
        AlreadyRuns: another process has it.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = (data_dir / LOCK_FILE).open("a+", encoding="utf-8")
    except OSError as error:
        raise unusable(data_dir, error) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        owner = file.read().strip()
        file.close()
        raise AlreadyRuns(path=str(data_dir), owner=owner or "?") from None
    try:
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
    except OSError as error:  # the disk is full
        with suppress(OSError):
            file.close()
        raise unusable(data_dir, error) from None
    return file


def unusable(data_dir: Path, error: OSError) -> DirectoryUnusable:
    """Return the refusal of a data directory for what the system says of it."""
    return DirectoryUnusable(path=str(data_dir), reason=error.strerror or str(error))


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; the web server inherits it, so no restart loses the port.

    Raises:
        PortTaken: another program has the port.
        AddressUnusable: the address cannot be used at all.
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
            raise PortTaken(port=port) from None
        raise AddressUnusable(host=host, port=port, reason=error.strerror or str(error)) from None
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


def check_secrets(settings_module: str) -> None:
    """Refuse settings that need secrets from the environment if it lacks some.

    Raises:
        SecretsMissing: it does.
    """
    if settings_module != SELF_SUFFICIENT and (names := missing_secrets()):
        raise SecretsMissing(names=", ".join(names), settings=settings_module)


def check_database_url(url: str) -> None:
    """Refuse a database URL that no server could stand behind; its text may hold a password.

    Raises:
        DatabaseAddressWrong: it does not name an SQLite or PostgreSQL database.
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
        raise DatabaseAddressWrong


def check_redis_url(url: str) -> None:
    """Refuse a Redis URL that no server could stand behind; its text may hold a password.

    Raises:
        RedisAddressWrong: it does not name a Redis server.
    """
    if not url:
        return
    try:
        is_sound = _leads_to_redis(urlsplit(url))
    except ValueError:  # a port or an IPv6 address that is none
        is_sound = False
    if not is_sound:
        raise RedisAddressWrong


def _leads_to_redis(parts: SplitResult) -> bool:
    if parts.scheme == "unix":
        return bool(parts.path)
    # a password with an unescaped slash ends up in the number of the database
    number = parts.path.strip("/")
    has_host = bool(parts.hostname) and parts.port != 0
    return parts.scheme in REDIS_SCHEMES and has_host and (not number or number.isdigit())
