"""The directory that the settings of the tests make: gone with the process that made it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.conf import settings

SHOW = "from django.conf import settings as s; print(s.DATA_DIR, s.DATA_DIR.is_dir(), flush=True)"
OPEN_FILE = "; (s.DATA_DIR / 'left').write_text('open')"
PATIENCE_S = 10


def start(script, tmp_path, **environment):
    """Start a process of its own on the settings of the tests, with no directory given to it."""
    clean = {name: value for name, value in os.environ.items() if name != "ARB_DATA_DIR"}
    return subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=settings.BASE_DIR,
        env={
            **clean,
            "DJANGO_SETTINGS_MODULE": "arbplatform.settings.test",
            "TMPDIR": str(tmp_path),
            **environment,
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def left_in(path):
    """Return what stays there, after the moment that a killed process's directory may need."""
    until = time.monotonic() + PATIENCE_S
    while (left := list(path.iterdir())) and time.monotonic() < until:
        time.sleep(0.01)
    return left


@pytest.mark.parametrize(
    "end",
    [
        "sys.exit(3)",
        "os._exit(3)",
        "os.kill(os.getpid(), signal.SIGTERM)",
        "os.kill(os.getpid(), signal.SIGKILL)",
        "os.killpg(os.getpgid(0), signal.SIGKILL)",
    ],
)
def test_the_directory_of_a_process_is_gone_however_it_ends(tmp_path, end):
    script = f"import os, signal, sys; os.setpgid(0, 0); {SHOW}{OPEN_FILE}; {end}"

    with start(script, tmp_path) as process:
        path, was_there = process.communicate()[0].split()

    assert process.returncode != 0
    assert (Path(path).parent, was_there) == (tmp_path, "True")
    assert left_in(tmp_path) == []


def test_a_process_that_ends_in_order_waits_until_its_directory_is_gone(tmp_path):
    with start(f"{SHOW}{OPEN_FILE}", tmp_path) as process:
        process.communicate()

    assert list(tmp_path.iterdir()) == []


def test_the_end_of_a_process_takes_no_directory_that_was_given_to_it(tmp_path):
    given = tmp_path / "given"
    given.mkdir()

    with start(SHOW, tmp_path, ARB_DATA_DIR=str(given)) as process:
        shown = process.communicate()[0]

    assert shown.split() == [str(given), "True"]
    assert list(tmp_path.iterdir()) == [given]


@pytest.mark.parametrize("end", ["sys.exit()", "os._exit(0)"])
def test_the_end_of_a_child_leaves_the_directory_to_its_parent(tmp_path, end):
    script = (
        f"import os, subprocess, sys; {SHOW}{OPEN_FILE}\n"
        f"child = os.fork()\nif not child:\n    {end}\n"
        f"os.waitpid(child, 0)\n"
        f"subprocess.run([sys.executable, '-c', {SHOW!r}], check=True)"
    )

    with start(script, tmp_path) as process:
        first, second = process.communicate()[0].splitlines()

    assert first == second
    assert list(tmp_path.iterdir()) == []
