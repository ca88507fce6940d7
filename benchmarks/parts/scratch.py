"""A platform of its own for one benchmark: a fresh database, simulated venues in a process.

The database is SQLite in a temporary directory, with the product's own settings (WAL, durable
commits), unless DATABASE_URL names another one.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django
from django.core.management import call_command

from benchmarks.parts.processes import running


@contextmanager
def scratch_platform(*, has_tables: bool = True) -> Iterator[Path]:
    """Set Django up on an empty database; yield the directory that is removed at the end.

    Args:
        has_tables: whether the database is migrated, which takes some seconds.
    """
    with tempfile.TemporaryDirectory(prefix="arb-bench-", ignore_cleanup_errors=True) as name:
        os.environ["ARB_DATA_DIR"] = name
        os.environ["DJANGO_SETTINGS_MODULE"] = "arbplatform.settings.dev"
        os.environ.setdefault("LOG_LEVEL", "WARNING")
        os.environ["REDIS_URL"] = "memory://"  # nobody listens: what is announced is not worked on
        django.setup()
        _require(Path(name))
        if has_tables:
            call_command("migrate", verbosity=0)
        yield Path(name)


def _require(directory: Path) -> None:
    """Stop where the settings were read too early: they name somebody's own database then."""
    from arbplatform.settings.env import DATA_DIR  # noqa: PLC0415  not before the environment is set

    if directory.resolve() != DATA_DIR:
        raise SystemExit("Something read the settings too early: this is no scratch platform.")


@contextmanager
def simulator_process(config: Mapping[str, Any], directory: Path) -> Iterator[str]:
    """Run the simulated venues in a process of their own, as in the product; yield their URL."""
    path = directory / "simulator.json"
    path.write_text(json.dumps(config))
    command = ("manage.py", "simulate", "--config", path, "--port", "0")
    with running(
        [*command, "--state-dir", directory / "simulator"], output=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if "http://" not in line:
            raise SystemExit(f"The simulator did not start: {line}")
        yield "http://" + line.rsplit("http://", 1)[1].strip()
