"""The platform as its users start it: real processes, real Redis, real HTTP."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg2
import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVER_URL = os.environ.get("DATABASE_URL", "")
collect_ignore = (
    ["test_any_venue.py", "test_refusals.py", "test_stopping.py", "test_up.py"]
    if SERVER_URL
    else []
)
"""What does not depend on the database is tested once, on SQLite; trading on both."""
START_TIMEOUT_S = 120
TRADING_TIMEOUT_S = 180
STOP_TIMEOUT_S = 40
POLL_S = 0.1
SETTINGS_OF_TESTS = ("ARB_", "SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "DJANGO_", "DATABASE_URL")


def wait_for(condition, what, timeout_s=START_TIMEOUT_S, poll_s=POLL_S):
    """Return the first true value of ``condition()``; fail when there is none in time."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(poll_s)
    return pytest.fail(f"waited {timeout_s} s in vain: {what}")


def processes_of(data_dir):
    """Return the command line of every process that works in or for a data directory, by pid."""
    mark = f"ARB_DATA_DIR={data_dir}\0".encode()
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):
            # Redis writes its title over its environment, but it works in the directory
            is_inside = (entry / "cwd").readlink().is_relative_to(data_dir)
            if is_inside or mark in (entry / "environ").read_bytes():
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
    return found


def is_alive(pid):
    """Return whether a process runs; one that only waits to be reaped does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


class Platform:
    """One ``manage.py up`` or ``demo`` under test."""

    def __init__(self, work_dir, *arguments, data_dir=None, command="up", **environment):
        self.started_at = time.time()  # noqa: TID251  compared with the times of files
        self.data_dir = data_dir or work_dir / "data"
        self.work_dir = work_dir
        self._output = work_dir / f"output-{time.monotonic_ns()}"
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(SETTINGS_OF_TESTS)}
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, ROOT / "manage.py", command),
                    *("--data-dir", self.data_dir, *arguments),
                ],
                # empty values keep a developer's .env file out
                env=inherited
                | {"DATABASE_URL": "", "REDIS_URL": "", "LC_ALL": "C.UTF-8"}
                | environment,
                cwd=work_dir,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    @property
    def output(self):
        return self._output.read_text(errors="replace")

    @property
    def state(self):
        try:
            return json.loads((self.data_dir / "processes.json").read_text())
        except FileNotFoundError:
            return {"url": "", "processes": {}}

    @property
    def url(self):
        return self.state["url"]

    def pid(self, name):
        return self.state["processes"].get(name)

    @property
    def password(self):
        found = re.search(r"with the password (\S+)", self.output)
        return found[1] if found else None

    def wait_until_up(self):
        def is_up():
            assert self.process.poll() is None, self.output
            return "arbplatform is running." in self.output or "Trading for" in self.output

        wait_for(is_up, "the platform starts")
        return self

    def wait(self, timeout_s=STOP_TIMEOUT_S):
        return self.process.wait(timeout_s)

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.wait()

    def get(self, path, token=None):
        """Return status and body of a GET; a web server that starts answers when it has."""
        return self._ask("GET", path, token)

    def post(self, path, body, token=None):
        """Return status and body of a POST of JSON."""
        return self._ask("POST", path, token, json.dumps(body))

    def _ask(self, method, path, token, body=None):
        headers = {"Content-Type": "application/json"} if body else {}
        headers |= {"Authorization": f"Token {token}"} if token else {}
        with closing(
            HTTPConnection(urlsplit(self.url).netloc, timeout=START_TIMEOUT_S)
        ) as connection:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def clean_up(self):
        if self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_TIMEOUT_S)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@contextmanager
def _starting(tmp_path_factory):
    started = []

    def start_platform(*arguments, **options):
        platform = Platform(tmp_path_factory.mktemp("e2e"), *arguments, **options)
        started.append(platform)
        return platform

    yield start_platform
    for platform in started:
        platform.clean_up()


@pytest.fixture
def start(tmp_path_factory):
    """Start platforms that are surely stopped after the test."""
    with _starting(tmp_path_factory) as start_platform:
        yield start_platform


@pytest.fixture(scope="module")
def start_for_all(tmp_path_factory):
    """Start platforms that are surely stopped after the module."""
    with _starting(tmp_path_factory) as start_platform:
        yield start_platform


@pytest.fixture
def database_url():
    """An empty database on the server under test; the empty string is SQLite's."""
    if not SERVER_URL:
        yield ""
        return
    name = f"demo_{uuid4().hex}"
    server = urlsplit(SERVER_URL)
    with closing(_connect(SERVER_URL)) as connection:
        connection.autocommit = True
        connection.cursor().execute(f"CREATE DATABASE {name}")
    directory, _slash, _present = server.path.rpartition("/")
    yield server._replace(path=f"{directory}/{name}").geturl()
    with closing(_connect(SERVER_URL)) as connection:
        connection.autocommit = True
        connection.cursor().execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def query(database_url):
    """Ask the demo's database, past all of our code."""

    def ask(demo, sql):
        connection = (
            _connect(database_url)
            if database_url
            else sqlite3.connect(demo.data_dir / "db.sqlite3", timeout=20)
        )
        with closing(connection):
            cursor = connection.cursor()
            cursor.execute(sql)
            return cursor.fetchall()

    return ask


@pytest.fixture
def start_demo(start, database_url):
    def start_it(seconds):
        return start(
            *("--seconds", str(seconds), "--database-url", database_url), command="demo"
        ).wait_until_up()

    return start_it


def _connect(url):
    server = urlsplit(url)
    host, _slash, name = server.path.rpartition("/")
    return psycopg2.connect(
        host=server.hostname or f"/{host.lstrip('/')}",
        port=server.port,
        user=server.username,
        password=server.password,
        dbname=name,
    )


@pytest.fixture(autouse=True)
def empty_cache():
    """Replaces the suite's fixture: these tests look at the platform from outside."""


@pytest.fixture(scope="session", autouse=True)
def quick_emptying():
    """Replaces the suite's fixture: no test here uses the test database."""
