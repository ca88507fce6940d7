"""Sessions recorded from real venues, which lie beside the checkout; without them tests skip."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

DATA = Path(__file__).parents[3].parent / "shared" / "data"


def recorded_session(name):
    """Return the records of a session of ``raw/cryptofeed_v3`` in the order of their times."""
    path = DATA / "raw" / "cryptofeed_v3" / f"{name}.jsonl.zst"
    program = shutil.which("zstd")
    if not path.exists():
        pytest.skip(f"the recorded session {path} is not here")
    if program is None:
        pytest.skip("there is no program `zstd` to read the recorded session with")
    done = subprocess.run([program, "-dcq", str(path)], capture_output=True, check=True)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    return sorted((record for record in records if "ts" in record), key=lambda each: each["ts"])


def recorded_ticks(name):
    """Return the path of a session of ``orderbooks/hftbacktest``."""
    path = DATA / "orderbooks" / "hftbacktest" / name
    if not path.exists():
        pytest.skip(f"the recorded session {path} is not here")
    return path
