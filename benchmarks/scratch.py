"""A platform of its own for one benchmark: a fresh database, simulated venues in a process.

The database is SQLite in a temporary directory, with the product's own settings (WAL, durable
commits), unless DATABASE_URL names another one: ``python -m tests.postgres --durable python -m
benchmarks.tick_latency``.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django
from django.core.management import call_command

ROOT = Path(__file__).resolve().parent.parent
STOP_TIMEOUT_S = 15


@contextmanager
def scratch_platform() -> Iterator[Path]:
    """Set Django up on an empty database; yield the directory that is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="arb-bench-") as name:
        os.environ["ARB_DATA_DIR"] = name
        os.environ["DJANGO_SETTINGS_MODULE"] = "arbplatform.settings.dev"
        os.environ.setdefault("LOG_LEVEL", "WARNING")
        os.environ["REDIS_URL"] = "memory://"  # nobody listens: what is announced is not worked on
        django.setup()
        call_command("migrate", verbosity=0)
        yield Path(name)


@contextmanager
def simulator_process(config: Mapping[str, Any], directory: Path) -> Iterator[str]:
    """Run the simulated venues in a process of their own, as in the product; yield their URL."""
    path = directory / "simulator.json"
    path.write_text(json.dumps(config))
    command = [sys.executable, "manage.py", "simulate", "--config", path, "--port", "0"]
    process = subprocess.Popen(
        [*command, "--state-dir", directory / "simulator"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if "http://" not in line:
            raise SystemExit(f"The simulator did not start: {line}")
        yield "http://" + line.rsplit("http://", 1)[1].strip()
    finally:
        process.terminate()
        process.wait(STOP_TIMEOUT_S)


def percentile(values: list[float], share: float) -> float:
    """Return the value below which ``share`` of ``values`` lie."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
