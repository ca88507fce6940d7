import json
import os
import re
import signal
import socket
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT, is_alive, processes_of, wait_for

IDLE_MEMORY_MB_MAX = 600
"""Of all processes, before they trade; it was 483 when this was set [MB]."""
CHILDREN = {"redis", "web", "worker", "engine", "scanner", "beat"}


@pytest.fixture(scope="module")
def platform(start):
    """One running platform without the demo, for the tests that leave it running."""
    return start("--no-demo", "--port", "0").wait_until_up()


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


def test_a_busy_port_is_refused_in_one_sentence_and_nothing_stays_behind(start):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        refused = start("--no-demo", "--port", str(port))

        assert refused.wait() == 1
    *_, sentence = refused.output.splitlines()
    assert sentence == (
        f"Error 1051: The port {port} is in use by another program. Stop that one, or choose "
        "another port with --port."
    )
    assert processes_of(refused.data_dir) == {}


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


def test_sigterm_stops_everything_in_order(start):
    platform = start("--no-demo", "--port", "0").wait_until_up()
    supervisor = platform.process.pid

    assert platform.stop(signal.SIGTERM) == 0

    assert platform.output.rstrip().endswith("arbplatform has stopped.")
    assert processes_of(platform.data_dir) == {}
    assert not is_alive(supervisor)
    assert not (platform.data_dir / "redis.sock").exists()
    assert "is killed" not in platform.output


def test_what_was_there_is_there_after_a_restart_and_no_password_is_shown(start):
    first = start("--no-demo", "--port", "0", ARB_ADMIN_PASSWORD="chosen-by-a-person")
    first.wait_until_up()
    assert first.password is None
    body = {"username": "admin", "password": "chosen-by-a-person"}
    venue = {"code": "kept", "name": "Kept", "ccxt_id": "kraken"}
    token = _token(first.post("/api/auth/login", body)[1])
    assert first.post("/api/venues", venue, token)[0] == 201
    assert first.stop(signal.SIGINT) == 0

    second = start("--no-demo", "--port", "0", data_dir=first.data_dir).wait_until_up()

    assert second.password is None
    status, answer = second.get("/api/venues", token)
    codes = [venue["code"] for venue in json.loads(answer)["data"]["results"]]
    assert (status, codes) == (200, ["kept"])


def test_no_process_outlives_a_killed_supervisor(start):
    platform = start("--no-demo", "--port", "0").wait_until_up()
    pids = platform.state["processes"]

    platform.process.kill()

    wait_for(lambda: not any(map(is_alive, pids.values())), "the children end", timeout_s=10)
    again = start("--no-demo", "--port", "0", data_dir=platform.data_dir).wait_until_up()
    assert again.get("/healthz")[0] == 200


def test_a_path_too_long_for_a_socket_is_no_obstacle(start, tmp_path):
    data_dir = tmp_path / ("long-" * 20) / "data"

    platform = start("--no-demo", "--port", "0", data_dir=data_dir).wait_until_up()

    assert not (data_dir / "redis.sock").exists()
    config = (data_dir / "redis" / "redis.conf").read_text()
    password = _setting(config, "requirepass")
    assert password not in b" ".join(processes_of(data_dir).values()).decode()
    with socket.create_connection(("127.0.0.1", int(_setting(config, "port")))) as connection:
        connection.sendall(b"PING\r\n")
        assert connection.recv(64).startswith(b"-NOAUTH")
    assert platform.stop() == 0


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (
            "postgres://arb:planted-secret@127.0.0.1:{port}/arb",
            "Error 1057: The database postgresql://arb@127.0.0.1:{port}/arb cannot be used: ",
        ),
        (
            "sqlite:////nowhere/at/all.db",
            "Error 1057: The database /nowhere/at/all.db cannot be used: ",
        ),
        ("mysql://arb:planted-secret@127.0.0.1/arb", "Error 1056: DATABASE_URL is not"),
        ("postgres://arb:planted/secret@127.0.0.1/arb", "Error 1056: DATABASE_URL is not"),
        ("nonsense", "Error 1056: DATABASE_URL is not the address of a database."),
    ],
)
def test_a_wrong_database_is_refused_in_one_sentence_without_its_password(start, url, reason):
    port = _closed_port()

    refused = start("--no-demo", "--port", "0", DATABASE_URL=url.format(port=port))

    assert refused.wait() == 1
    *_, sentence = refused.output.splitlines()
    assert sentence.startswith(reason.format(port=port))
    assert "Traceback" not in refused.output
    assert "planted" not in refused.output
    assert processes_of(refused.data_dir) == {}


def test_a_redis_server_that_does_not_answer_is_refused_in_one_sentence(start):
    port = _closed_port()

    refused = start("--no-demo", "--port", "0", REDIS_URL=f"redis://:planted@127.0.0.1:{port}/0")

    assert refused.wait() == 1
    *_, sentence = refused.output.splitlines()
    assert sentence.startswith(f"Error 1055: The Redis server at 127.0.0.1:{port} cannot be used: ")
    assert "Traceback" not in refused.output
    assert "planted" not in refused.output


def test_a_refusal_is_told_in_the_language_of_the_terminal(start):
    refused = start("--no-demo", "--port", "0", DATABASE_URL="nonsense", LC_ALL="zh_CN.UTF-8")

    assert refused.wait() == 1
    assert "错误 1056：DATABASE_URL 不是" in refused.output.splitlines()[-1]


def test_a_data_directory_that_cannot_be_made_is_refused_in_one_sentence(start, tmp_path):
    obstacle = tmp_path / "file"
    obstacle.touch()

    refused = start("--no-demo", "--port", "0", data_dir=obstacle / "data")

    assert refused.wait() == 1
    assert refused.output.splitlines()[-1].startswith(
        f"Error 1053: The data directory {obstacle / 'data'} cannot be used: "
    )


def _closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _token(answer):
    return json.loads(answer)["data"]["token"]


def _setting(config, name):
    found = re.search(rf"^{name} (\S+)$", config, re.MULTILINE)
    assert found
    return found[1]
