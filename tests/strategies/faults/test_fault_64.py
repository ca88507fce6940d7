"""An engine that uses more memory than it may hands its strategies over and is started again."""

from strategies.domain.states import StrategyDriver
from strategies.models import EngineProcess, Strategy
from strategies.services.runs import start_strategy
from tests.processes import wait_until


def holders():
    """Return the processes that hold strategies, by their ids."""
    names = Strategy.objects.exclude(tick_token="").values_list("lease_holder", flat=True)
    return sorted(int(name.split(":")[1]) for name in names)


def test_an_engine_that_grows_too_large_hands_over_and_ends(
    transactional_db, make_cross, calm, start_part
):
    for name in ("one", "two"):
        start_strategy(strategy_id=make_cross(name, driver=StrategyDriver.STREAM).pk, user=None)
    large = start_part("engine", ENGINE_MEMORY_MAX_MB="1")

    assert large.process.wait(60) == 0

    assert "MiB of memory and may use 1: it hands its strategies over" in large.output
    assert EngineProcess.objects.get(pid=large.process.pid).stopped_at is not None
    assert holders() == []
    # the supervisor starts another one: here, one that may use enough
    heir = start_part("engine")
    wait_until(lambda: holders() == [heir.process.pid] * 2, lambda: heir.output)
