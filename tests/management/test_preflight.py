import socket

import pytest

from arbplatform.core.errors import Conflict, InvalidInput, Unavailable
from arbplatform.management import preflight
from arbplatform.settings.env import SECRETS


def test_a_data_directory_has_one_owner_at_a_time(tmp_path):
    first = preflight.lock_data_dir(tmp_path / "data")

    with pytest.raises(Conflict, match="by an arbplatform that runs already"):
        preflight.lock_data_dir(tmp_path / "data")

    first.close()
    preflight.lock_data_dir(tmp_path / "data").close()


def test_a_data_directory_is_made_for_its_owner_only(tmp_path):
    preflight.lock_data_dir(tmp_path / "deep" / "data").close()

    assert (tmp_path / "deep" / "data").stat().st_mode & 0o777 == 0o700


def test_a_file_is_no_data_directory(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(Unavailable, match="cannot be used: File exists"):
        preflight.lock_data_dir(tmp_path / "file")


def test_a_port_that_is_taken_is_refused():
    with preflight.listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]

        with pytest.raises(Conflict, match=f"The port {port} is in use by another program"):
            preflight.listen("127.0.0.1", port)

        assert not preflight.is_port_free(port)


def test_an_address_of_another_machine_cannot_be_listened_on():
    with pytest.raises(InvalidInput, match=r"The address 192\.0\.2\.1:0 cannot be listened on"):
        preflight.listen("192.0.2.1", 0)


def test_production_without_secrets_is_refused_with_all_their_names(monkeypatch):
    for name in ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ARB_INSTALL_ID", "tests")

    with pytest.raises(
        InvalidInput, match=r"^SECRET_KEY, FIELD_ENCRYPTION_KEYS must be set: arbplatform\.settings"
    ):
        preflight.check_secrets("arbplatform.settings.prod")

    preflight.check_secrets(preflight.SELF_SUFFICIENT)  # makes its own


def test_production_with_secrets_starts(monkeypatch):
    for name in SECRETS:
        monkeypatch.setenv(name, "something")

    preflight.check_secrets("arbplatform.settings.prod")


def test_a_free_port_is_free():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", preflight.free_port()))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "sqlite:////var/lib/arb/db.sqlite3",
        "postgres://arb:secret@127.0.0.1:5432/arb",
        "postgres://arb@//var/run/postgresql/arb",
    ],
)
def test_addresses_of_databases_are_accepted(url):
    preflight.check_database_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "postgres://",
        "mysql://arb:planted@127.0.0.1/arb",
        "postgres://arb:planted@127.0.0.1:99999/arb",
        "postgres://arb:plan/ted@127.0.0.1/arb",
    ],
)
def test_anything_else_is_refused_without_repeating_it(url):
    with pytest.raises(InvalidInput) as refusal:
        preflight.check_database_url(url)

    assert str(refusal.value).startswith("DATABASE_URL is not the address of a database.")
    assert "plan" not in str(refusal.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "redis://127.0.0.1:6379/0",
        "redis://redis.local",
        "rediss://arb:plan%2Fted@[::1]:6380/3",
        "unix:///run/redis.sock",
        "unix://:planted@/run/redis.sock?db=1",
    ],
)
def test_addresses_of_redis_servers_are_accepted(url):
    preflight.check_redis_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "redis://",
        "unix://",
        "http://:planted@127.0.0.1:6379/0",
        "redis://:planted@127.0.0.1:planted/0",
        "redis://:planted@127.0.0.1:99999/0",
        "redis://:plan/ted@127.0.0.1:6379/0",
        "redis://:12/plan@127.0.0.1:6379/0",
        "redis://arb:12/plan@127.0.0.1:6379/0",
        "redis://:plan#ted@127.0.0.1:6379/0",
        "redis://:planted@[::1/0",
    ],
)
def test_any_other_address_of_redis_is_refused_without_repeating_it(url):
    with pytest.raises(InvalidInput) as refusal:
        preflight.check_redis_url(url)

    assert str(refusal.value).startswith("REDIS_URL is not the address of a Redis server.")
    assert "plan" not in str(refusal.value)
