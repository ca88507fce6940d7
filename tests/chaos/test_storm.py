"""How long a storm lasts."""

from pathlib import Path
from typing import Any

import pytest

from markets.simulator.config import parse_config
from tests.chaos.diary import Diary
from tests.chaos.plan import STORMS_MAX
from tests.chaos.storm import Scope, rage
from tests.markets.simulator.worlds import two_venues

SECONDS = 30


class Hasty:
    """A monkey whose every step takes ten seconds."""

    def __init__(self):
        self.diary = Diary()
        self.elapsed_s = 0.0

    def work(self):
        self.elapsed_s += 10

    def look_after(self):
        """Nobody needs anything."""

    def count_strikes(self):
        """Nothing struck."""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("wanted", "storms"), [(0, 1), (1, STORMS_MAX)])
def test_it_comes_again_while_too_little_was_executed(wanted, storms):
    monkey: Any = Hasty()
    scope = Scope(
        seed=1,
        seconds=SECONDS,
        executions=wanted,
        data_dir=Path(),
        simulator_url="",
        config=parse_config(two_venues()),
    )

    rage(monkey, scope)

    assert monkey.elapsed_s == storms * SECONDS
