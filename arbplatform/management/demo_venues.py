"""The simulated venues of a first run: their configuration, their keys and their address."""

import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from arbplatform.management.children import ChildSpec
from arbplatform.management.preflight import free_port, is_port_free
from arbplatform.management.probes import answers_http
from markets.simulator.demo import DEMO_VENUES, demo_config

SEED = 7
CONFIG_FILE = "config.json"
PORT_FILE = "port"


@dataclass(frozen=True, slots=True)
class SimulatedVenues:
    """The one process that hosts the simulated venues.

    Attributes:
        directory: configuration and state.
        port: the loopback port that it listens on.
    """

    directory: Path
    port: int

    @classmethod
    def of(cls, data_dir: Path) -> "SimulatedVenues":
        """Return the venues of a data directory, made at the first call.

        The port is kept over restarts, since the venues' addresses are in the database. When
        another program has taken it meanwhile there is a new one, and the bootstrap tells the
        database.
        """
        directory = data_dir / "simulator"
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        config_path = directory / CONFIG_FILE
        if not config_path.exists():
            keys = {code: (new_key(code), secrets.token_urlsafe(32)) for code in DEMO_VENUES}
            config = demo_config(seed=SEED, keys=keys)
            write_private(config_path, config.model_dump_json(indent=1))
        port_path = directory / PORT_FILE
        text = port_path.read_text() if port_path.exists() else ""
        port = int(text) if text.isdecimal() else 0
        if not port or not is_port_free(port):
            port = free_port()
            write_private(port_path, str(port))
        return cls(directory, port)

    @property
    def url(self) -> str:
        """The address below which each venue has a path of its own."""
        return f"http://127.0.0.1:{self.port}"

    def to_child(self, environment: Mapping[str, str]) -> ChildSpec:
        """Return how to run it."""
        return ChildSpec(
            name="simulator",
            # not by `manage.py simulate`: it would load Django, which the venues do without
            command=(
                *(sys.executable, "-m", "markets.simulator"),
                *("--config", str(self.directory / CONFIG_FILE)),
                *("--port", str(self.port), "--state-dir", str(self.directory / "state")),
            ),
            environment=environment,
            directory=self.directory,
            is_ready=partial(answers_http, f"{self.url}/healthz"),
        )


def new_key(venue: str) -> str:
    """Return a random API key that is recognised as one of a simulated venue."""
    return f"{venue}-{secrets.token_hex(16)}"


def write_private(path: Path, text: str) -> None:
    """Write a file, whole or not at all, that only its owner can read."""
    draft = path.with_name(f"{path.name}.tmp")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)
