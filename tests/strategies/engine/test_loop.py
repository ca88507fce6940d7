"""The whole loop with its threads; books and leases are played."""

import asyncio
import time
from dataclasses import dataclass, field
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.utils import translation

from arbplatform.core.clock import SYSTEM_CLOCK
from arbplatform.core.errors import Message
from arbplatform.core.stages import Stage
from arbplatform.wording import render
from markets.domain.feeds import FeedState, FeedStatus
from markets.domain.health import FAILURES_MIN
from markets.domain.live_book import LiveBook
from markets.errors import VenueUnavailable
from markets.feed.reasons import CLOSED
from markets.gateway import factory
from markets.models import Venue
from markets.services.shared_pulses import read_shared_pulses
from strategies.domain.states import ExecutionState, StrategyState
from strategies.engine import crew as crews
from strategies.engine import decider as deciders
from strategies.engine import echoes, refreshing, reminders
from strategies.engine import loop as loops
from strategies.engine.decider import Decider
from strategies.engine.loop import EngineLoop
from strategies.models import Execution, Opportunity, Run, Strategy
from strategies.services.engine_stats import list_stats
from strategies.services.setups import SETUPS
from strategies.services.strategies import create_strategy
from strategies.services.streaming import read_stream_bases
from tests.markets.fakes.server import Reply, ScriptedServer
from tests.patience import PATIENCE_MS, PATIENT_BOOKS
from tests.processes import redis_server
from tests.strategies.engine.stage import hold
from tests.strategies.samples import Hooked

__all__ = ["redis_server"]

pytestmark = pytest.mark.django_db(transaction=True)

TIMEOUT_S = 30


class PlayedFeeds:
    """Feeds whose books a test shows; what is not wanted is not there."""

    def __init__(self, venues):
        self.venues = venues
        self.listener: Any = None
        self.wanted: dict[str, set[str]] = {}
        self.origins: dict[str, Any] = {}
        self.live: dict[tuple[str, str], LiveBook] = {}
        self.states: dict[tuple[str, str], FeedState] = {}
        self.is_closed = False
        self.heard_at_ns = 0

    def open(self, listener):
        self.listener = listener
        return self

    def want(self, wanted):
        self.wanted = {spec.code: set(symbols) for spec, symbols in wanted.items()}

    def book(self, venue, symbol):
        is_healthy = self.states.get((venue, symbol)) is FeedState.HEALTHY
        return self.live.get((venue, symbol)) if is_healthy else None

    def statuses(self):
        return [self._status(key) for key in self.states]

    async def close(self):
        self.is_closed = True

    def show(self, venue, symbol="BTC/USDT"):
        """Show the book that a venue in memory has now."""
        if symbol not in self.wanted.get(venue, ()):
            return
        key = (venue, symbol)
        live = self.live.setdefault(key, LiveBook(*key))
        bids, asks = (
            [[str(price), str(quantity)] for price, quantity in side]
            for side in self.venues[venue].books[symbol]
        )
        now_ms = SYSTEM_CLOCK.now_ms()
        live.replace(bids, asks, received_at_ms=now_ms, venue_time_ms=now_ms)
        if self.states.get(key) is not FeedState.HEALTHY:
            self.move(venue, FeedState.HEALTHY, symbol)
        self.listener.book_changed(live)

    def move(self, venue, state, symbol="BTC/USDT"):
        self.states[venue, symbol] = state
        self.listener.feed_changed(self._status((venue, symbol)))

    def _status(self, key):
        state = self.states[key]
        reason = None if state is FeedState.HEALTHY else Message("a change was missed")
        venue, symbol = key
        return FeedStatus(venue, symbol, state, reason, since_ms=0)


@dataclass
class PlayedKeeper:
    """Leases that a test gives and takes."""

    engine: Any = field(default_factory=lambda: SimpleNamespace(name="here", machine="m", pid=1))
    leases: dict[int, Any] = field(default_factory=dict)
    given_back: list[int] = field(default_factory=list)
    on_change: Any = None
    is_busy: Any = None

    def held(self):
        return dict(self.leases)

    def let_go(self, strategy_id):
        self.given_back.append(strategy_id)

    def give(self, strategy):
        claim, run_id = hold(strategy), Run.objects.get(strategy=strategy).pk
        self.leases[strategy.pk] = SimpleNamespace(
            strategy_id=strategy.pk, run_id=run_id, claim=claim
        )

    def take(self, strategy):
        del self.leases[strategy.pk]
        self.on_change(frozenset(self.leases))


async def until(condition, what="the condition holds"):
    """Wait until something is so; fail when it does not become so."""
    async with asyncio.timeout(TIMEOUT_S):
        while not condition():  # noqa: ASYNC110  conditions come from threads as well
            await asyncio.sleep(0.01)


async def beside(job):
    """Do something with the database in a thread of its own."""

    def run():
        try:
            job()
        finally:
            connection.close()

    await asyncio.to_thread(run)


@pytest.fixture
def engine(monkeypatch, accounts, calm):
    """An engine whose seconds are short, and what feeds it.

    What it has read is good however long the machine takes to decide on it.
    """
    monkeypatch.setattr(deciders, "BASIS_AGE_MS_MAX", PATIENCE_MS)
    monkeypatch.setattr(refreshing, "REFRESH_S", 0.1)
    monkeypatch.setattr(reminders, "EXPLAIN_EVERY_MS", 0)
    monkeypatch.setattr(loops, "REPORT_S", 0.1)
    feeds, keeper = PlayedFeeds(calm), PlayedKeeper()
    engine = EngineLoop(keeper=keeper, open_feeds=feeds.open)
    return SimpleNamespace(loop=engine, feeds=feeds, keeper=keeper, venues=calm)


def play(engine, scene):
    """Run the loop while ``scene`` is played, then cancel it as the process does."""

    async def run():
        work = asyncio.ensure_future(engine.loop.run())
        try:
            await scene()
        finally:
            work.cancel()
            await asyncio.wait([work])
        assert work.cancelled()

    asyncio.run(run())


def offer(engine):
    engine.venues["alpha"].set_book("BTC/USDT", bids=[("49990", "1")], asks=[("50000", "0.5")])
    engine.venues["beta"].set_book("BTC/USDT", bids=[("50500", "0.5")], asks=[("50510", "1")])
    engine.feeds.show("alpha")
    engine.feeds.show("beta")


BOTH = {"alpha": {"BTC/USDT"}, "beta": {"BTC/USDT"}}


def test_a_held_strategy_gets_its_books_and_trades_what_they_offer(engine, cross):
    engine.keeper.give(cross)

    async def scene():
        await until(lambda: engine.feeds.wanted == BOTH)
        offer(engine)
        await until(lambda: engine.loop.counts.executed)

    play(engine, scene)

    execution = Execution.objects.order_by("pk")[0]
    assert execution.state == ExecutionState.COMPLETED
    run = Run.objects.get()
    assert run.execution_count == engine.loop.counts.executed
    assert run.tick_count == engine.loop.counts.decided
    assert engine.feeds.is_closed


@pytest.fixture
def one_trade(monkeypatch):
    """No second trade follows the first, however long it takes: its books never show that one."""
    monkeypatch.setattr(echoes, "WAIT_MS_MAX", 600_000)


@pytest.mark.usefixtures("one_trade")
def test_what_is_being_reported_when_the_engine_ends_is_written_down(engine, cross, monkeypatch):
    engine.keeper.give(cross)
    is_publishing, go_on = Event(), Event()

    def publish_slowly(_stats, *, clock):
        if engine.loop.counts.executed:
            is_publishing.set()
            go_on.wait(30)

    monkeypatch.setattr("strategies.engine.loop.publish_stats", publish_slowly)

    async def scene():
        await until(lambda: engine.feeds.wanted == BOTH)
        offer(engine)
        await until(is_publishing.is_set)
        asyncio.get_running_loop().call_later(0.1, go_on.set)

    play(engine, scene)

    assert Run.objects.get().execution_count == engine.loop.counts.executed == 1


@pytest.mark.usefixtures("one_trade")
def test_figures_that_cannot_be_published_keep_nothing_from_being_written_down(
    engine, cross, monkeypatch
):
    def fail(_stats, *, clock):
        raise RuntimeError("no figures")

    monkeypatch.setattr(loops, "publish_stats", fail)
    engine.keeper.give(cross)

    async def scene():
        await until(lambda: engine.feeds.wanted == BOTH)
        offer(engine)
        await until(lambda: engine.loop.counts.executed)

    play(engine, scene)

    assert Run.objects.get().execution_count == engine.loop.counts.executed == 1


def test_figures_and_findings_are_passed_on_every_second(engine, cross):
    engine.keeper.give(cross)
    seen = []

    async def scene():
        await until(lambda: engine.feeds.wanted == BOTH)
        offer(engine)
        await until(lambda: engine.loop.counts.executed)
        await until(lambda: Stage.FILL in (stats() or SimpleNamespace(stages={})).stages)
        seen.append(stats())

    def stats():
        return next(iter(list_stats()), None)

    play(engine, scene)

    (figures,) = seen
    assert (figures.name, figures.strategies) == ("here", (cross.pk,))
    assert set(figures.stages) >= {Stage.DECISION, Stage.COMMIT, Stage.SEND, Stage.ACK, Stage.FILL}
    assert figures.feeds == {"healthy": 2}
    assert figures.rss_bytes > 0
    assert list_stats() == []
    cross.refresh_from_db()
    assert cross.last_decision["executed"] or cross.last_decision["rejections"]


def test_a_closed_gate_is_told_and_an_open_one_decided_on_at_once(engine, cross):
    engine.keeper.give(cross)

    async def scene():
        await until(lambda: engine.feeds.wanted == BOTH)
        engine.feeds.show("alpha")
        engine.feeds.show("beta")
        engine.feeds.move("beta", FeedState.RESYNCING)
        offer_quietly()
        await until(lambda: engine.loop.counts.decided > 2)
        assert engine.loop.counts.executed == 0
        engine.feeds.move("beta", FeedState.HEALTHY)
        await until(lambda: engine.loop.counts.executed)

    def offer_quietly():
        engine.venues["alpha"].set_book("BTC/USDT", bids=[("49990", "1")], asks=[("50000", "1")])
        engine.venues["beta"].set_book("BTC/USDT", bids=[("50500", "1")], asks=[("50510", "1")])
        engine.feeds.show("alpha")
        engine.feeds.live["beta", "BTC/USDT"].replace(
            [["50500", "1"]], [["50510", "1"]], received_at_ms=SYSTEM_CLOCK.now_ms()
        )

    play(engine, scene)

    assert Execution.objects.order_by("pk")[0].state == ExecutionState.COMPLETED


REASONS = {
    "en": (
        "The book of BTC/USDT on beta is not decided on, since its feed is {}. It is read anew by "
        "itself; if that lasts, look at the page of the feeds. Reason: {}"
    ),
    "zh-hans": (
        "不根据 beta 上 BTC/USDT 的订单簿做决策，因为其行情源状态为“{}”。它会自动重新读取；"
        "若持续如此，请查看行情源页面。原因：{}"
    ),
}


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("connecting", "There has been no book yet.", "resyncing", "The feed was closed.")),
        ("zh-hans", ("连接中", "还没有收到订单簿。", "重新同步中", "行情源已关闭。")),
    ],
)
def test_why_a_book_is_not_decided_on_is_told_in_words(engine, language, words):
    loop = engine.loop
    untold = loop.reason("beta", "BTC/USDT")
    loop.feed_changed(FeedStatus("beta", "BTC/USDT", FeedState.RESYNCING, CLOSED, since_ms=0))
    told = loop.reason("beta", "BTC/USDT")

    with translation.override(language):
        assert render(untold.message) == REASONS[language].format(*words[:2])
        assert render(told.message) == REASONS[language].format(*words[2:])


def test_what_is_not_held_any_more_is_neither_fed_nor_decided_on(engine, cross, monkeypatch):
    monkeypatch.setattr(reminders, "EXPLAIN_EVERY_MS", 600_000)  # nothing to decide at times
    engine.keeper.give(cross)

    async def scene():
        await until(lambda: engine.feeds.wanted == BOTH)
        await until(lambda: not engine.keeper.is_busy(cross.pk))
        engine.keeper.take(cross)
        assert engine.keeper.is_busy(cross.pk) is False
        await until(lambda: engine.feeds.wanted == {})
        offer(engine)
        engine.feeds.listener.book_changed(LiveBook("alpha", "BTC/USDT"))
        await asyncio.sleep(0)

    play(engine, scene)

    assert not Opportunity.objects.exists()


def test_a_strategy_is_busy_while_a_thread_decides_for_it(engine, hooked):
    gate, inside = Event(), Event()

    def hold_up():
        inside.set()
        gate.wait(TIMEOUT_S)

    engine.keeper.give(hooked)
    Hooked.hook = hold_up

    async def scene():
        await until(inside.is_set)
        assert engine.keeper.is_busy(hooked.pk) is True
        engine.keeper.take(hooked)
        await asyncio.sleep(0.05)
        assert engine.keeper.is_busy(hooked.pk) is True
        gate.set()
        await until(lambda: not engine.keeper.is_busy(hooked.pk))

    try:
        play(engine, scene)
    finally:
        gate.set()


def test_a_strategy_that_leaves_in_the_middle_of_a_decision_is_busy_at_every_moment(
    engine, hooked, monkeypatch
):
    gate, inside = Event(), Event()
    answers: list[bool] = []
    asking: list[bool] = []

    class Asked(Decider):
        """Has somebody ask whether it is busy whenever it is looked at."""

        @property
        def strategy_id(self):
            if inside.is_set() and not gate.is_set() and not asking:
                asking.append(True)
                answers.append(engine.loop.is_busy(hooked.pk))
                asking.clear()
            return hooked.pk

        @strategy_id.setter
        def strategy_id(self, value):
            assert value == hooked.pk

    def hold_up():
        inside.set()
        gate.wait(TIMEOUT_S)

    monkeypatch.setattr(loops, "Decider", Asked)
    engine.keeper.give(hooked)
    Hooked.hook = hold_up

    async def scene():
        await until(inside.is_set)
        engine.keeper.take(hooked)
        await asyncio.sleep(0.05)
        gate.set()
        await until(lambda: not engine.keeper.is_busy(hooked.pk))

    try:
        play(engine, scene)
    finally:
        gate.set()

    assert answers
    assert all(answers)


def test_a_strategy_that_is_lost_twice_is_busy_until_both_decisions_have_ended(engine, hooked):
    gates, inside = [Event(), Event()], [Event(), Event()]
    turns = iter(zip(inside, gates, strict=True))

    def hold_up():
        entered, gate = next(turns, (Event(), Event()))
        entered.set()
        gate.wait(TIMEOUT_S if entered in inside else 0)

    engine.keeper.give(hooked)
    Hooked.hook = hold_up

    async def scene():
        await until(inside[0].is_set)
        engine.keeper.take(hooked)
        await beside(lambda: engine.keeper.give(hooked))
        engine.keeper.on_change(frozenset(engine.keeper.leases))
        await until(inside[1].is_set)
        engine.keeper.take(hooked)
        gates[1].set()
        await asyncio.sleep(0.3)
        assert engine.keeper.is_busy(hooked.pk) is True
        gates[0].set()
        await until(lambda: not engine.keeper.is_busy(hooked.pk))

    try:
        play(engine, scene)
    finally:
        for gate in gates:
            gate.set()

    assert Run.objects.get().tick_count == engine.loop.counts.decided == 2


def test_an_engine_ends_its_feeds_whatever_else_fails(engine, cross, monkeypatch, caplog):
    def fail(_name):
        raise RuntimeError("no figures")

    monkeypatch.setattr(loops, "withdraw_stats", fail)
    engine.keeper.give(cross)

    async def scene():
        await until(lambda: engine.feeds.wanted == BOTH)

    play(engine, scene)

    assert engine.feeds.is_closed
    assert "a part of the engine did not end in order" in caplog.text


def test_what_is_told_while_the_engine_ends_is_not_begun(engine, cross, monkeypatch):
    def give_late(_name):
        engine.keeper.on_change(frozenset([cross.pk]))

    monkeypatch.setattr(loops, "withdraw_stats", give_late)
    engine.keeper.give(cross)

    async def scene():
        await until(lambda: engine.feeds.wanted == BOTH)

    play(engine, scene)

    assert engine.loop.stats().strategies == ()


def test_a_venue_that_is_switched_off_is_fed_no_more(engine, cross):
    engine.keeper.give(cross)

    async def scene():
        await until(lambda: engine.feeds.wanted == BOTH)
        await beside(switch_off)
        await until(lambda: engine.feeds.wanted == {"alpha": {"BTC/USDT"}})
        await until(lambda: engine.loop.counts.decided > 3)

    def switch_off():
        venue = Venue.objects.get(code="beta")
        venue.is_enabled = False
        venue.save()

    play(engine, scene)

    cross.refresh_from_db()
    assert {item["venue"] for item in cross.last_decision["missing_books"]} >= {"beta"}


def test_a_strategy_that_cannot_be_read_is_counted_as_failing_and_stopped(engine, cross):
    engine.keeper.give(cross)
    Strategy.objects.update(params={"symbols": []})
    SETUPS.clear()

    def wait_for_fault():
        deadline_s = time.monotonic() + TIMEOUT_S
        while Strategy.objects.get().state != StrategyState.FAULTED:
            assert time.monotonic() < deadline_s
            time.sleep(0.05)

    play(engine, lambda: beside(wait_for_fault))

    assert not Opportunity.objects.exists()


def test_what_was_read_before_an_execution_is_not_decided_on_after_it(engine, cross, monkeypatch):
    stale: list[Any] = []
    told: list[Any] = []

    def read_slowly(**wanted):
        readings = read_stream_bases(**wanted)
        if engine.loop.counts.decided and not stale:
            stale.append(readings.bases[cross.pk])
            deadline_s = time.monotonic() + TIMEOUT_S
            while not engine.loop.counts.executed and time.monotonic() < deadline_s:
                time.sleep(0.01)
        return readings

    class Watched(Decider):
        def install(self, basis):
            told.append(basis)
            return super().install(basis)

    monkeypatch.setattr(refreshing, "read_stream_bases", read_slowly)
    monkeypatch.setattr(loops, "Decider", Watched)
    engine.keeper.give(cross)

    async def scene():
        await until(lambda: engine.feeds.wanted == BOTH)
        await until(lambda: stale)
        offer(engine)
        await until(lambda: engine.loop.counts.executed)
        count = len(told)
        await until(lambda: len(told) > count + 1)

    play(engine, scene)

    assert stale[0] not in told


def test_a_reading_that_cannot_be_used_is_not_the_last_one(engine, cross, monkeypatch):
    failures: list[Any] = []

    class Failing(Decider):
        def install(self, basis):
            if not failures:
                failures.append(basis)
                raise RuntimeError("a bug of a plugin")
            return super().install(basis)

    monkeypatch.setattr(loops, "Decider", Failing)
    engine.keeper.give(cross)

    async def scene():
        await until(lambda: engine.feeds.wanted == BOTH)
        await until(lambda: engine.loop.counts.decided)

    play(engine, scene)

    cross.refresh_from_db()
    assert failures
    assert cross.state == StrategyState.RUNNING


def test_strategies_on_other_venues_trade_while_a_venue_holds_every_decider(
    engine, cross, accounts, start, monkeypatch
):
    monkeypatch.setattr(loops, "DECIDERS", 1)
    monkeypatch.setattr(loops, "RESERVE", 0)
    monkeypatch.setattr(loops, "SPARES", 1)
    monkeypatch.setattr(crews, "HANG_S", 0.0)
    other = create_strategy(
        name="elsewhere",
        slug="triangular",
        params={
            "assets": ["BTC", "ETH", "USDT"],
            "max_start_amount": "20000",
            **PATIENT_BOOKS,
        },
        account_ids=[accounts[1].pk],
    )
    start(other)
    is_there, go_on = Event(), Event()

    def hang(_request):
        is_there.set()
        go_on.wait(TIMEOUT_S)

    engine.venues["alpha"].before_submit = hang
    engine.keeper.give(cross)
    engine.keeper.give(other)

    async def scene():
        symbols = {"BTC/USDT", "ETH/BTC", "ETH/USDT"}
        await until(lambda: engine.feeds.wanted == {"alpha": {"BTC/USDT"}, "beta": symbols})
        for symbol in symbols:
            engine.feeds.show("beta", symbol)
        offer(engine)
        await until(is_there.is_set)
        engine.venues["beta"].set_book("ETH/BTC", bids=[("0.0489", "9")], asks=[("0.049", "9")])
        engine.venues["beta"].set_book("ETH/USDT", bids=[("2600", "9")], asks=[("2601", "9")])
        engine.feeds.show("beta", "ETH/BTC")
        engine.feeds.show("beta", "ETH/USDT")
        await until(lambda: engine.loop.counts.executed)
        assert not go_on.is_set()
        go_on.set()

    play(engine, scene)

    assert Execution.objects.filter(strategy=other, state=ExecutionState.COMPLETED).exists()


@pytest.fixture
def failing(db):
    """A venue that has answered none of five calls of this process."""
    server = ScriptedServer(lambda _request: Reply({}, status=503))
    with server.running():
        venue = Venue(code="far", ccxt_id="binance", rest_origin=server.url)
        for _ in range(FAILURES_MIN):
            with pytest.raises(VenueUnavailable):
                factory.gateway_for(venue.to_spec()).fetch_time_ms()
        yield venue


def test_an_engine_tells_others_of_a_venue_that_answers_none_of_its_calls(
    failing, engine, redis_server, settings
):
    settings.REDIS_URL = redis_server.url

    async def scene():
        await until(lambda: read_shared_pulses(failing))

    play(engine, scene)

    [pulse] = read_shared_pulses(failing)
    assert pulse.failures == FAILURES_MIN
