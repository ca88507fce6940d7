"""Who listens to which account, and what comes of what is heard."""

import asyncio
from decimal import Decimal
from queue import SimpleQueue
from threading import Event

import pytest
from django.db import OperationalError

from accounts.models import VenueAccount
from arbplatform.core.clock import FixedClock
from markets.domain.orders import Side, VenueFill, VenueOrder, VenueOrderStatus
from markets.gateway.base import Credentials, VenueSpec
from strategies.engine import accounts as module
from strategies.engine.accounts import AccountStreams
from strategies.engine.crew import Crew
from strategies.engine.loop import EARS, EARS_RESERVE
from strategies.services.account_keys import AccountKey, read_account_keys

pytestmark = pytest.mark.django_db


def order(venue_order_id="7", client_order_id="ours"):
    return VenueOrder(
        venue_order_id=venue_order_id,
        client_order_id=client_order_id,
        symbol="BTC/USDT",
        side=Side.BUY,
        status=VenueOrderStatus.FILLED,
        quantity=Decimal(1),
        filled_quantity=Decimal(1),
    )


def fill(venue_order_id="7"):
    return VenueFill(
        venue_trade_id="1",
        venue_order_id=venue_order_id,
        symbol="BTC/USDT",
        side=Side.BUY,
        price=Decimal(1),
        quantity=Decimal(1),
        fee=None,
        fee_asset=None,
        is_maker=None,
        executed_at_ms=0,
    )


class Heard:
    """Private streams that a test plays, and what was done because of them."""

    def __init__(self, keys):
        self.keys = keys
        self.listeners = {}
        self.closed = []
        self.jobs = []
        self.deaf = set()
        self.hanging = {}
        self.is_away = False

    def open_stream(self, spec, credentials, listener):
        heard, name = self, spec.code
        if name in self.deaf:
            raise ValueError("this venue has no such thing")

        class Stream:
            async def close(self):
                heard.closed.append(name)

        self.listeners[name] = listener
        return Stream()

    async def run(self, job, *, is_urgent):
        job = getattr(job, "job", job)
        if job.func is read_account_keys:
            return list(self.keys)
        self.jobs.append((job.func.__name__, job.args, job.keywords))
        if self.is_away:
            raise OperationalError("no database")
        hanging = self.hanging.get(job.keywords.get("account_id"))
        if hanging is not None:
            await hanging
        return None

    async def until(self, is_so):
        async with asyncio.timeout(30):
            while not is_so():  # noqa: ASYNC110
                await asyncio.sleep(0.001)


@pytest.fixture
def keys(accounts):
    rows = VenueAccount.objects.select_related("venue").order_by("pk")[:2]
    return [AccountKey(row.pk, row.venue.to_spec(), row.to_credentials()) for row in rows]


@pytest.fixture
async def heard(keys, monkeypatch):
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    monkeypatch.setattr(module, "QUIET_MS", 0)
    made = Heard(keys)
    streams = AccountStreams(held=lambda: [1], run=made.run, open_stream=made.open_stream)
    await made.until(lambda: len(made.listeners) == 2)
    yield made
    await streams.close()


async def test_an_event_about_an_order_has_it_looked_up_once(heard, keys):
    listener = heard.listeners[keys[0].spec.code]

    listener.order_changed(order())
    listener.order_changed(order())
    listener.fill_happened(fill())
    await heard.until(lambda: len(heard.jobs) >= 2)

    same = {"account_id": keys[0].account_id, "venue_order_id": "7"}
    assert heard.jobs == [
        ("follow_event", (), same | {"client_order_id": "ours"}),
        ("follow_event", (), same | {"client_order_id": ""}),
    ]


async def test_while_the_database_is_away_events_wait_and_fill_no_log(
    heard, keys, monkeypatch, caplog
):
    monkeypatch.setattr(module, "AWAY_S", 0.05)
    listener = heard.listeners[keys[0].spec.code]
    heard.is_away = True

    listener.order_changed(order())
    listener.fill_happened(fill())
    await heard.until(lambda: heard.jobs)
    heard.is_away = False
    await heard.until(lambda: len(heard.jobs) == 2)

    (said,) = [record for record in caplog.records if record.name == module.__name__]
    assert (said.levelname, said.exc_info) == ("WARNING", None)
    assert said.message.endswith("could not be followed, the database is away: no database")


async def test_a_balance_that_no_order_explains_has_the_account_compared_once(heard, keys):
    listener = heard.listeners[keys[1].spec.code]

    listener.balance_changed()
    listener.balance_changed()
    await heard.until(lambda: heard.jobs)
    await asyncio.sleep(0)

    ids = {"account_id": keys[1].account_id}
    assert heard.jobs == [("enqueue_on_commit", ("ledger.reconcile_account",), ids)]


async def test_an_account_that_is_not_used_any_more_is_not_listened_to(heard, keys):
    heard.keys = keys[:1]

    await heard.until(lambda: heard.closed)

    assert heard.closed == [keys[1].spec.code]


async def test_a_venue_that_does_not_answer_keeps_no_event_of_another_one(heard, keys):
    slow, quick = (key.account_id for key in keys)
    heard.hanging[slow] = asyncio.get_running_loop().create_future()
    first, second = (heard.listeners[key.spec.code] for key in keys)

    first.order_changed(order("1"))
    first.order_changed(order("2"))
    second.order_changed(order("3"))
    await heard.until(lambda: len(heard.jobs) == 2)

    followed = [(job[2]["account_id"], job[2]["venue_order_id"]) for job in heard.jobs]
    assert followed == [(slow, "1"), (quick, "3")]

    heard.hanging.pop(slow).set_result(None)
    await heard.until(lambda: len(heard.jobs) == 3)
    assert heard.jobs[2][2]["venue_order_id"] == "2"


async def test_events_that_wait_for_one_venue_take_no_room_from_anothers(heard, keys, monkeypatch):
    monkeypatch.setattr(module, "EVENTS_MAX", 2)
    slow = keys[0].account_id
    heard.hanging[slow] = asyncio.get_running_loop().create_future()
    first, second = (heard.listeners[key.spec.code] for key in keys)
    first.order_changed(order("0"))
    await heard.until(lambda: heard.jobs)

    for number in range(1, 5):
        first.order_changed(order(str(number)))
    second.order_changed(order("9"))
    await heard.until(lambda: len(heard.jobs) == 2)
    heard.hanging.pop(slow).set_result(None)
    await heard.until(lambda: len(heard.jobs) == 4)

    assert [job[2]["venue_order_id"] for job in heard.jobs] == ["0", "9", "1", "2"]


SLOW_VENUES = 12


def key_of(number):
    spec = VenueSpec(f"v{number}", "binance")
    return AccountKey(number, spec, Credentials("key", "secret"))


class Venues:
    """Orders are looked up at venues that answer when the test says so, in real threads."""

    def __init__(self, clock):
        self.clock = clock
        self.asked: SimpleQueue[tuple[int, str]] = SimpleQueue()
        self.is_slow = set()
        self.hanging = set()
        self.go_on = Event()

    def follow(self, *, account_id, client_order_id, venue_order_id):
        self.asked.put((account_id, venue_order_id))
        if account_id in self.is_slow:
            self.clock.advance_ms(module.SLOW_MS + 1)
        if account_id in self.hanging:
            assert self.go_on.wait(30)


@pytest.fixture
async def many(monkeypatch):
    """An engine's streams of many accounts, each at its own venue, with its threads."""
    clock = FixedClock(0)
    venues = Venues(clock)
    made = Heard([key_of(number) for number in range(1, SLOW_VENUES + 2)])
    monkeypatch.setattr(module, "read_account_keys", lambda *, strategy_ids: made.keys)
    monkeypatch.setattr(module, "follow_event", venues.follow)
    crew = Crew(EARS, name="ear", reserve=EARS_RESERVE)
    streams = AccountStreams(
        held=lambda: [1], run=crew.run, open_stream=made.open_stream, clock=clock
    )
    await made.until(lambda: len(made.listeners) == SLOW_VENUES + 1)

    def tell(number, venue_order_id):
        made.listeners[f"v{number}"].order_changed(order(venue_order_id))

    yield venues, tell, made.until
    venues.go_on.set()
    await streams.close()
    assert await crew.close(timeout_s=5)


async def test_venues_that_hang_as_one_leave_threads_to_the_others(many):
    venues, tell, until = many
    venues.hanging = {1, 2, 3}
    for number in venues.hanging:
        tell(number, "1")
    await until(lambda: venues.asked.qsize() == 3)

    tell(SLOW_VENUES + 1, "9")

    await until(lambda: venues.asked.qsize() == 4)


async def test_venues_that_were_slow_share_a_part_of_the_threads_however_many_they_are(many):
    venues, tell, until = many
    slow, quick = range(1, SLOW_VENUES + 1), SLOW_VENUES + 1
    venues.is_slow = set(slow)
    for count, number in enumerate(slow, 1):
        tell(number, "1")
        await until(lambda count=count: venues.asked.qsize() == count)
    venues.is_slow, venues.hanging = set(), set(slow)
    for number in slow:
        tell(number, "2")
    await until(lambda: venues.asked.qsize() == SLOW_VENUES + EARS - EARS_RESERVE)

    tell(quick, "1")
    await until(lambda: venues.asked.qsize() == SLOW_VENUES + EARS - EARS_RESERVE + 1)
    venues.go_on.set()
    await until(lambda: venues.asked.qsize() == 2 * SLOW_VENUES + 1)

    asked = [venues.asked.get() for _each in range(2 * SLOW_VENUES + 1)]
    assert asked[SLOW_VENUES + EARS - EARS_RESERVE] == (quick, "1")


async def test_an_account_that_cannot_be_listened_to_keeps_no_other_from_it(
    keys, monkeypatch, caplog
):
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    made = Heard(keys)
    made.deaf.add(keys[0].spec.code)
    streams = AccountStreams(held=lambda: [1], run=made.run, open_stream=made.open_stream)

    await made.until(lambda: made.listeners)
    await streams.close()

    assert list(made.listeners) == [keys[1].spec.code]
    assert "ValueError" in caplog.text
    assert "no such thing" not in caplog.text


def test_only_accounts_that_may_be_used_are_listened_to(streams, db):
    strategy_ids = [row.pk for row in streams]
    before = read_account_keys(strategy_ids=strategy_ids)
    VenueAccount.objects.filter(pk=before[0].account_id).update(is_enabled=False)

    after = read_account_keys(strategy_ids=strategy_ids)

    assert [key.account_id for key in after] == [key.account_id for key in before[1:]]
    assert before[0].credentials.api_key not in repr(before[0])
    assert read_account_keys(strategy_ids=[]) == []
