import asyncio
import io
import os
import signal
import sys
from pathlib import Path

import pytest

from arbplatform.core.errors import Unavailable
from arbplatform.management import children
from arbplatform.management.children import Child, ChildSpec, describe_end, read_lines
from arbplatform.management.terminal import Terminal


@pytest.fixture
def screen():
    return io.StringIO()


@pytest.fixture
def make_child(tmp_path, screen, monkeypatch):
    """Make a child that runs a piece of Python, with short delays; no end is slow enough to say."""
    monkeypatch.setattr(children, "RESTART_DELAY_MIN_S", 0.01)
    monkeypatch.setattr(children, "PROBE_INTERVAL_S", 0.01)
    monkeypatch.setattr(children, "NOTABLE_END_S", 60.0)

    def make(code, **details):
        spec = ChildSpec(
            name="part",
            command=(sys.executable, "-c", code),
            environment=dict(os.environ),
            directory=tmp_path,
            **details,
        )
        return Child(spec, terminal=Terminal(screen), log_dir=tmp_path / "logs")

    return make


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  nothing tells when another process has written
            await asyncio.sleep(0.01)


SLEEP = "import time; print('ready', flush=True); time.sleep(60)"
VERBOSE = "for _ in range(3_000): print('x' * 99)\nprint('said everything')\n" + SLEEP
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEP


async def test_shows_and_logs_what_the_child_writes(make_child, screen, tmp_path):
    child = make_child(SLEEP)

    child.start()
    await until(lambda: "ready" in screen.getvalue())
    await child.stop()

    assert screen.getvalue() == "part      | ready\n"
    assert (tmp_path / "logs" / "part.log").read_text() == "ready\n"


async def test_a_full_disk_does_not_hold_up_a_child(make_child, screen, tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "part.log").symlink_to("/dev/full")
    # more than fits into the pipe between them
    child = make_child(VERBOSE)

    child.start()
    await until(lambda: "said everything" in screen.getvalue())
    await child.stop()


async def test_starts_a_child_again_that_ends_and_says_how_it_ended(make_child, screen):
    child = make_child("raise SystemExit(3)")

    child.start()
    await until(lambda: child.restart_count == 2)
    await child.stop()

    said = [line for line in screen.getvalue().splitlines() if "again" in line]
    assert said[0] == "part ended unexpectedly (exit code 3); it starts again in 0.01 s."
    assert said[1] == "part ended unexpectedly (exit code 3); it starts again in 0.02 s."


async def test_gives_up_a_start_that_fails_again_and_again(make_child):
    async def never():
        return False

    child = make_child("raise SystemExit(3)", is_ready=never)

    child.start()
    with pytest.raises(Unavailable, match=r"The part part does not start\. Read the end of logs/"):
        await child.wait_until_ready(10)
    await child.stop()

    assert child.restart_count >= children.FAILED_STARTS_MAX


async def test_kills_a_child_that_does_not_end_by_itself(make_child, screen):
    child = make_child(STUBBORN, stop_timeout_s=0.2)

    child.start()
    await until(lambda: "ready" in screen.getvalue())
    pid = child.pid
    await child.stop()

    assert "part does not end by itself and is killed." in screen.getvalue()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_child_that_is_killed_is_not_said_to_start_again(make_child, screen):
    child = make_child(SLEEP)
    child.start()
    await until(lambda: "ready" in screen.getvalue())

    child.kill()
    await until(lambda: child.pid is None)
    await child.stop()

    assert "again" not in screen.getvalue()
    assert child.restart_count == 0


async def test_ends_what_a_child_left_behind(make_child, screen):
    child = make_child(
        "import subprocess, sys, time\n"
        "grandchild = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print('pid', grandchild.pid, flush=True)\n"
        "time.sleep(60)"
    )

    child.start()
    await until(lambda: "pid" in screen.getvalue())
    grandchild = int(screen.getvalue().split()[-1])
    os.kill(child.pid, signal.SIGKILL)
    await until(lambda: child.restart_count == 1)
    await child.stop()

    await until(lambda: not is_running(grandchild))


def is_running(pid):
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


async def test_a_program_that_does_not_exist_is_reported_and_not_fatal(
    make_child, screen, tmp_path
):
    child = make_child("")
    child.spec = ChildSpec("part", (str(tmp_path / "nothing"),), {}, tmp_path)

    child.start()
    await until(lambda: child.restart_count == 1)
    await child.stop()

    assert "cannot be started: [Errno 2] No such file or directory" in screen.getvalue()


async def test_lines_are_split_and_over_long_ones_are_cut():
    reader = asyncio.StreamReader()
    reader.feed_data(b"one\ntw")
    reader.feed_data(b"o\r\n" + b"x" * (children.LINE_BYTES_MAX + 1) + b"\nend")
    reader.feed_eof()
    lines: list[str] = []

    await read_lines(reader, lines.append)

    assert lines[:2] == ["one", "two"]
    assert "".join(lines[2:-1]) == "x" * (children.LINE_BYTES_MAX + 1)
    assert lines[-1] == "end"


@pytest.mark.parametrize(
    ("code", "text"),
    [(0, "exit code 0"), (-15, "killed by SIGTERM"), (-99, "killed by 99")],
)
def test_an_end_is_described_for_people(code, text):
    assert str(describe_end(code)) == text
