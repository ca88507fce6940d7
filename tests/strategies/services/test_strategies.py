"""Create, change and delete strategies."""

import pytest
from django_celery_beat.models import PeriodicTask

from arbplatform.core.errors import InvalidInput
from strategies.domain.states import StrategyState
from strategies.errors import (
    InvalidParams,
    StrategyInUse,
    StrategyNotFound,
    StrategyRunning,
    UnknownStrategyType,
    UnsuitableAccounts,
)
from strategies.models import Run, Strategy
from strategies.services.runs import stop_strategy
from strategies.services.strategies import create_strategy, delete_strategy, update_strategy
from strategies.services.ticks import run_tick

pytestmark = pytest.mark.django_db


def create(accounts, **changes):
    values = {
        "name": "cross",
        "slug": "cross-venue",
        "params": {"symbols": ["BTC/USDT"]},
        "account_ids": [account.pk for account in accounts],
    }
    return create_strategy(**{**values, **changes})


def test_a_new_strategy_is_stopped_and_keeps_complete_parameters(accounts):
    strategy = create(accounts, params={"symbols": ["BTC/USDT"], "min_edge_bps": "7.50"})

    assert strategy.state == StrategyState.STOPPED
    assert strategy.params["min_edge_bps"] == "7.50"
    assert strategy.params["max_notional"] == "1000"
    assert list(strategy.accounts.order_by("pk")) == accounts
    assert strategy.periodic_task is None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "   "}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"interval_ms": 199}, "interval_ms"),
        ({"interval_ms": 86_400_001}, "interval_ms"),
        ({"account_ids": [4711]}, "accounts"),
    ],
)
def test_a_strategy_with_a_wrong_field_is_refused_by_its_name(accounts, changes, field):
    with pytest.raises(InvalidInput) as caught:
        create(accounts, **changes)

    assert list(caught.value.fields) == [field]
    assert not Strategy.objects.exists()


def test_all_wrong_fields_are_named_at_once(accounts):
    with pytest.raises(InvalidInput) as caught:
        create(accounts, name="", interval_ms=1, account_ids=[4711])

    assert set(caught.value.fields) == {"name", "interval_ms", "accounts"}


def test_a_name_is_used_once(accounts):
    create(accounts)

    with pytest.raises(InvalidInput) as caught:
        create(accounts, name=" cross ")

    assert list(caught.value.fields) == ["name"]
    assert Strategy.objects.count() == 1


def test_an_unknown_type_is_refused(accounts):
    with pytest.raises(UnknownStrategyType):
        create(accounts, slug="lottery")

    assert not Strategy.objects.exists()


def test_wrong_parameters_are_named_one_by_one(accounts):
    with pytest.raises(InvalidParams) as caught:
        create(accounts, params={"symbols": ["nonsense"], "min_edge_bps": "-1", "luck": 1})

    assert set(caught.value.fields) == {
        "params.symbols",
        "params.min_edge_bps",
        "params.luck",
    }
    assert not Strategy.objects.exists()


def test_one_account_does_not_suit_a_strategy_between_venues(accounts):
    with pytest.raises(UnsuitableAccounts, match="at least 2 venues"):
        create(accounts[:1])


def test_two_accounts_at_one_venue_do_not_suit(accounts):
    twin = accounts[0]
    twin.pk, twin.label, twin._state.adding = None, "second", True
    twin.save()

    with pytest.raises(UnsuitableAccounts, match="alpha"):
        create([*accounts, type(twin).objects.get(label="main", venue__code="alpha")])


def test_a_part_of_a_strategy_is_changed_and_the_rest_stays(accounts):
    strategy = create(accounts, interval_ms=5000)

    changed = update_strategy(
        strategy_id=strategy.pk, params={"symbols": ["ETH/USDT"]}, name="other"
    )

    assert (changed.name, changed.interval_ms) == ("other", 5000)
    assert changed.params["symbols"] == ["ETH/USDT"]
    assert list(changed.accounts.order_by("pk")) == accounts


def test_a_strategy_may_keep_its_name_when_it_is_changed(accounts):
    strategy = create(accounts)

    assert update_strategy(strategy_id=strategy.pk, name="cross").name == "cross"


def test_a_change_that_is_refused_changes_nothing(accounts):
    strategy = create(accounts)

    with pytest.raises(InvalidParams):
        update_strategy(strategy_id=strategy.pk, name="other", params={"symbols": []})

    strategy.refresh_from_db()
    assert (strategy.name, strategy.params["symbols"]) == ("cross", ["BTC/USDT"])


def test_a_change_of_type_asks_for_its_parameters(accounts):
    strategy = create(accounts)

    with pytest.raises(InvalidParams) as caught:
        update_strategy(strategy_id=strategy.pk, slug="triangular")

    assert "params.assets" in caught.value.fields


@pytest.mark.parametrize("state", [StrategyState.RUNNING, StrategyState.STOPPING])
def test_a_strategy_that_is_not_at_rest_is_neither_changed_nor_deleted(accounts, state):
    strategy = create(accounts)
    Strategy.objects.update(state=state)

    with pytest.raises(StrategyRunning):
        update_strategy(strategy_id=strategy.pk, name="other")
    with pytest.raises(StrategyRunning):
        delete_strategy(strategy_id=strategy.pk)

    assert Strategy.objects.get().name == "cross"


def test_a_strategy_that_never_traded_is_deleted_with_its_runs_and_its_schedule(cross, calm, start):
    stop_strategy(strategy_id=cross.pk, user=None)
    assert PeriodicTask.objects.filter(task="strategies.tick").exists()

    delete_strategy(strategy_id=cross.pk)

    assert not Strategy.objects.exists()
    assert not Run.objects.exists()
    assert not PeriodicTask.objects.filter(task="strategies.tick").exists()


def test_a_strategy_with_booked_history_is_kept(cross, edge):
    run_tick(strategy_id=cross.pk)
    stop_strategy(strategy_id=cross.pk, user=None)

    with pytest.raises(StrategyInUse, match="2 orders"):
        delete_strategy(strategy_id=cross.pk)

    assert Strategy.objects.count() == 1


@pytest.mark.parametrize("command", [update_strategy, delete_strategy])
def test_a_strategy_that_is_not_there_is_said_to_be_so(db, command):
    with pytest.raises(StrategyNotFound):
        command(strategy_id=4711)
