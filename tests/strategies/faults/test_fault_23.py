"""Two legs filled in part, each another part, are judged by their net, as are all nine cells."""

from decimal import Decimal as D

import pytest

from strategies.domain.states import ExecutionState
from tests.strategies.faults.play import attribution_of, is_exact, tick

pytestmark = pytest.mark.django_db

PARTS = {"filled": None, "partial": "0.2", "none": "0"}


def drain(venue, side, part):
    """Leave ``part`` of the book's best level when the first order comes."""

    def hook(request):
        venue.before_submit = None
        levels = venue.books["BTC/USDT"][side]
        if part is not None:
            levels[:] = [[levels[0][0], D(part)]] if D(part) else []

    venue.before_submit = hook


@pytest.mark.parametrize("sold", PARTS)
@pytest.mark.parametrize("bought", PARTS)
def test_every_cell_of_the_leg_table_ends_without_an_exposure(cross, edge, accounts, bought, sold):
    other = {"partial": "0.3"} if bought == "partial" else {}
    drain(edge["alpha"], 1, PARTS[bought])
    drain(edge["beta"], 0, {**PARTS, **other}[sold])

    execution = tick(cross)

    if bought == sold == "none":
        assert execution.state == ExecutionState.FAILED
        assert execution.residuals == {}
    else:
        assert execution.state in (ExecutionState.COMPLETED, ExecutionState.UNWOUND)
        assert abs(D(execution.residuals.get("BTC", "0"))) * 50_000 < 10
    assert attribution_of(execution).is_exact
    assert is_exact(accounts)
