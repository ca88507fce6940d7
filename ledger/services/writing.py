"""Write orders down, with what they may spend set aside: what the journal sends must be here first.

There are two ways. ``write_orders`` joins the transaction of its caller and leaves orders that are
PENDING until they are claimed. ``write_claimed`` is for the moment in which a decision was made:
the caller's rows, the orders with their claim and the reservations are one transaction, drafted
while the database looks whether they may be written, and made ready to leave while it writes them.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import VenueAccount
from accounts.services.reservations import Want
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.decimals import ZERO, Price, Quantity
from arbplatform.core.errors import Message
from arbplatform.core.ids import derive_client_id
from arbplatform.persistence.literals import to_literal
from arbplatform.persistence.retries import retried
from arbplatform.persistence.sequences import next_ids
from ledger.domain.halts import TradeScope
from ledger.domain.moments import Moments
from ledger.domain.orders import PENDING_TIMEOUT_MS, SUBMIT_TIMEOUT_MS, OrderState
from ledger.errors import ImmutableRecord, InvalidOrderPlan
from ledger.models import Order
from ledger.selectors import find_orders, map_markets
from ledger.services.batches import Statement, Unmet, insertion, run_parts
from ledger.services.flights import Door, Flight, complete_doors, open_flight
from ledger.services.halts import (
    TRADING_REQUIREMENT,
    Wish,
    require_trading,
    trading_statements,
)
from ledger.services.reservations import (
    explain_refusal,
    is_refusal,
    reservation_of,
    reserve_orders,
    want_of,
)
from ledger.services.rows import as_if_read
from markets.domain.orders import OrderKind, Side, TimeInForce
from markets.models import Market

ATTEMPTS_MAX = 3
"""How often orders are written again when trading was halted and resumed in between."""

_CLAIMED = {
    **{field.attname: field.get_default() for field in Order._meta.concrete_fields},
    "state": OrderState.SUBMITTING.value,
    "filled_quantity": ZERO,
    "filled_cost": ZERO,
}
"""What a claimed order begins with, by column."""

_LOOKED_UP_AFTER = timedelta(milliseconds=SUBMIT_TIMEOUT_MS)

_COMPARED = ("account_id", "market_id", "side", "quantity", "price", "kind", "time_in_force")


@dataclass(frozen=True, slots=True)
class OrderPlan:
    """An order that is to be written down.

    Attributes:
        account_id: venue account that trades.
        market_id: market of the account's venue.
        strategy_id: whose result it belongs to.
        execution_id: the arbitrage whose leg it is.
        leg_index: which leg, from 0.
        side: buy or sell.
        quantity: [base], positive, on the lot grid.
        price: limit [quote per base], on the tick grid; ``None`` for market orders.
        kind: limit or market.
        time_in_force: how long it may rest.
        attempt: 0, and one more for each replacement of an order that has ended.
        is_reducing: whether it brings an exposure down: then it may be sent while trading is
            restricted to that.
    """

    account_id: int
    market_id: int
    strategy_id: int | None
    execution_id: int | None
    leg_index: int
    side: Side
    quantity: Quantity
    price: Price | None
    kind: OrderKind = OrderKind.LIMIT
    time_in_force: TimeInForce = TimeInForce.IOC
    attempt: int = 0
    is_reducing: bool = False


@retried
def write_orders(*, plans: Sequence[OrderPlan], clock: Clock = SYSTEM_CLOCK) -> list[Order]:
    """Write orders down and set aside what they may spend, all or none; nothing is sent.

    The client order id follows from execution, leg and attempt, so writing the same orders again
    returns the ones that are there.

    Args:
        plans: what to write.
        clock: tells from when on an order that nobody sends is void.

    Returns:
        The orders, PENDING, in the order of ``plans``.

    Raises:
        InvalidOrderPlan: a quantity or price is not positive, or a limit order has no price.
        ImmutableRecord: an order of the same execution, leg and attempt is there, but differs.
        TradingHalted: trading is switched off for one of them; nothing was written.
        FundsReserved: less is free than they may spend; nothing was written.
    """
    for plan in plans:
        _check(plan)
    wishes = [Wish(plan.account_id, plan.strategy_id, plan.is_reducing) for plan in plans]
    due = clock.now() + timedelta(milliseconds=PENDING_TIMEOUT_MS)
    orders = [_order_of(plan) for plan in plans]
    for order in orders:
        order.next_lookup_at = due
    wants: list[Want] = []
    try:
        with transaction.atomic():
            require_trading(wishes)
            written = Order.objects.bulk_create(orders)
            markets = map_markets({plan.market_id for plan in plans})
            wants += (want_of(order, markets[order.market_id]) for order in written)
            reserve_orders(wants)
            return written
    except IntegrityError as error:
        if is_refusal(error):
            raise explain_refusal(wants) from error
        written = _find_written(orders)
        if not written:
            raise
        return written


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be written together.

    Attributes:
        account_ids: where it is traded; nowhere there may opening an exposure be forbidden.
        strategy_id: in whose name; ``None``: nobody's.
        required: what else has to hold.
        count: how many orders there are.
        plans: returns them: on these accounts, in this name, each with a price.
        statements: drafts rows of the caller that the orders refer to. Neither this nor ``plans``
            may ask the database.
    """

    account_ids: Sequence[int]
    strategy_id: int | None
    required: Sequence[Statement]
    count: int
    plans: Callable[[], Sequence[OrderPlan]]
    statements: Callable[[], Sequence[Statement]]


def write_claimed(
    *,
    draft: Callable[[], Draft],
    accounts: Mapping[int, VenueAccount],
    markets: Mapping[int, Market],
    doors: Mapping[int, Door] | None = None,
    clock: Clock = SYSTEM_CLOCK,
    moments: Moments | None = None,
) -> tuple[list[Order], Flight]:
    """Write orders down that the caller sends at once: with its own rows, the claim and the funds.

    Committed when this returns: SUBMITTING, claimed by the caller and nobody else. If it dies, they
    are looked up like any order whose sender died. Trading states are read under their lock in the
    same transaction.

    Args:
        draft: tells what to write; called again if the transaction is repeated.
        accounts: with their venues and secrets, by id.
        markets: with their assets, by id.
        doors: gateways by account id, as far as they are open already.
        clock: tells when they are claimed.
        moments: where to note when each step was passed, if somebody wants to know.

    Returns:
        The orders with account and market, in the order of the plans, and their flight: they were
        made ready to be sent meanwhile.

    Raises:
        InvalidOrderPlan: a quantity or price is not positive, or a limit order has no price.
        TradingHalted: trading is switched off for one of them; nothing was written.
        FundsReserved: less is free than they may spend; nothing was written.
        Unmet: something that the caller requires does not hold; nothing was written.
    """
    batch = _Batch(draft, accounts, markets, doors or {}, clock, moments)
    for _attempt in range(ATTEMPTS_MAX):
        try:
            batch.write()
        except IntegrityError as error:
            if is_refusal(error):
                raise explain_refusal([want_of(row, row.market) for row in batch.orders]) from error
            raise
        except Unmet as unmet:
            if unmet.name != TRADING_REQUIREMENT:
                raise
            with transaction.atomic():
                # says what is halted, unless it was resumed by now
                require_trading(batch.wishes)
        else:
            # committed: whatever went wrong with the flight, nothing is written again
            return batch.orders, batch.flight()
    raise Unmet(TRADING_REQUIREMENT)


@dataclass(slots=True)
class _Batch:
    """Orders that are written in one transaction; ``orders`` are those of the last attempt."""

    draft: Callable[[], Draft]
    accounts: Mapping[int, VenueAccount]
    markets: Mapping[int, Market]
    doors: Mapping[int, Door]
    clock: Clock
    moments: Moments | None
    orders: list[Order] = field(default_factory=list)
    _drafted: Draft = field(init=False)
    _claimed_at: datetime = field(init=False)
    _ids: Sequence[int] = ()
    _opened: list[Flight | BaseException] = field(default_factory=list)

    @retried
    def write(self) -> None:
        """Write everything in one transaction, or nothing; make the orders ready meanwhile."""
        self._opened.clear()
        try:
            run_parts([self._require, self._draft_orders, self._draft_others], self._make_ready)
        except BaseException:  # whatever it was: they must not leave
            for opened in self._opened:
                if isinstance(opened, Flight):
                    opened.hold_back()
            raise

    def flight(self) -> Flight:
        """Return the orders that were written, ready to leave, or raise why they are not."""
        [opened] = self._opened
        if isinstance(opened, Flight):
            return opened
        raise opened

    @property
    def wishes(self) -> list[Wish]:
        """What the trading states are asked about."""
        return [Wish(pk, self._drafted.strategy_id) for pk in self._drafted.account_ids]

    def _require(self) -> list[Statement]:
        """Draft what must hold: no more than that, as the database waits for it."""
        # of before the states are read: a claim is acted on for a short time only, so nothing
        # leaves long after a halt even if this process is paused from here on
        self._claimed_at = self.clock.now()
        self._drafted = drafted = self.draft()
        accounts = [self.accounts[pk] for pk in drafted.account_ids]
        # what is needed later and may have to be looked up
        self.doors = complete_doors(accounts, self.doors)
        self._ids = next_ids(Order, drafted.count)
        scopes = [TradeScope(row.venue_id, row.id, drafted.strategy_id) for row in accounts]
        wishes = tuple([(scope, False) for scope in scopes])
        return [*trading_statements(wishes), *drafted.required]

    def _draft_orders(self) -> list[Statement]:
        """Draft the orders and their reservations."""
        plans = self._drafted.plans()
        for plan in plans:
            self._check(plan)
        rows = _claim(plans, self._ids, self._claimed_at)
        self.orders = [self._order_of(row) for row in rows]
        own = tuple(rows[0])
        return [
            insertion(Order, own, [tuple(row.values()) for row in rows], _same(own)),
            reservation_of([want_of(order, order.market) for order in self.orders]),
        ]

    def _draft_others(self) -> Sequence[Statement]:
        """Draft what the caller has written with the orders, which takes the longest."""
        return self._drafted.statements()

    def _make_ready(self) -> None:
        """Have threads make the orders ready: before, they would take the interpreter from us."""
        opening = partial(open_flight, self.orders, doors=self.doors, is_committed=False)
        try:
            self._opened.append(opening(clock=self.clock, moments=self.moments))
        except BaseException as error:  # noqa: BLE001  raised when it is known what is committed
            self._opened.append(error)

    def _check(self, plan: OrderPlan) -> None:
        _check(plan)
        if plan.price is None:
            raise InvalidOrderPlan(cause=Message("an order that is sent at once needs a price"))
        drafted = self._drafted
        if plan.account_id not in drafted.account_ids or plan.strategy_id != drafted.strategy_id:
            raise ValueError(f"the trading states were not asked about {plan}")

    def _order_of(self, row: Mapping[str, Any]) -> Order:
        """Return the order that a row says, as if it had been read."""
        account, market = self.accounts[row["account_id"]], self.markets[row["market_id"]]
        return as_if_read(Order, {**_CLAIMED, **row}, {"account": account, "market": market})


@lru_cache(maxsize=1)
def _same(own: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return the columns that claimed orders have alike, those but ``own``, with their literals."""
    return tuple((name, to_literal(value)) for name, value in _CLAIMED.items() if name not in own)


def _claim(plans: Sequence[OrderPlan], ids: Sequence[int], now: datetime) -> list[dict[str, Any]]:
    """Return by column in what orders that are claimed from the beginning differ from others."""
    install_id, made_at, overdue = settings.ARB_INSTALL_ID, timezone.now(), now + _LOOKED_UP_AFTER
    return [
        {
            "id": pk,
            "created_at": made_at,
            "updated_at": made_at,
            "client_order_id": _client_order_id(install_id, plan),
            "account_id": plan.account_id,
            "market_id": plan.market_id,
            "strategy_id": plan.strategy_id,
            "execution_id": plan.execution_id,
            "leg_index": plan.leg_index,
            "is_reducing": plan.is_reducing,
            "side": str(plan.side),
            "kind": str(plan.kind),
            "time_in_force": str(plan.time_in_force),
            "quantity": plan.quantity,
            "price": plan.price,
            "submitted_at": now,
            "next_lookup_at": overdue,
        }
        for plan, pk in zip(plans, ids, strict=True)
    ]


def _order_of(plan: OrderPlan) -> Order:
    return Order(
        client_order_id=_client_order_id(settings.ARB_INSTALL_ID, plan),
        account_id=plan.account_id,
        market_id=plan.market_id,
        strategy_id=plan.strategy_id,
        execution_id=plan.execution_id,
        leg_index=plan.leg_index,
        side=plan.side,
        kind=plan.kind,
        time_in_force=plan.time_in_force,
        quantity=plan.quantity,
        price=plan.price,
        is_reducing=plan.is_reducing,
    )


def _check(plan: OrderPlan) -> None:
    if plan.quantity <= 0:
        raise InvalidOrderPlan(cause=Message("its quantity is not positive"))
    if plan.kind is OrderKind.LIMIT and plan.price is None:
        raise InvalidOrderPlan(cause=Message("a limit order needs a price"))
    if plan.price is not None and plan.price <= 0:
        raise InvalidOrderPlan(cause=Message("its price is not positive"))


def _client_order_id(install_id: str, plan: OrderPlan) -> str:
    """Return the id by which a repeated write, and a lost reply, are recognised."""
    owner = secrets.token_hex(16) if plan.execution_id is None else plan.execution_id
    return derive_client_id(install_id, "order", owner, plan.leg_index, plan.attempt)


def _find_written(orders: Sequence[Order]) -> list[Order]:
    """Return the rows that are there already, if they say the same; none if there are none.

    Raises:
        ImmutableRecord: they do not.
    """
    written = find_orders([order.client_order_id for order in orders])
    if not written:
        return []
    for order in orders:
        twin = written.get(order.client_order_id)
        if twin is None or any(getattr(order, name) != getattr(twin, name) for name in _COMPARED):
            raise ImmutableRecord(
                "Leg {leg} of execution {execution_id} is written down already, as another order. "
                "Use the next attempt number for a replacement.",
                leg=order.leg_index,
                execution_id=order.execution_id,
            )
    return [written[order.client_order_id] for order in orders]
