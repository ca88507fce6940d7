"""What `manage.py up` cannot start with: one sentence, no secret, nothing left behind."""

import socket

import pytest

from tests.e2e.conftest import processes_of


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


def test_an_address_of_redis_that_makes_no_sense_is_refused_without_its_password(start):
    refused = start("--no-demo", "--port", "0", REDIS_URL="redis://:planted/secret@127.0.0.1:1/0")

    assert refused.wait() == 1
    sentence = refused.output.splitlines()[-1]
    assert sentence.startswith("Error 1062: REDIS_URL is not the address of a Redis server.")
    assert "Traceback" not in refused.output
    assert "planted" not in refused.output
    assert processes_of(refused.data_dir) == {}


def test_what_the_checks_refuse_is_named_before_anything_starts(start):
    refused = start("--port", "0", ARB_INSTALL_ID="too long")

    assert refused.wait() == 1
    assert refused.output.splitlines()[-1] == (
        "Error 1064: The configuration is refused, and nothing was started. ARB_INSTALL_ID has to "
        "be 5 letters or digits. Make one up, and keep it: it is part of every client order id. "
        "(accounts.E002) Mend this and start again."
    )
    assert [log.name for log in (refused.data_dir / "logs").iterdir()] == ["check.log"]
    assert processes_of(refused.data_dir) == {}


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
