"""How `manage.py up` ends, whoever ends it, and what the next start finds."""

import json
import re
import signal
import socket

from tests.e2e.conftest import is_alive, processes_of, wait_for


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


def _token(answer):
    return json.loads(answer)["data"]["token"]


def _setting(config, name):
    found = re.search(rf"^{name} (\S+)$", config, re.MULTILINE)
    assert found
    return found[1]
