"""Orders on their way: made ready while their rows are written, sent when those are committed.

What a gateway does before it can send (taking a connection, checking the order, signing it) takes
about as long as the database takes to commit. So both are done at the same time, and the request
waits at its connection until the commit is there; then whoever has committed writes it. Nothing
leaves before; if the commit fails, nothing leaves at all.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from types import TracebackType

from accounts.models import VenueAccount
from accounts.services.accounts import open_gateway
from arbplatform.core.clock import SYSTEM_CLOCK, Clock, to_ms
from arbplatform.core.errors import ArbError
from ledger.domain.moments import Moments
from ledger.domain.orders import SEND_DEADLINE_MS
from ledger.models import Order
from ledger.services.senders import SENDERS, Task
from ledger.services.sending import Dispatch, Outcome, Refused, send
from markets.domain.orders import Write
from markets.errors import VenueUnavailable
from markets.gateway.base import VenueGateway

logger = logging.getLogger(__name__)

Door = VenueGateway | ArbError
"""The gateway of an account, or why it has none."""


class Clearance:
    """Lets one order go, which may be waiting in a thread, or not.

    A request that is ready is written by whoever decides: to wake its thread takes longer, and the
    threads of two orders would wake one after the other.
    """

    def __init__(self) -> None:
        self._decided = threading.Lock()
        self._decided.acquire()
        self._is_granted = False
        # whoever takes it out of here, in one step, is the only one who may write it
        self._ready: list[Write] = []
        self._error: BaseException | None = None

    def decide(self, *, is_granted: bool) -> None:
        """Let the order go, or not; said once."""
        self._is_granted = is_granted
        try:
            if is_granted and (write := self._take()) is not None:
                write()
        except BaseException as error:  # noqa: BLE001  raised by the thread whose request it is
            self._error = error
        finally:
            self._decided.release()

    def leave(self, write: Write) -> bool:
        """Have a request written as soon as it may leave; return whether it was.

        An order about which nobody decides in time does not leave: its claim is over.

        Args:
            write: does it, in the thread that calls this or in the one that decides.
        """
        self._ready.append(write)
        if not self._decided.acquire(timeout=SEND_DEADLINE_MS / 1_000):
            if self._take() is not None:
                return False
            self._decided.acquire()  # it is just being written
        self._decided.release()  # whoever asks again is answered at once
        if not self._is_granted:
            return False
        own = self._take()
        if own is not None:
            own()
        elif self._error is not None:
            raise self._error
        return True

    def _take(self) -> Write | None:
        try:
            return self._ready.pop()
        except IndexError:
            return None


class Flight:
    """Orders that leave together, once.

    Those whose gateways ask before they send are made ready at once, in threads; the others when
    the flight goes.

    Args:
        dispatches: claimed orders, or orders whose claim is about to be committed.
        refused: orders that cannot be sent, and why.
        clock: tells whether a claim is too old to be acted on.
        is_committed: whether their claim is committed: then nothing is gained by making ready.
    """

    def __init__(
        self,
        dispatches: Sequence[Dispatch],
        refused: Mapping[int, Outcome],
        *,
        clock: Clock,
        is_committed: bool,
    ) -> None:
        self._clock = clock
        self._refused = refused
        self._waiting: list[tuple[Dispatch, Clearance, Task[Outcome]]] = []
        self._others: list[Dispatch] = []
        self._is_decided = False
        for dispatch in dispatches:
            if is_committed or not getattr(dispatch.gateway, "asks_before_sending", False):
                self._others.append(dispatch)
                continue
            clearance = Clearance()
            call = partial(send, dispatch, clock=clock, let_go=clearance.leave)
            self._waiting.append((dispatch, clearance, SENDERS.start(call)))

    def __enter__(self) -> "Flight":
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.hold_back()

    def go(self) -> dict[int, Outcome]:
        """Let the orders leave, all at the same time, and wait for what becomes of them.

        Returns:
            By order id, what became of it. Nothing that a venue does raises.
        """
        self._decide(is_granted=True)
        tasks = [(dispatch.order_id, task) for dispatch, _clearance, task in self._waiting]
        for other in self._others[:-1]:
            call = partial(send, other, clock=self._clock)
            tasks.append((other.order_id, SENDERS.start(call)))
        outcomes = dict(self._refused)
        try:
            for own in self._others[-1:]:  # the caller sends one itself
                outcomes[own.order_id] = send(own, clock=self._clock)
        finally:
            ended = [(order_id, _ended(task)) for order_id, task in tasks]
        for order_id, result in ended:
            if isinstance(result, BaseException):
                raise result
            outcomes[order_id] = result
        return outcomes

    def hold_back(self) -> None:
        """Let nothing leave; without effect if the flight has gone."""
        self._decide(is_granted=False)

    def _decide(self, *, is_granted: bool) -> None:
        if self._is_decided:
            return
        self._is_decided = True
        for _dispatch, clearance, _task in self._waiting:
            clearance.decide(is_granted=is_granted)


def open_doors(accounts: Iterable[VenueAccount]) -> dict[int, Door]:
    """Return the gateways of accounts by id; their connections are opened meanwhile, if need be.

    Args:
        accounts: with their venues and secrets.
    """
    doors = {account.pk: _open(account) for account in accounts}
    for door in doors.values():
        keep_warm: Callable[[], None] | None = getattr(door, "keep_warm", None)
        if keep_warm is not None:
            keep_warm()
    return doors


def complete_doors(
    accounts: Iterable[VenueAccount], doors: Mapping[int, Door]
) -> Mapping[int, Door]:
    """Return the gateways of accounts by id, those given and those that are missing.

    Args:
        accounts: with their venues and secrets.
        doors: as far as they are open already.
    """
    # not ``pk``, which is looked up anew each time
    missing = {account.id: account for account in accounts if account.id not in doors}
    return {**doors, **open_doors(missing.values())} if missing else doors


def open_flight(
    orders: Sequence[Order],
    *,
    doors: Mapping[int, Door] | None = None,
    clock: Clock = SYSTEM_CLOCK,
    moments: Moments | None = None,
    is_committed: bool = True,
) -> Flight:
    """Make orders ready to be sent; those whose account cannot be used are refused.

    Args:
        orders: claimed, or about to be, with accounts and markets.
        doors: gateways by account, as far as they are open already.
        clock: tells the time.
        moments: where to note when each step was passed, if somebody wants to know.
        is_committed: whether their claim is committed already.
    """
    known = complete_doors([order.account for order in orders], doors or {})
    dispatches: list[Dispatch] = []
    refused: dict[int, Outcome] = {}
    for order in orders:
        door = known[order.account_id]
        if isinstance(door, ArbError):
            refused[order.id] = Refused(door)
            continue
        claimed_at_ms = to_ms(order.submitted_at or order.created_at)
        request = order.to_request()
        dispatches.append(
            Dispatch(order.id, door, request, claimed_at_ms, order.leg_index, moments)
        )
    return Flight(dispatches, refused, clock=clock, is_committed=is_committed)


def _open(account: VenueAccount) -> Door:
    try:
        return open_gateway(account)
    except ArbError as error:
        return error
    except Exception as error:
        logger.exception("Account %s: no gateway", account.pk)
        return VenueUnavailable(venue=account.venue.code, cause=type(error).__name__)


def _ended(task: Task[Outcome]) -> Outcome | BaseException:
    """Return what a call came to; the others must be waited for before anything is raised."""
    try:
        return task.result()
    except BaseException as error:  # noqa: BLE001  raised again once all have ended
        return error
