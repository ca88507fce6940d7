"""An engine takes its share, keeps it while it lives, and gives back what it must."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from queue import SimpleQueue
from threading import Event, Thread

import pytest
from django.db import OperationalError, connection, transaction

from arbplatform.core.clock import SYSTEM_CLOCK
from arbplatform.core.errors import Message
from ledger.models import LogEntry
from ledger.services.readiness import Trader
from strategies.domain.states import StrategyDriver, StrategyState
from strategies.engine import keeper as keepers
from strategies.engine.keeper import COOLING_MS, LeaseKeeper
from strategies.models import EngineProcess, Execution, Strategy
from strategies.selectors import get_open_run, get_strategy
from strategies.services import leases
from strategies.services.claims import extend_claim
from strategies.services.failures import Failure
from strategies.services.leases import HOLD_MS, LEASE, Engine, LeaseClaim, release_leases
from strategies.services.runs import fault_strategy, start_strategy, stop_strategy
from tests.processes import wait_until

pytestmark = pytest.mark.django_db

TAKEOVER_S_MAX = 5.0
LEASE_MS = LEASE // timedelta(milliseconds=1)


def open_run(row):
    run = get_open_run(row.pk)
    assert run is not None
    return run


def holders():
    """Return how many strategies each engine holds, by the database."""
    names = list(Strategy.objects.values_list("lease_holder", flat=True))
    return {name: names.count(name) for name in names}


def test_one_engine_takes_all_and_says_so_once(streams, make_keeper):
    keeper = make_keeper()

    keeper.turn()
    keeper.turn()

    assert keeper.ids == [row.pk for row in streams]
    assert keeper.announced == [frozenset(row.pk for row in streams)]
    assert {item.run_id for item in keeper.held().values()} == {open_run(row).pk for row in streams}


def test_leases_that_are_renewed_stay(streams, make_keeper, clock):
    keeper, other = make_keeper(), make_keeper("two")
    keeper.turn()
    for _ in range(10):
        clock.advance_ms(1_000)
        keeper.renew()
    other.take()

    assert len(keeper.ids) == 4
    assert other.ids == []


def test_an_engine_that_joins_gets_its_share(streams, make_keeper, clock):
    one, two = make_keeper("one"), make_keeper("two")
    one.turn()
    two.renew()

    one.turn()
    two.turn()

    assert holders() == {"one": 2, "two": 2}
    assert one.announced[-1] == frozenset(one.ids)
    assert {item.is_taken_over for item in two.held().values()} == {False}
    for _ in range(3):  # and there it stays
        one.turn()
        two.turn()
    assert holders() == {"one": 2, "two": 2}


def test_what_is_given_up_for_a_share_is_on_the_same_accounts(
    streams, make_triangular, make_keeper, start
):
    near = [make_triangular(f"way {number}", driver=StrategyDriver.STREAM) for number in range(2)]
    Strategy.objects.filter(pk__in=[row.pk for row in streams[1:3]]).update(state="stopped")
    for row in near:
        start(row)
    far = [streams[0], streams[3]]
    for row in far:
        row.accounts.remove(row.accounts.order_by("pk")[0])
    one, two = make_keeper("one"), make_keeper("two")
    one.turn()
    two.renew()

    one.turn()
    two.turn()

    assert one.ids == sorted(row.pk for row in near)
    assert two.ids == sorted(row.pk for row in far)


def test_what_is_busy_is_not_given_up_for_a_share(streams, make_keeper):
    one, two = make_keeper("one"), make_keeper("two")
    one.turn()
    two.renew()
    one.busy.update(one.ids)

    one.turn()
    assert holders() == {"one": 4}
    one.busy.discard(streams[0].pk)
    one.turn()

    assert holders() == {"one": 3, "": 1}
    assert get_strategy(streams[0].pk).lease_holder == ""


def test_the_share_of_an_engine_that_died_is_taken_over(streams, make_keeper, clock):
    one, two = make_keeper("one"), make_keeper("two")
    one.turn()
    two.renew()
    one.turn()
    two.turn()
    for _ in range(4):
        clock.advance_ms(LEASE_MS // 4)
        two.turn()
        if holders() == {"two": 4}:
            break

    assert holders() == {"two": 4}
    assert sorted(item.fence for item in two.held().values()) == [2, 2, 2, 2]


def test_what_a_dead_engine_held_is_looked_for_in_time():
    """That the first look after the end of a lease finds it is shown where engines are killed."""
    found_s = LEASE.total_seconds() + keepers.TAKE_EVERY_S

    assert found_s <= TAKEOVER_S_MAX - 1  # what is left is for the look itself


def test_an_engine_that_slept_through_its_leases_knows_it_when_it_wakes(
    streams, make_keeper, clock
):
    sleeper, other = make_keeper("sleeper"), make_keeper("other")
    sleeper.turn()
    claims = [item.claim for item in sleeper.held().values()]
    clock.advance_ms(LEASE_MS)
    other.turn()

    # before any of its threads has run again
    assert sleeper.held() == {}
    assert not any(extend_claim(claim, clock=clock) for claim in claims)
    sleeper.announce()
    sleeper.turn()

    assert sleeper.announced[-2:] == [frozenset(row.pk for row in streams), frozenset()]
    assert (holders(), other.ids) == ({"other": 4}, [row.pk for row in streams])


def test_without_the_database_leases_lapse_and_are_taken_anew_when_it_is_back(
    streams, make_keeper, clock
):
    keeper = make_keeper()
    keeper.turn()
    clock.advance_ms(HOLD_MS)
    keeper.announce()
    assert keeper.announced[-1] == frozenset()
    clock.advance_ms(10_000)

    keeper.turn()

    assert {item.fence for item in keeper.held().values()} == {2}
    assert len(keeper.announced[-1]) == 4


def test_what_was_lost_and_taken_again_between_two_looks_is_announced_anew(
    streams, make_keeper, clock
):
    keeper = make_keeper()
    keeper.turn()
    clock.advance_ms(LEASE_MS)
    keeper.renew()
    keeper.take()
    announced = len(keeper.announced)

    keeper.announce()

    assert {item.fence for item in keeper.held().values()} == {2}
    assert keeper.announced[announced:] == [frozenset(row.pk for row in streams)]


def test_a_confirmation_that_comes_too_late_prolongs_nothing(streams, make_keeper, clock):
    keeper = make_keeper()
    keeper.turn()
    readings = iter([clock.monotonic_ms()])
    now_ms = clock.monotonic_ms

    def read_ms():
        return next(readings, now_ms() + HOLD_MS)

    for item in keeper.held().values():
        item.claim.read_ms = read_ms

    keeper.renew()

    assert keeper.is_empty


def test_a_strategy_that_stops_is_given_back_when_nothing_of_it_is_under_way(
    streams, make_keeper, clock
):
    keeper = make_keeper()
    keeper.turn()
    stopped = streams[0].pk
    keeper.busy.add(stopped)
    stop_strategy(strategy_id=stopped, user=None, clock=clock)

    keeper.turn()
    assert (stopped in keeper.held(), keeper.is_empty) == (False, False)
    assert stopped not in keeper.announced[-1]
    assert get_strategy(stopped).state == StrategyState.STOPPING
    clock.advance_ms(1_000)
    keeper.turn()
    assert get_strategy(stopped).tick_expires_at == clock.now() + LEASE  # still renewed
    keeper.busy.clear()
    keeper.turn()

    assert get_strategy(stopped).state == StrategyState.STOPPED


def test_a_lease_may_be_missed_while_it_is_given_back(streams, make_keeper, clock, monkeypatch):
    keeper = make_keeper()
    keeper.turn()
    stopped = streams[0].pk
    stop_strategy(strategy_id=stopped, user=None, clock=clock)

    def release_while_the_other_thread_renews(**given):
        release_leases(**given)
        keeper.renew()

    monkeypatch.setattr(
        "strategies.engine.keeper.release_leases", release_while_the_other_thread_renews
    )
    keeper.turn()

    assert keeper.ids == [row.pk for row in streams[1:]]
    assert get_strategy(stopped).state == StrategyState.STOPPED


def test_a_strategy_in_another_run_is_taken_anew(streams, make_keeper, clock):
    keeper = make_keeper()
    keeper.turn()
    pk = streams[0].pk
    fault_strategy(strategy_id=pk, failure=Failure(Message("broken")), clock=clock)
    Strategy.objects.filter(pk=pk).update(tick_token="", tick_expires_at=None)
    run = start_strategy(strategy_id=pk, user=None, clock=clock)

    keeper.turn()
    keeper.turn()

    assert keeper.held()[pk].run_id == run.pk


def test_what_went_wrong_is_let_go_and_taken_anew_later(streams, make_keeper, clock):
    keeper = make_keeper()
    keeper.turn()
    pk = streams[0].pk

    keeper.let_go(pk)
    assert pk not in keeper.held()
    keeper.announce()
    keeper.turn()
    assert get_strategy(pk).lease_holder == ""
    clock.advance_ms(COOLING_MS)
    keeper.turn()

    assert keeper.held()[pk].fence == 2
    keeper.let_go(987_654)  # nothing that it holds


def test_an_engine_that_ends_gives_everything_back_as_it_falls_idle(streams, make_keeper):
    keeper, other = make_keeper(), make_keeper("other")
    keeper.turn()
    keeper.busy.add(streams[0].pk)

    keeper.drain()
    assert keeper.held() == {}
    keeper.turn()
    other.turn()

    assert (keeper.is_empty, other.ids) == (False, [row.pk for row in streams[1:]])
    assert EngineProcess.objects.get(name="one").draining_at is not None
    keeper.busy.clear()
    keeper.turn()
    other.turn()
    assert (keeper.is_empty, len(other.ids)) == (True, 4)


def test_accounts_of_a_dead_engine_are_compared_before_its_successor_trades(
    streams, make_keeper, clock
):
    one, two = make_keeper("one"), make_keeper("two")
    run = open_run(streams[0])
    ids = [account.pk for account in streams[0].accounts.all()]
    one.turn()
    trader = Trader(run_id=run.pk, started_at=run.started_at, account_ids=ids)
    assert two._readiness.find_ready([trader]) == {run.pk}
    clock.advance_ms(LEASE_MS)

    two.turn()

    assert two._readiness.find_ready([trader]) == frozenset()


def test_what_is_recovered_of_one_strategy_keeps_no_other_waiting(
    streams, make_keeper, monkeypatch
):
    ids = [row.pk for row in streams]
    go_on, recovered = Event(), SimpleQueue[int]()

    def recover(*, strategy_ids, clock):
        if ids[0] in strategy_ids:
            go_on.wait(30)  # its venue hangs
        for pk in strategy_ids:
            recovered.put(pk)

    monkeypatch.setattr(
        keepers, "list_begun_executions", lambda held: [Execution(strategy_id=pk) for pk in held]
    )
    monkeypatch.setattr(keepers, "recover_strategies", recover)
    keeper = make_keeper()
    keeper._recoveries = ThreadPoolExecutor(keepers.RECOVERY_THREADS)

    keeper.turn()

    try:
        assert sorted(recovered.get(timeout=30) for _each in ids[1:]) == ids[1:]
    finally:
        go_on.set()
        keeper._recoveries.shutdown()
    assert recovered.get_nowait() == ids[0]


def test_what_others_had_begun_is_recovered_even_if_nobody_can_say_where(
    streams, make_keeper, monkeypatch
):
    recovered = SimpleQueue[int]()

    def fail(_held):
        raise RuntimeError("a bug")

    def recover(*, strategy_ids, clock):
        recovered.put(*strategy_ids)

    monkeypatch.setattr(keepers, "list_begun_executions", fail)
    monkeypatch.setattr(keepers, "recover_strategies", recover)
    keeper = make_keeper()
    keeper._recoveries = ThreadPoolExecutor(keepers.RECOVERY_THREADS)

    keeper.turn()

    ids = [row.pk for row in streams]
    assert sorted(recovered.get(timeout=30) for _each in ids) == ids
    assert keeper.held().keys() == set(ids)
    keeper._recoveries.shutdown()


@pytest.mark.django_db(transaction=True)
def test_threads_take_and_give_back(make_cross, calm):
    row = make_cross(driver=StrategyDriver.STREAM)
    start_strategy(strategy_id=row.pk, user=None)
    keeper = LeaseKeeper(Engine.on("here", 1))
    taken, given_back = Event(), Event()
    keeper.on_change = lambda ids: (taken if ids else given_back).set()

    keeper.start()
    try:
        assert taken.wait(timeout=30)
        assert get_strategy(row.pk).lease_holder == keeper.engine.name
        keeper.drain()
        assert given_back.wait(timeout=30)
        stopped = Event()
        for _ in range(100):
            if keeper.is_empty:
                break
            stopped.wait(0.1)
        assert keeper.is_empty
    finally:
        keeper.stop()

    assert get_strategy(row.pk).lease_holder == ""
    assert EngineProcess.objects.get().stopped_at is not None


@pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite has one writer at a time")
@pytest.mark.django_db(transaction=True)
def test_a_writer_that_keeps_the_only_lock_costs_leases_that_are_taken_again_and_explained(
    make_cross, calm, monkeypatch
):
    monkeypatch.setattr(leases, "LEASE", timedelta(milliseconds=700))
    for module in (leases, keepers):
        monkeypatch.setattr(module, "HOLD_MS", 600)
    monkeypatch.setattr(keepers, "RENEW_EVERY_S", 0.2)
    row = make_cross(driver=StrategyDriver.STREAM)
    start_strategy(strategy_id=row.pk, user=None)
    keeper = LeaseKeeper(Engine.on("here", 1))
    claims: list[LeaseClaim] = []

    def note(_ids):
        claims.extend(item.claim for item in keeper.held().values())

    keeper.on_change = note
    keeper.start()
    try:
        wait_until(lambda: claims, "it is taken")
        with transaction.atomic():  # it holds the lock of all writers
            wait_until(lambda: not claims[-1].is_kept(), "it is lost")
            lost = claims[-1]
            Event().wait(0.2)
        wait_until(lambda: claims[-1].fence > lost.fence, "it is taken again")
    finally:
        keeper.stop()

    # on a busy machine it may have happened before
    assert (lost.is_kept(), extend_claim(lost, clock=SYSTEM_CLOCK)) == (False, False)
    told = LogEntry.objects.filter(strategy_id=row.pk, event="strategy_retaken").first()
    assert told is not None
    assert "could not reach the database in time" in told.template


@pytest.mark.django_db(transaction=True)
def test_a_thread_that_crashes_ends_the_engine(calm):
    class Broken(LeaseKeeper):
        def take(self):
            raise RuntimeError("a bug")

    keeper = Broken(Engine.on("here", 1))
    crashed = Event()
    keeper.on_crash = crashed.set

    keeper.start()

    assert crashed.wait(timeout=30)
    keeper.stop()


@pytest.mark.django_db(transaction=True)
def test_a_thread_goes_on_when_the_database_is_back(calm, caplog):
    back = Event()

    class Unlucky(LeaseKeeper):
        tries = 0

        def take(self):
            self.tries += 1
            if self.tries < 3:
                self._hurry.set()
                raise OperationalError("the database is away")
            back.set()

    keeper = Unlucky(Engine.on("here", 1))

    keeper.start()

    assert back.wait(timeout=30)
    keeper.stop()
    assert caplog.text.count("Leases wait") == 1
    connection.close()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs PostgreSQL: row locks")
@pytest.mark.django_db(transaction=True)
def test_a_lease_whose_row_is_just_written_is_renewed_a_moment_later(streams, make_keeper, clock):
    keeper = make_keeper()
    keeper.turn()
    locked, done = Event(), Event()

    def write():
        with transaction.atomic():
            Strategy.objects.select_for_update().get(pk=streams[0].pk)
            locked.set()
            done.wait(timeout=30)
        connection.close()

    class Pausing(Event):
        """In the pause before the next attempt, the row is written."""

        def wait(self, timeout=None):
            done.set()
            thread.join()
            return super().wait(0)

    clock.advance_ms(1_000)
    keeper._stopping = Pausing()
    thread = Thread(target=write)
    thread.start()
    locked.wait(timeout=30)
    keeper.renew()

    assert done.is_set()
    clock.advance_ms(HOLD_MS - 1)
    assert keeper.ids == [row.pk for row in streams]
