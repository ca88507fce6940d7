"""A benchmark never works on the database of the person who runs it."""

import subprocess
import sys

import pytest

from benchmarks.parts.catalogue import EVERY
from benchmarks.parts.processes import ROOT
from benchmarks.parts.scratch import scratch_platform


def test_no_benchmark_reads_the_settings_before_it_has_a_platform_of_its_own():
    names = [f"benchmarks.{benchmark.name}" for benchmark in EVERY]
    code = (
        "import importlib, sys\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        "print([name for name in sys.modules if name.startswith('arbplatform.settings')])"
    )

    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert told.stdout.strip() == "[]"


def test_where_the_settings_were_read_already_nothing_is_measured(monkeypatch):
    for name in ("ARB_DATA_DIR", "REDIS_URL", "LOG_LEVEL", "DJANGO_SETTINGS_MODULE"):
        monkeypatch.setenv(name, "arbplatform.settings.test" if "DJANGO" in name else "")

    with pytest.raises(SystemExit, match="no scratch platform"), scratch_platform():
        pass
