"""Hears what venues tell the accounts of the strategies that an engine holds.

An event about an order of ours has it looked up at once, in a thread; nothing is booked from the
event itself. A balance that changed without any order of ours is a hint that somebody else did
something: the account is compared with its venue soon.

A venue that hangs keeps threads waiting for as long as requests may take, so it gets few of them:
two at first, and from its first slow answer on one, of those that slow venues have in common.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol

from arbplatform.background.commit import enqueue_on_commit
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.persistence.retries import is_away
from ledger.services.venue_events import follow_event
from markets.domain.orders import VenueFill, VenueOrder
from markets.feed.private import PrivateListener, PrivateStream
from markets.gateway.base import Credentials, VenueSpec
from strategies.engine.ports import Job
from strategies.services.account_keys import AccountKey, read_account_keys

logger = logging.getLogger(__name__)

LOOK_S: Final = 5.0
"""How often it is looked whose accounts are to be heard [s]."""
EVENTS_MAX: Final = 200
"""Events of one account that wait to be followed; further ones are left to the sweeps."""
QUIET_MS: Final = 5_000
"""So far from any event of an order, a balance has changed without one [ms]."""
AWAY_S: Final = 1.0
"""So long the events of an account wait after the database could not be used [s]."""
COMPARE_EVERY_MS: Final = 60_000
"""An account is compared at such a hint so often at most [ms]."""
AT_ONCE: Final = 2
"""Orders that are looked up at one venue at the same time."""
SLOW_MS: Final = 2_000
"""A venue whose last look-up took longer is slow [ms]; usual are some tenths of a second."""

Event = tuple[int, str, str]
"""Id of the account, our id of the order and the venue's; one of them may be empty."""
OpenStream = Callable[[VenueSpec, Credentials, PrivateListener], PrivateStream]


class Run(Protocol):
    """Has a thread do something that blocks, as ``crew.Crew.run``."""

    def __call__(self, job: Job, *, is_urgent: bool) -> Awaitable[Any]:
        """Return what ``job`` returns; what is not urgent does not get the last threads."""


class AccountEar:
    """Listens for one account.

    Args:
        account_id: whose events they are.
        note: takes an event to be followed.
        hint: takes the id of an account to be compared.
        clock: tells the time.
    """

    def __init__(
        self,
        account_id: int,
        *,
        note: Callable[[Event], None],
        hint: Callable[[int], None],
        clock: Clock,
    ) -> None:
        self._account_id = account_id
        self._note = note
        self._hint = hint
        self._clock = clock
        self._order_ms = -float(QUIET_MS)
        self._hinted_ms = -float(COMPARE_EVERY_MS)

    def order_changed(self, order: VenueOrder) -> None:
        """Have an order looked up."""
        self._order_ms = self._clock.monotonic_ms()
        self._note((self._account_id, order.client_order_id or "", order.venue_order_id))

    def fill_happened(self, fill: VenueFill) -> None:
        """Have the order of an execution looked up."""
        self._order_ms = self._clock.monotonic_ms()
        self._note((self._account_id, "", fill.venue_order_id))

    def balance_changed(self) -> None:
        """Have the account compared, unless an order explains the change."""
        asyncio.get_running_loop().call_later(QUIET_MS / 1_000, self._judge)

    def heard_again(self) -> None:
        """What was not told meanwhile is found by the sweeps: nothing more is to be done."""

    def _judge(self) -> None:
        now_ms = self._clock.monotonic_ms()
        is_explained = now_ms - self._order_ms < 2 * QUIET_MS
        if is_explained or now_ms - self._hinted_ms < COMPARE_EVERY_MS:
            return
        self._hinted_ms = now_ms
        self._hint(self._account_id)


@dataclass(slots=True)
class _Open:
    key: AccountKey
    stream: PrivateStream


@dataclass(slots=True)
class _Timed:
    """A job that notes how long it kept its thread; what it waited for one is not its own."""

    job: Job
    clock: Clock
    took_ms: float | None = None

    def __call__(self) -> Any:
        began_ms = self.clock.monotonic_ms()
        try:
            return self.job()
        finally:
            self.took_ms = self.clock.monotonic_ms() - began_ms


class AccountStreams:
    """The private streams of an engine; made on its loop.

    Args:
        held: tells the ids of the strategies that are held.
        run: has a thread do something.
        open_stream: opens the private streams of an account.
        clock: tells the time.
    """

    def __init__(
        self,
        *,
        held: Callable[[], Collection[int]],
        run: Run,
        open_stream: OpenStream,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._held = held
        self._run = run
        self._open_stream = open_stream
        self._clock = clock
        self._open: dict[int, _Open] = {}
        self._events: dict[int, dict[Event, None]] = {}
        self._venues: dict[int, str] = {}
        self._followed: dict[int, str] = {}  # with their venues
        self._slow: set[str] = set()
        self._has_events = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._look()), loop.create_task(self._follow())]

    async def close(self) -> None:
        """Hear nothing more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        opened, self._open = list(self._open.values()), {}
        await asyncio.gather(*(each.stream.close() for each in opened), return_exceptions=True)

    def note(self, event: Event) -> None:
        """Have an event followed soon; the same one twice only once."""
        waiting = self._events.setdefault(event[0], {})
        if len(waiting) < EVENTS_MAX:
            waiting[event] = None
            self._has_events.set()

    async def _look(self) -> None:
        while True:
            try:
                job = partial(read_account_keys, strategy_ids=list(self._held()))
                keys = await self._run(job, is_urgent=True)
                self._hear({key.account_id: key for key in keys})
            except Exception as error:  # noqa: BLE001  it is looked again
                _log(error, "Whose accounts are to be heard could not be read")
            await asyncio.sleep(LOOK_S)

    def _hear(self, wanted: dict[int, AccountKey]) -> None:
        """Have exactly the streams of these accounts open; no other waits for one that closes."""
        for account_id, opened in list(self._open.items()):
            if wanted.get(account_id) != opened.key:
                del self._open[account_id]
                self._start(_close(opened))
        for account_id, key in wanted.items():
            if account_id not in self._open:
                self._listen(key)

    def _listen(self, key: AccountKey) -> None:
        self._venues[key.account_id] = key.spec.code
        ear = AccountEar(key.account_id, note=self.note, hint=self._compare, clock=self._clock)
        try:
            stream = self._open_stream(key.spec, key.credentials, ear)
        except Exception as error:  # noqa: BLE001  the other accounts are heard all the same
            # the class says enough; the words could hold a secret
            logger.warning(
                "Account %s cannot be listened to: %s", key.account_id, type(error).__name__
            )
        else:
            self._open[key.account_id] = _Open(key, stream)

    async def _follow(self) -> None:
        """Have orders looked up, those of one account one after the other.

        A venue that does not answer must not keep the events of the others.
        """
        while True:
            await self._has_events.wait()
            self._has_events.clear()
            for account_id in list(self._events):
                venue = self._venues.get(account_id, "")
                if account_id not in self._followed and self._has_room(venue):
                    self._followed[account_id] = venue
                    self._start(self._look_up(self._next_event(account_id), venue))

    def _has_room(self, venue: str) -> bool:
        """Return whether one more order may be looked up at a venue now."""
        at_once = sum(each == venue for each in self._followed.values())
        return at_once < (1 if venue in self._slow else AT_ONCE)

    def _next_event(self, account_id: int) -> Event:
        """Take the oldest event of an account, whose next turn is after all others."""
        waiting = self._events.pop(account_id)
        event = next(iter(waiting))
        del waiting[event]
        if waiting:
            self._events[account_id] = waiting
        return event

    async def _look_up(self, event: Event, venue: str) -> None:
        account_id, client_order_id, venue_order_id = event
        job = partial(
            follow_event,
            account_id=account_id,
            client_order_id=client_order_id,
            venue_order_id=venue_order_id,
        )
        timed = _Timed(job, self._clock)
        try:
            await self._run(timed, is_urgent=venue not in self._slow)
        except Exception as error:  # noqa: BLE001  the sweeps look the order up
            _log(error, f"An event of account {account_id} could not be followed")
            if is_away(error):
                await asyncio.sleep(AWAY_S)
        finally:
            if timed.took_ms is not None:
                (self._slow.add if timed.took_ms > SLOW_MS else self._slow.discard)(venue)
            self._followed.pop(account_id, None)
            self._has_events.set()

    def _compare(self, account_id: int) -> None:
        self._start(self._ask_comparison(account_id))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks = [each for each in self._tasks if not each.done()] + [task]

    async def _ask_comparison(self, account_id: int) -> None:
        try:
            job = partial(enqueue_on_commit, "ledger.reconcile_account", account_id=account_id)
            await self._run(job, is_urgent=True)
        except Exception as error:  # noqa: BLE001  it is compared by the schedule
            _log(error, f"Account {account_id} could not be put up for comparison")


async def _close(opened: _Open) -> None:
    try:
        await opened.stream.close()
    except Exception as error:  # noqa: BLE001  nobody listens to it any more
        _log(error, f"The private streams of account {opened.key.account_id} did not end in order")


def _log(error: Exception, what: str) -> None:
    """Say what went wrong; that the database is away needs no stack, and is said often enough."""
    if is_away(error):
        logger.warning("%s, the database is away: %s", what, error)
    else:
        logger.error(what, exc_info=error)
