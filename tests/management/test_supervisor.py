import io

import pytest

from arbplatform.management import launch, preflight
from arbplatform.management.demo_venues import PORT_FILE, SimulatedVenues
from arbplatform.management.errors import DirectoryUnusable
from arbplatform.management.stack import StackOptions
from arbplatform.management.supervisor import Supervisor, address_of
from arbplatform.management.terminal import Terminal


@pytest.fixture
def platform(tmp_path):
    return Supervisor(StackOptions(tmp_path / "data", port=0), Terminal(io.StringIO()))


async def test_what_the_disk_refuses_ends_the_start_in_one_sentence(platform, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "static").touch()

    with pytest.raises(DirectoryUnusable, match="data cannot be used: File exists"):
        await platform.__aenter__()

    preflight.lock_data_dir(tmp_path / "data").close()  # nobody has it any more


async def test_a_start_that_fails_still_shows_the_password_that_it_has_made(tmp_path):
    shown = io.StringIO()
    platform = Supervisor(StackOptions(tmp_path / "data", port=0), Terminal(shown))
    platform.prepared = {"username": "admin", "password": "made-just-now"}
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "static").touch()

    with pytest.raises(DirectoryUnusable):
        await platform.__aenter__()

    assert "with the password made-just-now" in shown.getvalue()


def test_a_list_of_processes_that_cannot_be_written_ends_nothing(platform, tmp_path):
    platform._write_processes()

    assert list(tmp_path.iterdir()) == []


def test_a_refusal_is_told_with_its_code(tmp_path, capsys):
    (tmp_path / "precious").touch()

    code = launch.main(["demo", "--data-dir", str(tmp_path)])

    assert code == 1
    assert capsys.readouterr().err.startswith(f"Error 1061: The directory {tmp_path} is not empty")


def test_simulated_venues_keep_their_port(tmp_path):
    first, second = SimulatedVenues.of(tmp_path), SimulatedVenues.of(tmp_path)

    assert first == second


@pytest.mark.parametrize("text", ["", "nonsense"])
def test_a_port_that_was_not_written_down_whole_is_chosen_again(tmp_path, text):
    SimulatedVenues.of(tmp_path)
    (tmp_path / "simulator" / PORT_FILE).write_text(text)

    venues = SimulatedVenues.of(tmp_path)

    assert (tmp_path / "simulator" / PORT_FILE).read_text() == str(venues.port)


def test_a_server_that_listens_everywhere_is_reached_on_this_machine():
    assert address_of("::", 80) == "http://127.0.0.1:80"
