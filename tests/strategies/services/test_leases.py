"""A strategy on a stream is run by one engine at a time."""

from datetime import timedelta
from threading import Event, Thread

import pytest
from django.db import connection, transaction
from django_celery_beat.models import PeriodicTask

from arbplatform.core.errors import Message
from ledger.models import LogEntry, Order
from ledger.services.batches import Unmet, run_batch
from markets.models import Asset
from strategies.domain.states import ExecutionState, StrategyDriver, StrategyState
from strategies.errors import NotReadyToStart
from strategies.models import Decision, EngineProcess, Execution, Opportunity, Run, Strategy
from strategies.selectors import get_strategy
from strategies.selectors.engines import count_unheld_streams, list_by_accounts, list_held
from strategies.services import sweeps
from strategies.services.claims import claim_tick, extend_claim, require_claim
from strategies.services.failures import Failure
from strategies.services.gates import require_standing
from strategies.services.leases import (
    HOLD_MS,
    LEASE,
    Engine,
    acquire_leases,
    drain_engine,
    is_live,
    read_share,
    release_leases,
    renew_leases,
    revoke_lease,
    strike_engine,
)
from strategies.services.runs import fault_strategy, start_strategy, stop_strategy
from strategies.services.strategies import create_strategy
from strategies.services.ticks import TickOutcome, run_tick

pytestmark = pytest.mark.django_db

LEASE_MS = LEASE // timedelta(milliseconds=1)
ONE, TWO = Engine("here:1:aa", "here", 1), Engine("there:2:bb", "there", 2)


@pytest.fixture
def streams(make_cross, calm):
    """Four strategies that run on streams, with one open run each."""
    rows = [make_cross(f"s{number}", driver=StrategyDriver.STREAM) for number in range(4)]
    for row in rows:
        start_strategy(strategy_id=row.pk, user=None)
    return [get_strategy(row.pk) for row in rows]


@pytest.fixture
def take(clock):
    """Return a function with which an engine takes strategies, at the test's time."""

    def run(engine, limit=10, besides=()):
        return acquire_leases(
            engine=engine, limit=limit, besides=besides, clock=clock, read_ms=clock.monotonic_ms
        )

    return run


def renew(engine, held, clock):
    tokens = {item.strategy_id: item.claim.token for item in held}
    return renew_leases(engine=engine, tokens=tokens, clock=clock)


def test_a_strategy_on_a_stream_has_no_schedule(streams):
    assert not PeriodicTask.objects.filter(task="strategies.tick").exists()
    assert sweeps.sweep() == 0
    assert not PeriodicTask.objects.filter(task="strategies.tick").exists()


def test_the_schedule_of_a_strategy_that_changes_to_a_stream_is_switched_off(cross):
    stop_strategy(strategy_id=cross.pk, user=None)
    Strategy.objects.update(driver=StrategyDriver.STREAM)

    start_strategy(strategy_id=cross.pk, user=None)

    assert not PeriodicTask.objects.get(task="strategies.tick").enabled


def test_a_strategy_on_a_stream_has_no_ticks(streams, edge, clock):
    assert claim_tick(streams[0], clock=clock, is_spacing_kept=False) is None
    assert run_tick(strategy_id=streams[0].pk).outcome is TickOutcome.DROPPED
    assert not Order.objects.exists()


def test_what_is_on_a_schedule_or_at_rest_is_no_engines(make_cross, cross, take):
    make_cross("at rest", driver=StrategyDriver.STREAM)

    assert take(ONE) == []


def test_an_engine_takes_what_nobody_holds_and_counts_the_number_up(streams, take, clock):
    held = take(ONE, limit=3)

    assert [item.strategy_id for item in held] == [row.pk for row in streams[:3]]
    assert [item.run_id for item in held] == [
        Run.objects.get(strategy=row).pk for row in streams[:3]
    ]
    assert {(item.fence, item.is_taken_over, item.claim.holder) for item in held} == {
        (1, False, ONE.name)
    }
    row = get_strategy(streams[0].pk)
    assert (row.lease_holder, row.lease_fence) == (ONE.name, 1)
    assert row.tick_token == held[0].claim.token
    assert (row.tick_expires_at, row.last_tick_at) == (clock.now() + LEASE, clock.now())
    assert list_held(now=clock.now()) == {ONE.name: [row.pk for row in streams[:3]]}
    assert count_unheld_streams(now=clock.now()) == 1


def test_two_engines_never_hold_one_strategy(streams, take):
    ones, twos = take(ONE, limit=3), take(TWO)

    assert [item.strategy_id for item in twos] == [streams[3].pk]
    assert not {item.strategy_id for item in ones} & {item.strategy_id for item in twos}


def test_a_lease_that_is_not_renewed_is_anybodys_after_its_time(streams, take, clock):
    before = take(ONE)
    clock.advance_ms(LEASE_MS - 1)
    assert take(TWO) == []
    clock.advance_ms(1)

    after = take(TWO)

    assert [(item.fence, item.is_taken_over) for item in after] == [(2, True)] * 4
    assert [row.lease_holder for row in Strategy.objects.all()] == [TWO.name] * 4
    line = LogEntry.objects.filter(event="strategy_taken_over")[0]
    assert (line.context["before"], line.context["fence"]) == (ONE.name, 2)
    assert renew(ONE, before, clock).lost == {row.pk for row in streams}


def test_a_lease_that_is_renewed_stays(streams, take, clock):
    held = take(ONE)
    for _ in range(5):
        clock.advance_ms(1_000)
        assert renew(ONE, held, clock).renewed == {row.pk for row in streams}

    assert take(TWO) == []
    assert {row.tick_expires_at for row in Strategy.objects.all()} == {clock.now() + LEASE}


def test_a_lease_that_has_run_out_is_not_brought_back_even_if_nobody_took_it(streams, take, clock):
    held = take(ONE)
    clock.advance_ms(LEASE_MS)

    renewal = renew(ONE, held, clock)

    assert (renewal.renewed, renewal.lost) == (frozenset(), {row.pk for row in streams})
    assert {item.fence for item in take(ONE)} == {2}
    assert LogEntry.objects.filter(event="strategy_retaken").count() == 4
    assert not LogEntry.objects.filter(event="strategy_taken_over").exists()


def test_an_engine_counts_on_its_lease_for_less_long_than_others_leave_it(streams, take, clock):
    (held,) = take(ONE, limit=1)
    clock.advance_ms(HOLD_MS - 1)
    assert extend_claim(held.claim, clock=clock)
    clock.advance_ms(1)

    assert not extend_claim(held.claim, clock=clock)
    assert HOLD_MS < LEASE_MS


def test_a_lease_that_has_lapsed_does_not_come_back_to_life(streams, take, clock):
    (held,) = take(ONE, limit=1)
    clock.advance_ms(HOLD_MS)

    assert not held.claim.prolong(clock.monotonic_ms() + HOLD_MS)
    assert not held.claim.is_kept()


def test_a_lease_that_is_prolonged_holds_longer(streams, take, clock):
    (held,) = take(ONE, limit=1)
    clock.advance_ms(HOLD_MS - 1)
    assert held.claim.prolong(clock.monotonic_ms() + HOLD_MS)
    clock.advance_ms(HOLD_MS - 1)

    assert held.claim.is_kept()


def test_an_old_holder_cannot_write_a_later_leg(streams, take, clock):
    (old,) = take(ONE, limit=1)
    require_claim(old.claim)
    clock.advance_ms(LEASE_MS)
    (new,) = take(TWO, limit=1)

    with pytest.raises(Unmet):
        require_claim(old.claim)
    require_claim(new.claim)


def test_what_is_given_back_is_free_at_once(streams, take, clock):
    held = take(ONE)

    release_leases(held=held[:2], clock=clock)

    assert not held[0].claim.is_kept()
    row = get_strategy(streams[0].pk)
    assert (row.tick_token, row.tick_expires_at, row.lease_holder) == ("", None, "")
    assert row.lease_fence == 1
    taken = take(TWO)
    assert [(item.strategy_id, item.fence, item.is_taken_over) for item in taken] == [
        (streams[0].pk, 2, False),
        (streams[1].pk, 2, False),
    ]
    assert LogEntry.objects.filter(event="strategy_released").count() == 2


def test_nobody_gives_back_what_somebody_else_holds(streams, take, clock):
    held = take(ONE)
    clock.advance_ms(LEASE_MS)
    take(TWO)

    release_leases(held=held, clock=clock)

    assert {row.lease_holder for row in Strategy.objects.all()} == {TWO.name}


def test_a_stopping_strategy_stops_when_its_engine_gives_it_back(streams, take, clock):
    held = take(ONE)
    stop_strategy(strategy_id=streams[0].pk, user=None, clock=clock)
    assert get_strategy(streams[0].pk).state == StrategyState.STOPPING

    release_leases(held=held[:1], clock=clock)

    assert get_strategy(streams[0].pk).state == StrategyState.STOPPED
    assert Run.objects.get(strategy=streams[0]).stopped_at == clock.now()


def test_a_strategy_that_no_engine_holds_stops_at_once(streams, clock):
    stop_strategy(strategy_id=streams[0].pk, user=None, clock=clock)

    assert get_strategy(streams[0].pk).state == StrategyState.STOPPED


def test_the_sweep_stops_a_stopping_strategy_whose_engine_died(streams, take, clock):
    take(ONE)
    stop_strategy(strategy_id=streams[0].pk, user=None, clock=clock)
    sweeps.sweep(clock=clock)
    assert get_strategy(streams[0].pk).state == StrategyState.STOPPING
    clock.advance_ms(LEASE_MS)

    assert sweeps.sweep(clock=clock) == 0

    row = get_strategy(streams[0].pk)
    assert (row.state, row.lease_holder) == (StrategyState.STOPPED, "")


def test_the_sweep_leaves_the_leases_of_engines_to_engines(streams, take, clock):
    take(ONE)
    clock.advance_ms(LEASE_MS + 1)

    sweeps.sweep(clock=clock)

    assert Strategy.objects.exclude(tick_token="").count() == 4
    assert not LogEntry.objects.filter(event="tick_lost").exists()


def test_a_faulted_strategy_is_not_started_before_its_engine_let_go(streams, take, clock):
    held = take(ONE)
    fault_strategy(strategy_id=streams[0].pk, failure=Failure(Message("broken")), clock=clock)

    with pytest.raises(NotReadyToStart):
        start_strategy(strategy_id=streams[0].pk, user=None, clock=clock)
    release_leases(held=held[:1], clock=clock)
    start_strategy(strategy_id=streams[0].pk, user=None, clock=clock)

    assert get_strategy(streams[0].pk).state == StrategyState.RUNNING


@pytest.fixture
def apart(accounts, calm):
    """Strategies on streams in turn on an account at alpha and on one at beta."""
    rows = [
        create_strategy(
            name=f"way {number}",
            slug="triangular",
            params={"assets": ["BTC", "ETH", "USDT"], "max_start_amount": "20000"},
            account_ids=[accounts[number % 2].pk],
            driver=StrategyDriver.STREAM,
        )
        for number in range(6)
    ]
    for row in rows:
        start_strategy(strategy_id=row.pk, user=None)
    return [row.pk for row in rows]


def test_an_engine_takes_first_what_is_on_accounts_that_it_uses_already(apart, take):
    (held,) = take(TWO, limit=1, besides=[apart[0]])
    assert held.strategy_id == apart[1]

    assert [item.strategy_id for item in take(TWO, limit=2)] == [apart[3], apart[5]]
    assert [item.strategy_id for item in take(TWO)] == [apart[0], apart[2], apart[4]]


def test_strategies_on_the_same_accounts_stand_side_by_side(apart):
    alpha, beta = apart[::2], apart[1::2]

    assert list_by_accounts(apart) == [*alpha, *beta]
    assert list_by_accounts([apart[1], apart[0], 4711]) == apart[:2]


def test_engines_share_evenly_and_count_only_those_that_live(streams, take, clock):
    assert read_share(engine=ONE, clock=clock) == (4, 1)
    for engine in (ONE, TWO):
        renew(engine, [], clock)

    assert read_share(engine=ONE, clock=clock) == (2, 2)
    third = Engine("third:3:cc", "third", 3)
    assert read_share(engine=third, clock=clock) == (2, 3)
    drain_engine(engine=TWO, clock=clock)
    assert read_share(engine=ONE, clock=clock) == (4, 1)
    renew(third, [], clock)
    assert read_share(engine=ONE, clock=clock) == (2, 2)
    clock.advance_ms(LEASE_MS)
    assert read_share(engine=ONE, clock=clock) == (4, 1)


def test_the_share_of_a_dead_engine_falls_free_in_the_moment_its_leases_do(streams, take, clock):
    held = take(TWO)
    renew(TWO, held, clock)
    clock.advance_ms(LEASE_MS - 1)
    assert (read_share(engine=ONE, clock=clock)[1], take(ONE)) == (2, [])
    clock.advance_ms(1)

    assert read_share(engine=ONE, clock=clock)[1] == 1
    assert len(take(ONE)) == 4


def test_an_engine_leaves_signs_of_life_and_stays_known_when_it_has_ended(clock):
    renew(ONE, [], clock)
    renew(TWO, [], clock)
    row = EngineProcess.objects.get(name=ONE.name)
    assert (row.machine, row.pid, row.started_at) == ("here", 1, clock.now())
    assert is_live(row, clock.now())

    strike_engine(engine=ONE, clock=clock)

    row.refresh_from_db()
    assert (row.stopped_at, is_live(row, clock.now())) == (clock.now(), False)
    clock.advance_ms(29 * 86_400_000)
    strike_engine(engine=TWO, clock=clock)
    # how long it is kept is for RETENTION_ENGINES_DAYS to say
    assert {row.name for row in EngineProcess.objects.all()} == {ONE.name, TWO.name}


# executions that were begun under a lease ---------------------------------------------------------


@pytest.fixture
def begun(streams, take, clock):
    """An execution that engine one has begun: no order of it was written yet."""
    (held,) = take(ONE, limit=1)
    usdt = Asset.objects.get(code="USDT")
    opportunity = Opportunity.objects.create(
        strategy=streams[0],
        run_id=held.run_id,
        detected_at=clock.now(),
        summary="cheap here, dear there",
        route="",
        edge_bps=1,
        notional=1,
        expected_profit=1,
        profit_asset=usdt,
        decision=Decision.EXECUTED,
    )
    execution = Execution.objects.create(
        strategy=streams[0],
        run_id=held.run_id,
        opportunity=opportunity,
        leg_count=2,
        expected_profit=1,
        profit_asset=usdt,
        lease_fence=held.fence,
        lease_holder=ONE.name,
    )
    Execution.objects.update(created_at=clock.now())
    return execution


def test_an_execution_of_a_living_engine_is_left_alone(begun, clock):
    sweeps.sweep(clock=clock)

    begun.refresh_from_db()
    assert begun.state == ExecutionState.EXECUTING


def test_an_execution_of_a_dead_engine_is_recovered_as_soon_as_it_was_taken_over(
    begun, streams, take, clock
):
    clock.advance_ms(LEASE_MS)
    (held,) = take(TWO, limit=1)

    assert sweeps.recover_strategies(strategy_ids=[held.strategy_id], clock=clock) == 0

    begun.refresh_from_db()
    assert begun.state == ExecutionState.FAILED


def test_an_execution_that_fell_out_of_a_living_engines_hands_is_recovered_by_the_same_engine(
    begun, streams, take, clock
):
    # what the engine does when an error falls between the commit and the end of an execution
    token = get_strategy(streams[0].pk).tick_token
    Strategy.objects.filter(tick_token=token).update(tick_token="", tick_expires_at=None)
    (anew,) = take(ONE, limit=1)

    assert (anew.strategy_id, anew.fence) == (streams[0].pk, begun.lease_fence + 1)
    assert sweeps.recover_strategies(strategy_ids=[anew.strategy_id], clock=clock) == 0

    begun.refresh_from_db()
    assert begun.state == ExecutionState.FAILED


def test_an_execution_that_its_engine_left_alone_is_taken_from_it(begun, streams, take, clock):
    token = get_strategy(streams[0].pk).tick_token
    clock.advance_ms(60_000)
    renewed = {streams[0].pk: token}
    Strategy.objects.filter(pk=streams[0].pk).update(tick_expires_at=clock.now() + LEASE)

    sweeps.sweep(clock=clock)

    # the engine must have noticed before anybody takes the strategy or touches the execution
    assert renew_leases(engine=ONE, tokens=renewed, clock=clock).lost == {streams[0].pk}
    begun.refresh_from_db()
    assert begun.state == ExecutionState.EXECUTING
    assert take(TWO, besides={row.pk for row in streams[1:]}) == []
    clock.advance_ms(LEASE_MS)
    sweeps.sweep(clock=clock)
    begun.refresh_from_db()
    assert begun.state == ExecutionState.FAILED
    assert LogEntry.objects.filter(event="lease_revoked").count() == 1


def test_a_lease_that_is_another_by_now_is_not_revoked(streams, take, clock):
    (held,) = take(ONE, limit=1)

    assert not revoke_lease(strategy_id=held.strategy_id, token="another", clock=clock)
    assert get_strategy(held.strategy_id).tick_token == held.claim.token


@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs PostgreSQL: row locks")
@pytest.mark.django_db(transaction=True)
def test_a_strategy_is_not_taken_while_its_holder_writes(streams, take, clock):
    (held,) = take(ONE, limit=1)
    others = {row.pk for row in streams[1:]}
    ids = frozenset(account.pk for account in streams[0].accounts.all())
    clock.advance_ms(LEASE_MS)
    found = []

    def try_to_take():
        found.append(take(TWO, besides=others))
        connection.close()

    with transaction.atomic():
        run_batch([require_standing(held.claim, ids)])
        thread = Thread(target=try_to_take)
        thread.start()
        thread.join()

    assert found == [[]]
    assert [item.fence for item in take(TWO, besides=others)] == [2]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs PostgreSQL: row locks")
@pytest.mark.django_db(transaction=True)
def test_a_holder_that_writes_while_it_is_robbed_waits_and_is_refused(streams, take, clock):
    (held,) = take(ONE, limit=1)
    ids = frozenset(account.pk for account in streams[0].accounts.all())
    clock.advance_ms(LEASE_MS)
    refused, began = [], Event()

    def write():
        began.set()
        try:
            run_batch([require_standing(held.claim, ids)])
        except Unmet as error:
            refused.append(error.name)
        finally:
            connection.close()

    thread = Thread(target=write)
    with transaction.atomic():
        take(TWO, limit=1)
        thread.start()
        began.wait(timeout=30)
        thread.join(timeout=0.5)  # it waits for what is being committed
        assert (thread.is_alive(), refused) == (True, [])
    thread.join(timeout=30)

    assert refused == ["standing"]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs PostgreSQL: row locks")
@pytest.mark.django_db(transaction=True)
def test_a_row_that_somebody_writes_holds_no_renewal_up(streams, take, clock):
    held = take(ONE)
    locked, done = Event(), Event()

    def write():
        with transaction.atomic():
            Strategy.objects.select_for_update().get(pk=streams[0].pk)
            locked.set()
            done.wait(timeout=30)
        connection.close()

    thread = Thread(target=write)
    thread.start()
    locked.wait(timeout=30)
    try:
        renewal = renew(ONE, held, clock)
    finally:
        done.set()
        thread.join()

    assert renewal.renewed == {row.pk for row in streams[1:]}
    assert renewal.lost == frozenset()
