import errno
import io
import os
import subprocess
import sys
from pathlib import Path

from arbplatform.core.errors import Message
from arbplatform.management.terminal import BoundedLog, Terminal
from arbplatform.settings.env import BASE_DIR


class Screen(io.StringIO):
    def isatty(self):
        return True


def test_lines_carry_the_name_of_their_process():
    screen = io.StringIO()

    Terminal(screen).relay("web", "hello")

    assert screen.getvalue() == "web       | hello\n"


def test_names_are_coloured_only_for_people(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    screen = Screen()

    Terminal(screen).relay("web", "hello")
    monkeypatch.setenv("NO_COLOR", "1")
    Terminal(screen).relay("web", "plain")

    assert screen.getvalue() == "\x1b[32mweb      \x1b[0m | hello\nweb       | plain\n"


def test_a_quiet_terminal_shows_the_supervisor_only():
    screen = io.StringIO()
    terminal = Terminal(screen, is_quiet=True)

    terminal.relay("web", "hello")
    terminal.say(Message("Running."))

    assert screen.getvalue() == "Running.\n"


def test_a_terminal_that_was_closed_does_not_stop_the_platform():
    screen = io.StringIO()
    terminal = Terminal(screen)
    screen.close()

    terminal.say(Message("Nobody reads this."))
    terminal.relay("web", "Nor this.")


def test_a_log_is_turned_at_its_size_and_keeps_one_older_file(tmp_path):
    log = BoundedLog(tmp_path / "part.log", size_max=30)

    for number in range(9):
        log.write(f"line {number}")
    log.close()

    kept = {path.name: path.read_text().split() for path in tmp_path.iterdir()}
    assert kept == {
        "part.log": ["line", "8"],
        "part.old.log": ["line", "4", "line", "5", "line", "6", "line", "7"],
    }


def test_a_log_is_continued_after_a_restart(tmp_path):
    for text in ("before", "after"):
        log = BoundedLog(tmp_path / "part.log")
        log.write(text)
        log.close()

    assert (tmp_path / "part.log").read_text() == "before\nafter\n"


def test_a_log_on_a_full_disk_loses_lines_and_nothing_else():
    log = BoundedLog(Path("/dev/full"))

    log.write("nobody can keep this")
    log.close()


def test_a_log_that_could_not_be_turned_goes_on_in_a_new_file(tmp_path, monkeypatch):
    log = BoundedLog(tmp_path / "part.log", size_max=10)
    log.write("one")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        log.write("two is lost")
    log.write("three is kept")
    log.close()

    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert kept == {"part.log": "three is kept\n", "part.old.log": "one\n"}


def refuse(*_args, **_options):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_sentence_that_the_terminal_cannot_show_ends_no_command(tmp_path):
    """The kill switch speaks Chinese by default, between its halt and its cancellations."""
    ended = subprocess.run(
        [sys.executable, "manage.py", "shell", "-c", "print('已停止')"],
        cwd=BASE_DIR,
        env={
            **os.environ,
            "ARB_DATA_DIR": str(tmp_path),
            "DJANGO_SETTINGS_MODULE": "arbplatform.settings.test",
            "PYTHONIOENCODING": "ascii",
        },
        capture_output=True,
        check=False,
    )

    assert ended.returncode == 0
    assert ended.stdout.splitlines()[-1] == rb"\u5df2\u505c\u6b62"  # above it is the shell's own
