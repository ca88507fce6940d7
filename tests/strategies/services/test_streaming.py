"""What strategies decide on, read for many of them together."""

from decimal import Decimal as D

import pytest
from django.db import OperationalError, connection

from arbplatform.core.clock import SYSTEM_CLOCK
from arbplatform.core.errors import Conflict
from arbplatform.persistence.fields import SecretUnreadable
from strategies.domain.risk import Limits
from strategies.domain.states import StrategyDriver, StrategyState
from strategies.errors import StrategyNotFound
from strategies.models import Strategy
from strategies.selectors import get_open_run
from strategies.services import streaming
from strategies.services.risk import save_limits
from strategies.services.runs import start_strategy, stop_strategy
from strategies.services.setups import SETUPS
from strategies.services.streaming import read_stream_bases, read_stream_basis

pytestmark = pytest.mark.django_db


@pytest.fixture
def runs(make_cross, make_triangular, calm):
    """Strategies on streams of two types, by their runs."""
    rows = [make_cross(f"cross {number}", driver=StrategyDriver.STREAM) for number in range(3)]
    rows += [make_triangular(f"way {number}", driver=StrategyDriver.STREAM) for number in range(2)]
    return {row.pk: start_strategy(strategy_id=row.pk, user=None).pk for row in rows}


def read(runs):
    return read_stream_bases(runs=runs, clock=SYSTEM_CLOCK)


def facts_of(basis):
    """Return everything of a basis that does not tell the moment at which it was read."""
    footing = basis.footing
    return {
        "ids": (basis.strategy_id, basis.run_id),
        "setup": basis.setup,
        "free": basis.free,
        "dust": basis.dust,
        "gate": footing.gate,
        "is_ready": footing.is_ready,
        "accounts": {code: row.pk for code, row in footing.accounts.items()},
        "doors": set(footing.doors),
        "limits": footing.risk.limits,
        "figures": footing.risk.figures,
        "symbols": footing.risk.symbols,
        "offsets": footing.risk.grounds.clock_offsets_ms,
        "pegs": list(footing.risk.grounds.pegs),
    }


EVERYTHING = Limits(
    order_notional_max=D(1000),
    day_notional_max=D(1000),
    open_executions_max=1,
    unhedged_max=D(1),
    day_loss_max=D(1),
    venue_share_max=D(1),
    open_orders_max=1,
    position_max=D(1),
    depeg_bps_max=D(1),
)


def test_each_of_many_gets_what_it_gets_alone(runs):
    save_limits(strategy_id=min(runs), limits=EVERYTHING)

    together = read(runs)

    assert together.failures == {}
    assert {pk: facts_of(basis) for pk, basis in together.bases.items()} == {
        pk: facts_of(read_stream_basis(strategy_id=pk, run_id=run_id, clock=SYSTEM_CLOCK))
        for pk, run_id in runs.items()
    }


def test_many_take_as_many_queries_as_one(runs, django_assert_max_num_queries):
    read(runs)  # what they trade with is remembered from now on
    with django_assert_max_num_queries(20) as one:
        read(dict(list(runs.items())[:1]))
    with django_assert_max_num_queries(len(one)):
        assert set(read(runs).bases) == set(runs)


def test_strategies_on_the_same_accounts_share_what_these_have_free(runs):
    bases = list(read(runs).bases.values())

    assert bases[0].free is bases[1].free
    assert bases[3].free is bases[4].free
    assert bases[0].free.keys() > bases[3].free.keys()


def test_a_strategy_whose_parameters_have_gone_bad_disturbs_no_other(runs):
    odd = min(runs)
    Strategy.objects.filter(pk=odd).update(params={"symbols": []})
    SETUPS.clear()

    readings = read(runs)

    assert list(readings.failures) == [odd]
    assert set(readings.bases) == runs.keys() - {odd}


def test_a_secret_that_cannot_be_read_stops_only_those_who_use_it(runs, accounts):
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE accounts_venueaccount SET api_secret = 'garbage' WHERE id = %s",
            [accounts[1].pk],
        )

    readings = read(runs)

    crosses, triangles = list(runs)[:3], list(runs)[3:]
    assert sorted(readings.bases) == triangles
    assert {pk: type(error) for pk, error in readings.failures.items()} == dict.fromkeys(
        crosses, SecretUnreadable
    )


def test_a_run_that_has_ended_and_a_strategy_that_is_gone_are_told(runs):
    ended, gone, *others = runs
    stop_strategy(strategy_id=ended, user=None)
    Strategy.objects.filter(pk=gone).delete()

    readings = read(runs)

    assert sorted(readings.bases) == others
    assert {pk: type(error) for pk, error in readings.failures.items()} == {
        ended: Conflict,
        gone: StrategyNotFound,
    }
    assert get_open_run(ended) is None


def test_a_database_that_is_away_is_nobodys_failure(runs, monkeypatch):
    def fail(*_arguments, **_options):
        raise OperationalError("the server closed the connection")

    monkeypatch.setattr(streaming, "read_bases", fail)

    with pytest.raises(OperationalError):
        read(runs)


def test_what_a_strategy_rests_on_resembles_itself_until_something_changes(runs):
    pk, other = list(runs)[:2]
    before, after = (read(runs).bases for _ in range(2))
    assert after[pk].resembles(before[pk])

    save_limits(strategy_id=pk, limits=Limits(edge_bps_max=D(7)))
    Strategy.objects.filter(pk=other).update(state=StrategyState.STOPPING)

    last = read(runs).bases
    assert not last[pk].resembles(before[pk])
    assert not last[other].resembles(before[other])
