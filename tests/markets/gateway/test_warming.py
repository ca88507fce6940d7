"""While somebody trades, orders find connections open, and wait for nothing that keeps them so."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal as D
from typing import Any

import ccxt
import pytest

from markets.domain.health import VenueState
from markets.domain.orders import OrderRequest, Side
from markets.errors import OutcomeUnknown
from markets.gateway import factory, warming
from markets.gateway.base import Credentials, VenueGateway, VenueSpec
from markets.gateway.client import build_client
from markets.gateway.connections import Connections
from markets.gateway.limiter import RateLimiter, Urgency
from markets.gateway.pulses import PulseCounter
from markets.gateway.warming import Warmer
from tests.markets.fakes.server import Misbehaviour, Reply, Request, ScriptedServer
from tests.markets.fakes.stage import FakeStage, kraken_stage, okx_stage
from tests.processes import wait_until

SYMBOL = "BTC/USDT"
REQUEST = OrderRequest(SYMBOL, Side.BUY, D("0.01"), "a1", price=D(60_000))
WARM = 3
STAGES = {"kraken": kraken_stage, "okx": okx_stage}
ORDER_PATHS = ("private/AddOrder", "trade/order", "trade/batch-orders")


@pytest.fixture(autouse=True)
def _warm(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(warming, "LOOK_S", 0.01)
    factory.configure(timeout_ms=10_000, warm_count=WARM)
    yield
    factory.close_all()
    wait_until(lambda: not _threads(), "the threads that keep connections warm end")
    factory.configure(timeout_ms=factory.TIMEOUT_MS)


@pytest.fixture(params=sorted(STAGES))
def stage(request: pytest.FixtureRequest) -> Iterator[FakeStage]:
    """A venue that wants requests of one key one after the other, and one that does not."""
    with STAGES[request.param]() as stage:
        stage.set_book(SYMBOL, bids=[("59990", "1")], asks=[("60000", "1")])
        yield stage


@pytest.fixture
def gateway(stage: FakeStage) -> VenueGateway:
    return factory.gateway_for(stage.spec, stage.credentials)


def _threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "warming"]


def _is_question(request: Request) -> bool:
    return "time" in request.path.lower()


def _questions(server: ScriptedServer) -> list[Request]:
    return [each for each in server.requests if _is_question(each)]


def _orders(server: ScriptedServer) -> list[Request]:
    return [each for each in server.requests if each.path.endswith(ORDER_PATHS)]


def _found_open(server: ScriptedServer) -> bool:
    """Return whether each order left over a connection that had brought an answer before."""
    proven: set[int] = set()
    found = []
    for request in list(server.requests):
        if request.path.endswith(ORDER_PATHS):
            found.append(request.connection in proven)
        proven.add(request.connection)
    return bool(found) and all(found)


def _catalog(gateway: Any) -> Any:
    return gateway._session.catalog


def _is_warm(gateway: Any, server: ScriptedServer) -> bool:
    ages_ms = [_catalog(gateway).connections.ages_ms(each) for each in _origins(gateway)]
    return any(len(ages) >= WARM for ages in ages_ms) and server.open_count >= WARM


def _origins(gateway: Any) -> set[Any]:
    return {each.origin for each in _catalog(gateway).connections._idle}


def _warmed(gateway: Any, server: ScriptedServer) -> VenueGateway:
    """Return the gateway with its connections open and the markets known."""
    gateway.fetch_markets()
    gateway.keep_warm()
    wait_until(lambda: _is_warm(gateway, server), "connections are opened")
    return gateway  # type: ignore[no-any-return]


@pytest.fixture
def hold(stage: FakeStage) -> Iterator[Callable[[], threading.Event]]:
    """Let the venue answer no question for its time until the test ends."""
    respond, freed, asked = stage.venue.server.respond, threading.Event(), threading.Event()

    def slowly(request: Request) -> Reply:
        if _is_question(request):
            asked.set()
            freed.wait(30)
        return respond(request)

    def start() -> threading.Event:
        stage.venue.server.respond = slowly
        return asked

    yield start
    freed.set()


def test_connections_are_open_and_have_answered_before_the_first_order(
    stage: FakeStage, gateway: VenueGateway
) -> None:
    server = stage.venue.server
    _warmed(gateway, server)

    gateway.submit_order(REQUEST)

    assert _found_open(server)


def test_orders_at_the_same_time_find_a_connection_each() -> None:
    with okx_stage() as stage:
        stage.set_book(SYMBOL, bids=[("59990", "1")], asks=[("60000", "1")])
        server = stage.venue.server
        gateway = factory.gateway_for(stage.spec, stage.credentials)
        _warmed(gateway, server)
        both = threading.Barrier(2)

        def send(number: int) -> None:
            def let_go(write: Callable[[], None]) -> bool:
                both.wait(30)  # each stands at its connection by now
                write()
                return True

            gateway.submit_order(replace(REQUEST, client_order_id=f"b{number}", let_go=let_go))

        with ThreadPoolExecutor(2) as threads:
            list(threads.map(send, range(2)))

        assert len({each.connection for each in _orders(server)}) == 2
        assert _found_open(server)


def test_connections_that_the_venue_has_closed_are_open_again_before_the_order(
    stage: FakeStage, gateway: VenueGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warming, "EVERY_MS", 3_600_000)  # not because they were silent for long
    server = stage.venue.server
    _warmed(gateway, server)
    before = {each.connection for each in server.requests}

    server.hang_up()
    wait_until(
        lambda: (
            {each.connection for each in server.requests} - before and _is_warm(gateway, server)
        ),
        "they are opened again",
    )
    gateway.submit_order(REQUEST)

    assert _found_open(server)
    assert not {each.connection for each in _orders(server)} & before


def test_an_order_does_not_wait_for_the_answer_to_a_question(
    stage: FakeStage,
    gateway: VenueGateway,
    hold: Callable[[], threading.Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = stage.venue.server
    _warmed(gateway, server)
    asked = hold()
    monkeypatch.setattr(warming, "EVERY_MS", 0)
    assert asked.wait(30)

    gateway.submit_order(REQUEST)  # the question is not answered yet

    asking = _questions(server)[-1].connection
    assert asking not in {each.connection for each in _orders(server)}
    assert _found_open(server)


def test_connections_that_are_silent_for_long_are_asked_in_turn(
    stage: FakeStage, gateway: VenueGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = stage.venue.server
    _warmed(gateway, server)
    count = len(_questions(server))
    assert count <= WARM  # one for each, and not again: they were just used

    monkeypatch.setattr(warming, "EVERY_MS", 0)
    wait_until(lambda: len(_questions(server)) >= count + 2 * WARM, "they are asked")

    later = _questions(server)[count : count + 2 * WARM]
    assert len({each.connection for each in later}) == WARM
    assert server.open_count == WARM


def test_when_nobody_wants_them_any_more_nothing_is_asked(
    stage: FakeStage, gateway: VenueGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.keep_warm()  # type: ignore[attr-defined]  # of the real ones
    assert _threads()

    monkeypatch.setattr(warming, "WANTED_MS", 0)
    gateway.keep_warm()  # type: ignore[attr-defined]
    wait_until(lambda: not _threads(), "the thread ends")

    monkeypatch.setattr(warming, "WANTED_MS", 60_000)
    server = stage.venue.server
    server.hang_up()
    _warmed(gateway, server)  # and whoever wants them later has them again


def test_one_thread_serves_a_venue_however_many_want_it(
    stage: FakeStage, gateway: VenueGateway
) -> None:
    other = factory.gateway_for(stage.spec, Credentials("other", "c2VjcmV0", "phrase"))
    for each in (gateway, other, gateway):
        each.keep_warm()  # type: ignore[attr-defined]

    assert len(_threads()) == 1


def test_without_a_wish_for_warm_connections_none_is_opened(stage: FakeStage) -> None:
    factory.configure(timeout_ms=10_000, warm_count=0)
    gateway: Any = factory.gateway_for(stage.spec, stage.credentials)

    gateway.keep_warm()

    assert not _threads()
    assert not stage.venue.server.requests


def test_a_venue_behind_a_proxy_is_asked_once_and_left_as_it_is(stage: FakeStage) -> None:
    server = stage.venue.server
    spec = replace(stage.spec, options={"httpProxy": server.url})  # it is its own
    gateway: Any = factory.gateway_for(spec, stage.credentials)

    gateway.keep_warm()
    wait_until(lambda: not _threads(), "the thread ends")
    gateway.keep_warm()

    assert not _threads()
    assert len(_questions(server)) == 1


def test_an_order_whose_warm_connection_breaks_is_unknown_and_not_sent_again(
    stage: FakeStage, gateway: VenueGateway
) -> None:
    server = stage.venue.server
    _warmed(gateway, server)
    for path in ORDER_PATHS:
        server.misbehave(Misbehaviour.RESET, at=path)

    with pytest.raises(OutcomeUnknown):
        gateway.submit_order(REQUEST)

    assert len(_orders(server)) == 1


def test_what_is_closed_stays_closed(stage: FakeStage, gateway: VenueGateway) -> None:
    server = stage.venue.server
    _warmed(gateway, server)

    factory.close_all()

    wait_until(lambda: server.open_count == 0, "connections are closed")
    wait_until(lambda: not _threads(), "the thread ends")
    gateway.keep_warm()  # type: ignore[attr-defined]  # who still has the old one
    assert not _threads()


class Clock:
    """A client whose venue's time is asked for."""

    id = "alpha"
    has = {"fetchTime": True}

    def __init__(self, answer: Callable[[], None]) -> None:
        self._answer = answer
        self.asked = self.sent_count = 0

    def begin_call(self) -> None:
        pass

    def fetch_time(self) -> None:
        self._answer()
        self.asked += 1


def _step(
    answer: Callable[[], None], *, is_barred: Callable[[], bool] = lambda: False
) -> tuple[Clock, Callable[[], float]]:
    """Return a client and what lets its connections be looked after once; the pause [s]."""
    kept = Connections()
    warmer = Warmer("alpha", kept, lambda _door: None, count=WARM, is_barred=is_barred)
    client, door = Clock(answer), warming._StalestFirst(kept, WARM)
    return client, lambda: warmer._see_to(client, door)


def test_connections_that_are_not_kept_are_tried_less_and_less_often_and_it_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    client, step = _step(lambda: None)  # no connection comes back

    pauses_s = [step() for _ in range(7)]

    assert pauses_s == [0.02, 0.04, 0.08, 0.16, 0.32, 0.32, 0.32]
    assert client.asked == 7
    assert [each.getMessage() for each in caplog.records] == [
        "alpha: no connection can be kept open, so orders have to open theirs and arrive late"
    ]


def test_a_venue_that_is_blocked_is_asked_nothing_until_it_is_not() -> None:
    pulse = PulseCounter()
    client, step = _step(lambda: None, is_barred=lambda: pulse.is_blocked)
    pulse.heed(VenueState.BLOCKED, 1)

    assert step() == warming.LOOK_S
    assert client.asked == 0

    pulse.heed(VenueState.HEALTHY, 2)
    step()
    assert client.asked == 1


def test_while_the_budget_is_short_orders_have_it_all() -> None:
    limiter = RateLimiter(1_000.0, now_ms=lambda: 0.0)
    limiter.acquire(3)  # two of five seconds are left
    client, step = _step(lambda: limiter.acquire(urgency=Urgency.READ))

    pause_s = step()

    assert client.asked == 0
    assert pause_s > warming.LOOK_S
    limiter.acquire(2)  # an order's


HOSTS_OF_ORDERS = {
    "binance": "privatePostOrder",
    "bitget": "privateSpotPostV2SpotTradePlaceOrder",
    "bybit": "privatePostV5OrderCreate",
    "gate": "privateSpotPostOrders",
    "kraken": "privatePostAddOrder",
    "okx": "privatePostTradeOrder",
}


@pytest.mark.parametrize("ccxt_id", sorted(HOSTS_OF_ORDERS))
def test_the_time_is_asked_where_orders_are_sent_to(ccxt_id: str) -> None:
    key = Credentials("key", "c2VjcmV0", "phrase")
    client = build_client(VenueSpec("alpha", ccxt_id), key, timeout_ms=1_000)
    hosts = []

    def note(url: str, *_rest: Any) -> Any:
        hosts.append(url.split("/")[:3])
        raise ccxt.NetworkError

    client.fetch = note
    for call in (client.fetch_time, getattr(client, HOSTS_OF_ORDERS[ccxt_id])):
        with pytest.raises(ccxt.NetworkError):
            call()

    assert hosts[0] == hosts[1]
    assert hosts[0][0] == "https:"
