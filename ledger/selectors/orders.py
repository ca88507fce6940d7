"""Queries about orders and their fills."""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import Case, Count, IntegerField, Model, Q, QuerySet, Value, When

from accounts.selectors import SECRET_FIELDS
from arbplatform.persistence.folded import opened
from arbplatform.persistence.partial import is_among
from arbplatform.persistence.prepared import session_of
from ledger.domain.orders import DETAIL_PLANNED_MAX, LIVE_STATES, PLANNED_MAX, OrderState
from ledger.errors import OrderNotFound
from ledger.models import Fill, Order
from markets.domain.orders import TimeInForce
from markets.errors import VenueUnavailable

FACING_ORDERS_MAX = 20
"""Newest orders on the other side that are asked whose they are."""

IS_LIVE: Final = is_among("state", sorted(LIVE_STATES))
"""Few orders are alive, however many there are: they are read by the index of just these."""

_ANSWERED_FIRST = Case(
    When(error_code=VenueUnavailable.code, lookup_count__gt=0, then=Value(1)),
    default=Value(0),
    output_field=IntegerField(),
)
"""Puts those last whose last look-up the venue did not answer."""

_MARKET_PARTS = ("market__venue", "market__base", "market__quote")
_CHANGING = {
    "state",
    "venue_order_id",
    "filled_quantity",
    "filled_cost",
    "error_code",
    "error",
    "submitted_at",
    "acknowledged_at",
    "finished_at",
    "lookup_count",
    "miss_count",
    "first_missed_at",
    "next_lookup_at",
    "cancel_requested_at",
}
_CHANGING_FIELDS = [field for field in Order._meta.concrete_fields if field.name in _CHANGING]
_RowT = TypeVar("_RowT", bound=Model)


def list_orders() -> QuerySet[Order]:
    """Return all orders with account, market and strategy, the newest first."""
    rows = Order.objects.select_related(
        "account__venue", "market__venue", "market__base", "market__quote", "strategy"
    )
    return without_secrets(rows, "account")


def list_live() -> QuerySet[Order]:
    """Return the orders whose end is not known.

    Their ids are found first: for rows in the order of their ids SQLite would go through all that
    there ever were.
    """
    return Order.objects.filter(pk__in=Order.objects.order_by().filter(IS_LIVE).values("pk"))


def list_live_ids(account_ids: Collection[int]) -> dict[int, list[int]]:
    """Return the ids of the orders whose end is not known, by account; where none, nothing.

    Accounts are told apart here: SQLite would prefer the index of all orders of an account.
    """
    found: dict[int, list[int]] = {}
    rows = Order.objects.order_by().filter(IS_LIVE).values_list("account_id", "pk")
    for account_id, pk in rows:
        if account_id in account_ids:
            found.setdefault(account_id, []).append(pk)
    return found


def get_order(order_id: int) -> Order:
    """Return an order with account and market.

    Raises:
        OrderNotFound: no order has this id.
    """
    order = list_orders().filter(pk=order_id).first()
    if order is None:
        raise OrderNotFound(id=order_id)
    return order


def get_orders(order_ids: Sequence[int]) -> list[Order]:
    """Return orders in the order of ``order_ids``.

    Raises:
        OrderNotFound: one of the ids is not known.
    """
    rows = list_orders().in_bulk(order_ids)
    for order_id in order_ids:
        if order_id not in rows:
            raise OrderNotFound(id=order_id)
    return [rows[order_id] for order_id in order_ids]


def lock_orders(order_ids: Iterable[int]) -> list[Order]:
    """Return orders with account and market, by id, locked until the transaction ends."""
    rows = Order.objects.select_related("account__venue", *_MARKET_PARTS)
    return list(
        without_secrets(rows, "account")
        .select_for_update(of=("self",))
        .filter(pk__in=list(order_ids))
        .order_by("pk")
    )


def relock_orders(orders: Iterable[Order]) -> list[Order]:
    """Return orders, by id, locked and as they are now; the given ones stay as they were.

    By plain SQL: the caller has account and market already, and the ORM takes several times as
    long as the database.
    """
    known = {order.pk: order for order in orders}
    return [_renew(known[pk], values) for pk, *values in _relock(list(known))]


def _relock(pks: list[int]) -> Any:  # rows; Django's cursors have no types
    database = connections[DEFAULT_DB_ALIAS]
    if database.vendor == "sqlite":
        with database.cursor() as cursor:
            cursor.execute(_relock_sql(f"IN ({', '.join(['%s'] * len(pks))})", ""), pks)
            return cursor.fetchall()
    sql = _relock_sql("= ANY(%s::bigint[])", " FOR UPDATE")
    session = session_of(database)
    text = opened(session.text(database, (sql,), [pks]))
    return session.run(database, text).fetchall()


def lock_pending_orders(order_ids: Iterable[int]) -> list[Order]:
    """Return those of the orders that nobody has claimed, by id, with their accounts' secrets."""
    return list(
        Order.objects.select_related("account__venue", *_MARKET_PARTS)
        .select_for_update(of=("self",))
        .filter(pk__in=list(order_ids), state=OrderState.PENDING)
        .order_by("pk")
    )


def get_order_with_secrets(order_id: int) -> Order:
    """Return an order whose account can open a gateway.

    Raises:
        OrderNotFound: no order has this id.
    """
    rows = Order.objects.select_related("account__venue", *_MARKET_PARTS)
    order = rows.filter(pk=order_id).first()
    if order is None:
        raise OrderNotFound(id=order_id)
    return order


def find_orders(client_order_ids: Collection[str]) -> dict[str, Order]:
    """Return orders by client order id."""
    return list_orders().in_bulk(list(client_order_ids), field_name="client_order_id")


def list_due_orders(*, now: datetime, limit: int) -> list[tuple[int, str]]:
    """Return id and venue code of the orders that are due for a look-up, the longest due first.

    Those about which the venue did not answer last time come after all others: whether it is the
    order or the venue that is at fault, the others need not wait for that to be seen again. Those
    that a clock which was ahead has put off are due as well, see ``has_come``.
    """
    is_due = Q(next_lookup_at__lte=now) | Q(next_lookup_at__gt=now + DETAIL_PLANNED_MAX)
    is_put_off = Q(state__in=sorted(LIVE_STATES), next_lookup_at__gt=now + PLANNED_MAX)
    return list(
        Order.objects.filter(is_due | is_put_off, next_lookup_at__isnull=False)
        .order_by(_ANSWERED_FIRST, "next_lookup_at", "pk")
        .values_list("pk", "account__venue__code")[:limit]
    )


def find_open_question(account_id: int, client_order_id: str, venue_order_id: str) -> int | None:
    """Return the id of an order of ours about which something is left to be learned.

    Args:
        account_id: whose order.
        client_order_id: ours, or empty.
        venue_order_id: the venue's, or empty.

    Returns:
        ``None``: there is none, or its sender is about to write down what became of it.
    """
    named = Q(pk__in=[])
    if client_order_id:
        named |= Q(client_order_id=client_order_id)
    if venue_order_id:
        named |= Q(venue_order_id=venue_order_id)
    rows = Order.objects.filter(named, account_id=account_id, next_lookup_at__isnull=False)
    sending = [OrderState.PENDING, OrderState.SUBMITTING]
    return rows.exclude(state__in=sending).order_by("pk").values_list("pk", flat=True).first()


def list_pending_cancellations(*, asked_before: datetime, limit: int) -> list[Order]:
    """Return open orders whose cancellation a venue has not shown yet, the oldest first.

    One that was asked for long after that was asked for by a clock that was ahead.
    """
    is_long_ago = Q(cancel_requested_at__lte=asked_before)
    is_to_come = Q(cancel_requested_at__gt=asked_before + PLANNED_MAX)
    rows = list_live().filter(is_long_ago | is_to_come, state=OrderState.OPEN)
    return list(rows.select_related("market").order_by("pk")[:limit])


def list_accounts_with_resting_orders() -> list[int]:
    """Return the ids of accounts with orders that rest at their venue, or may."""
    rows = list_live().filter(
        state__in=[OrderState.OPEN, OrderState.SUBMITTING, OrderState.UNKNOWN],
        time_in_force__in=[TimeInForce.GTC, TimeInForce.POST_ONLY],
    )
    return sorted(set(rows.order_by().values_list("account_id", flat=True)))


def list_facing_strategies(order: Order) -> list[str]:
    """Return the names of strategies with orders on the other side of an order's market."""
    rows = Order.objects.filter(
        account_id=order.account_id, market_id=order.market_id, strategy__isnull=False
    ).exclude(side=order.side)
    latest = rows.order_by("-pk").values_list("strategy__name", flat=True)[:FACING_ORDERS_MAX]
    return sorted(set(latest))


def list_others_among(order: Order, venue_order_ids: Collection[str]) -> set[str]:
    """Return which of some venue order ids belong to other orders of ours in an order's market."""
    if not venue_order_ids:
        return set()
    rows = Order.objects.filter(account_id=order.account_id, market_id=order.market_id)
    rows = rows.filter(venue_order_id__in=list(venue_order_ids)).exclude(pk=order.pk)
    return set(rows.values_list("venue_order_id", flat=True))


def count_orders(state: OrderState, *, strategy_id: int | None = None) -> int:
    """Return how many orders are in a state, of one strategy or of all."""
    rows = (list_live() if state in LIVE_STATES else Order.objects).filter(state=state)
    return rows.count() if strategy_id is None else rows.filter(strategy_id=strategy_id).count()


def count_live_by_state() -> dict[OrderState, int]:
    """Return how many orders are in each state in which their end is not known."""
    rows = Order.objects.filter(IS_LIVE).order_by().values_list("state")
    counted = {OrderState(state): number for state, number in rows.annotate(n=Count("id"))}
    return {state: counted.get(state, 0) for state in sorted(LIVE_STATES)}


def list_fills(strategy_id: int | None = None) -> QuerySet[Fill]:
    """Return fills with all that names them, the newest first: of one strategy or of all."""
    rows = Fill.objects.select_related(
        "account__venue", "market__venue", "strategy", "order", "fee_asset", "late_fee__asset"
    )
    rows = without_secrets(rows, "account")
    return rows if strategy_id is None else rows.filter(strategy_id=strategy_id)


def list_fills_of_orders(order_ids: Iterable[int]) -> list[Fill]:
    """Return the fills of some orders with their late fees."""
    return list(Fill.objects.select_related("late_fee").filter(order_id__in=list(order_ids)))


def list_standing_fills(execution_id: int) -> list[Fill]:
    """Return the fills of an execution with their fees, but for those that were reversed."""
    rows = Fill.objects.select_related("fee_asset", "late_fee__asset", "entry")
    rows = rows.filter(order__execution_id=execution_id, entry__reversed_by__isnull=True)
    return list(rows.order_by("pk"))


def _renew(order: Order, values: Sequence[Any]) -> Order:
    fresh = Order.__new__(Order)  # as copy() does it, without the detour over pickling
    fresh.__dict__.update(order.__getstate__())
    converters = _converters(connection.vendor)
    for field, converts, value in zip(_CHANGING_FIELDS, converters, values, strict=True):
        read = value
        for convert in converts:
            read = convert(read, field.cached_col, connection)
        setattr(fresh, field.attname, read)
    return fresh


@lru_cache(maxsize=2)
def _converters(_vendor: str) -> list[list[Callable[[Any, Any, Any], Any]]]:
    """Return how the ORM reads each field; SQLite keeps times as text and amounts as digits."""
    return [
        [
            *connection.ops.get_db_converters(field.cached_col),
            *field.get_db_converters(connection),
        ]
        for field in _CHANGING_FIELDS
    ]


@lru_cache(maxsize=64)
def _relock_sql(condition: str, lock: str) -> str:
    """Return what reads orders again; SQLite's transaction has the only lock there is."""
    columns = ", ".join(str(field.column) for field in _CHANGING_FIELDS)
    return (
        f"SELECT id, {columns} FROM {Order._meta.db_table} "  # noqa: S608  names of the model
        f"WHERE id {condition} ORDER BY id{lock}"
    )


def without_secrets(rows: QuerySet[_RowT], account: str) -> QuerySet[_RowT]:
    """Leave the secrets of the venue account that is joined as ``account`` unread.

    Each of them costs a decryption, and most pages show none.
    """
    return rows.defer(*(f"{account}__{name}" for name in SECRET_FIELDS))
