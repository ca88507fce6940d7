"""A strategy is stopped, edited and started while another process decides in its name."""

import pytest

from strategies.models import Execution, Opportunity, Run
from strategies.services import ticks
from strategies.services.claims import claim_tick
from strategies.services.evidence import recompute
from strategies.services.runs import start_strategy, stop_strategy
from strategies.services.strategies import update_strategy
from strategies.services.ticks import TickOutcome, run_tick

pytestmark = pytest.mark.django_db


def restart(strategy, **params):
    """Let a person, in another process, stop the strategy, change it, and start it again."""
    stop_strategy(strategy_id=strategy.pk, user=None)
    update_strategy(strategy_id=strategy.pk, params=params, is_params_whole=False)
    start_strategy(strategy_id=strategy.pk, user=None)


@pytest.fixture
def before_claim(monkeypatch):
    """Have something done when a tick has read its strategy, and claims it next."""

    def install(call):
        def claim(*args, **options):
            monkeypatch.setattr(ticks, "claim_tick", claim_tick)
            call()
            return claim_tick(*args, **options)

        monkeypatch.setattr(ticks, "claim_tick", claim)

    return install


def tick(strategy):
    return run_tick(strategy_id=strategy.pk, is_spacing_kept=False).outcome


def test_a_tick_that_read_the_run_before_decides_nothing_in_the_next_one(cross, edge, before_claim):
    before_claim(lambda: restart(cross, min_edge_bps="200"))

    assert tick(cross) is TickOutcome.DROPPED

    # nor does its process remember what it had read
    assert tick(cross) is TickOutcome.NOTHING
    assert not Execution.objects.exists()


def test_each_decision_names_the_parameters_it_was_made_with(cross, edge, venues):
    assert tick(cross) is TickOutcome.EXECUTED
    venues["alpha"].set_book("BTC/USDT", bids=[("49990", "1")], asks=[("50000", "1")])
    venues["beta"].set_book("BTC/USDT", bids=[("50500", "1")], asks=[("50510", "1")])
    restart(cross, max_notional="7000")
    assert tick(cross) is TickOutcome.EXECUTED

    runs = Run.objects.order_by("pk")
    made = Opportunity.objects.order_by("pk")
    assert [row.run_id for row in made] == [run.pk for run in runs]
    assert [run.params["max_notional"] for run in runs] == ["30000", "7000"]
    for row, run in zip(made, runs, strict=True):
        assert row.evidence["params"] == run.params
        assert recompute(opportunity_id=row.pk).matches
