import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LISTED = set(re.findall(r"^#?([A-Z][A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
READ = {
    name
    for folder in ("arbplatform", "markets", "accounts", "ledger", "strategies")
    for path in (ROOT / folder).rglob("*.py")
    for name in re.findall(
        r"(?:\benv\.\w+|os\.environ\.get)\(\s*\"([A-Z][A-Z_]+)\"", path.read_text()
    )
} | {"DJANGO_SETTINGS_MODULE"}
OF_THE_SYSTEM = {"PYTHONPATH", "NO_COLOR"}


@pytest.mark.parametrize("name", sorted(READ - OF_THE_SYSTEM))
def test_every_setting_that_is_read_is_in_the_example(name):
    assert name in LISTED


@pytest.mark.parametrize("name", sorted(LISTED))
def test_every_setting_of_the_example_is_read(name):
    assert name in READ
