"""What runs after `manage.py up`, who may look, and what happens to a child that dies."""

import os
import re
import signal
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT, is_alive, processes_of, wait_for

IDLE_MEMORY_MB_MAX = 600
"""Of all processes, before they trade; it was 483 when this was set [MB]."""
CHILDREN = {"redis", "web", "worker", "engine", "scanner", "beat"}


@pytest.fixture(scope="module")
def platform(start_for_all):
    """One running platform without the demo, for the tests that leave it running."""
    return start_for_all("--no-demo", "--port", "0").wait_until_up()


def test_a_start_serves_the_console_and_the_api_and_says_where(platform):
    assert f"{platform.url}/admin/" in platform.output
    assert f"{platform.url}/api/docs" in platform.output
    assert platform.get("/healthz")[0] == 200
    status, page = platform.get("/admin/login/")
    assert (status, "<form" in page) == (200, True)


def test_the_generated_password_is_shown_once_and_opens_the_api(platform):
    assert platform.output.count(platform.password) == 1

    body = {"username": "admin", "password": platform.password}
    assert platform.post("/api/auth/login", body)[0] == 200
    logs = "".join(path.read_text() for path in (platform.data_dir / "logs").iterdir())
    assert platform.password not in logs


def test_exactly_the_named_processes_run(platform):
    pids = platform.state["processes"]

    assert set(pids) == CHILDREN
    assert set(pids.values()) == {pid for pid in processes_of(platform.data_dir) if is_alive(pid)}


def test_all_processes_together_fit_into_a_small_machine(platform):
    pids = [platform.process.pid, *platform.state["processes"].values()]

    assert sum(map(proportional_memory_mb, pids)) < IDLE_MEMORY_MB_MAX


def proportional_memory_mb(pid):
    """Return the memory of a process, each page divided by the number of those who share it."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(map(int, re.findall(r"^Pss:\s+(\d+) kB", text, re.MULTILINE))) / 1024


def test_only_the_owner_can_read_the_data(platform):
    assert platform.data_dir.stat().st_mode & 0o077 == 0


def test_a_second_start_on_the_same_data_is_refused_in_one_sentence(platform, start):
    second = start("--no-demo", "--port", "0", data_dir=platform.data_dir)

    assert second.wait() == 1
    *_, sentence = second.output.splitlines()
    assert sentence == (
        f"Error 1050: The data directory {platform.data_dir} is in use by an arbplatform that "
        f"runs already (process {platform.process.pid}). Stop that one first, or choose another "
        "directory with --data-dir."
    )
    assert platform.get("/healthz")[0] == 200


@pytest.mark.parametrize("name", sorted(CHILDREN))
def test_a_child_that_is_killed_comes_back_and_it_is_said(platform, name):
    killed = platform.pid(name)

    os.kill(killed, signal.SIGKILL)

    wait_for(lambda: platform.pid(name) not in {None, killed}, f"{name} runs again")
    assert f"{name} ended unexpectedly (killed by SIGKILL); it starts again in" in platform.output
    wait_for(lambda: platform.get("/healthz")[0] == 200, "the web server answers")


def test_connections_wait_while_the_web_server_is_started_again(platform):
    os.kill(platform.pid("web"), signal.SIGKILL)

    assert platform.get("/healthz")[0] == 200


def test_nothing_is_written_outside_the_data_directory(platform):
    # the only other file in the working directory is this test's record of the output
    assert sorted(path.name[:6] for path in platform.work_dir.iterdir()) == ["data", "output"]
    begin = platform.started_at
    strays = [
        path
        for path in ROOT.rglob("*")
        if path.suffix in {".sqlite3", ".log", ".env", ".pid", ".sock", ".rdb", ".aof"}
        and not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
        and path.stat().st_mtime > begin
    ]
    assert strays == []
