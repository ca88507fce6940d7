"""Outcomes of orders that the database could not take: kept on the disk, booked when it is back.

No journal, no order: an order leaves only after its row was committed, so while the database is
away nothing new is sent. What had been sent before is answered for: its outcome is spooled, and
any process books it as soon as the database takes it, as often as it likes. Should the spool fail
as well, the order is looked up at its venue like any whose sender died.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from decimal import InvalidOperation
from typing import Any

from django.conf import settings
from django.db import transaction

from arbplatform.background.commit import enqueue_on_commit
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.decimals import Amount, Quantity, to_plain
from arbplatform.core.errors import ArbError
from arbplatform.persistence.retries import is_away, retried
from arbplatform.persistence.sentences import keep_sentence, read_sentence
from arbplatform.persistence.spool import Fact, Replayed, Spool
from ledger.errors import JournalAway
from ledger.models import Order
from ledger.selectors import find_orders, get_order
from ledger.services.recording import record
from ledger.services.sending import Lost, Outcome, Refused, Reported
from markets.domain.orders import Side, VenueFill, VenueOrder, VenueOrderStatus

logger = logging.getLogger(__name__)

_FORM = 1
_KINDS: dict[type[Outcome], str] = {Reported: "reported", Refused: "refused", Lost: "lost"}


def orders_spool() -> Spool:
    """Return the spool of this installation."""
    return Spool(settings.SPOOL_DIR / "orders")


def keep(
    write: Callable[[], list[Order]],
    *,
    orders: Sequence[Order],
    outcomes: Mapping[int, Outcome],
    clock: Clock = SYSTEM_CLOCK,
) -> list[Order]:
    """Write outcomes to the database or, while that is away, to the spool.

    Args:
        write: writes all of them to the database.
        orders: that were sent.
        outcomes: by order id, what became of them.
        clock: tells when they were learned.

    Raises:
        JournalAway: they are in the spool; the caller must not go on.
    """
    try:
        return write()
    except Exception as error:
        if not is_away(error):
            raise
        logger.error("The database is away, outcomes are spooled: %s", error)  # noqa: TRY400
        for order in orders:
            _spool(order, outcomes[order.pk], clock.now_ms())
        raise JournalAway from error


def replay_spool(*, clock: Clock = SYSTEM_CLOCK) -> Replayed:
    """Book everything that was spooled; safe to do at any time, in any process, and twice.

    Args:
        clock: tells the time.

    Raises:
        OperationalError: the database is away again; the rest waits.
    """

    def take(fact: Fact) -> None:
        _take(fact, clock)

    done = orders_spool().replay(take)
    if done.taken or done.rejected:
        logger.warning("Spooled outcomes of orders were booked: %s", done)
    return done


def _spool(order: Order, outcome: Outcome, at_ms: int) -> None:
    """Write one outcome down; if even that fails, the order's look-up will find it out."""
    try:
        orders_spool().append(to_fact(order, outcome, at_ms))
    except (OSError, ValueError):
        logger.exception("Order %s: its outcome can be neither booked nor spooled", order.pk)


def _take(fact: Fact, clock: Clock) -> None:
    """Book one outcome.

    One that cannot be booked is put aside: its order is looked up at its venue, and the others,
    and all look-ups, must not wait for whoever mends the cause.

    Raises:
        ValueError: it makes no sense, belongs to no order of this database, or cannot be booked.
        OperationalError: the database is away again.
    """
    order, outcome = _read(fact)
    if order is None:
        raise ValueError(f"no order has the client id {fact.get('client_order_id')}")
    try:
        _book(order, outcome, clock)
    except Exception as error:
        if is_away(error):
            raise
        logger.exception("Order %s: its spooled outcome cannot be booked", order.pk)
        raise ValueError(f"the outcome of order {order.pk} cannot be booked") from error


@retried
@transaction.atomic
def _book(order: Order, outcome: Outcome, clock: Clock) -> None:
    record(orders=[order], knowledge={order.pk: outcome}, clock=clock, is_lookup=False)
    if order.execution_id is not None:
        # its sender could not go on: somebody has to
        enqueue_on_commit("strategies.settle_execution", execution_id=order.execution_id)


def _read(fact: Fact) -> tuple[Order | None, Outcome]:
    try:
        client_order_id, outcome = str(fact["client_order_id"]), to_outcome(fact)
    except (KeyError, TypeError, InvalidOperation) as error:
        raise ValueError(f"a spooled outcome cannot be read: {error!r}") from error
    found = find_orders([client_order_id]).get(client_order_id)
    return (None if found is None else get_order(found.pk)), outcome


def to_fact(order: Order, outcome: Outcome, at_ms: int) -> dict[str, Any]:
    """Return an outcome as something that JSON can carry; it holds no secret.

    Args:
        order: whose outcome.
        outcome: what became of it.
        at_ms: when that was learned [ms since epoch].
    """
    fact: dict[str, Any] = {
        "form": _FORM,
        "at_ms": at_ms,
        "client_order_id": order.client_order_id,
        "kind": _KINDS[type(outcome)],
    }
    if isinstance(outcome, Reported):
        report = outcome.order
        return fact | {
            "order": {
                "venue_order_id": report.venue_order_id,
                "client_order_id": report.client_order_id,
                "symbol": report.symbol,
                "side": report.side.value,
                "status": report.status.value,
                "quantity": to_plain(report.quantity),
                "filled_quantity": to_plain(report.filled_quantity),
                "is_filled_stated": report.is_filled_stated,
            },
            "is_counted": outcome.is_counted,
            "fills": [_fill_to_json(fill) for fill in outcome.fills],
        }
    error = outcome.error
    return fact | {"error_code": error.code, "error": keep_sentence(error.message)}


def to_outcome(fact: Fact) -> Outcome:
    """Return the outcome that a fact tells of.

    Raises:
        KeyError: something is missing.
        ValueError: something is no such thing.
    """
    if fact["form"] != _FORM or fact["kind"] not in _KINDS.values():
        raise ValueError(f"the form {fact['form']} {fact['kind']} is not known")
    if fact["kind"] == _KINDS[Reported]:
        report = fact["order"]
        order = VenueOrder(
            venue_order_id=report["venue_order_id"],
            client_order_id=report["client_order_id"],
            symbol=report["symbol"],
            side=Side(report["side"]),
            status=VenueOrderStatus(report["status"]),
            quantity=Quantity(report["quantity"]),
            filled_quantity=Quantity(report["filled_quantity"]),
            is_filled_stated=report.get("is_filled_stated", True),  # older facts do not have it
        )
        fills = tuple(_fill_from_json(fill) for fill in fact["fills"])
        return Reported(order, fills, is_counted=fact.get("is_counted", False))
    # its class is not known any more, and nothing depends on it: code and words are written down
    message = read_sentence(str(fact["error"]))
    error = ArbError(message.template, **message.context)
    error.code = int(fact["error_code"])  # type: ignore[misc]
    return Refused(error) if fact["kind"] == _KINDS[Refused] else Lost(error)


def _fill_to_json(fill: VenueFill) -> dict[str, Any]:
    return {
        "venue_trade_id": fill.venue_trade_id,
        "venue_order_id": fill.venue_order_id,
        "symbol": fill.symbol,
        "side": fill.side.value,
        "price": to_plain(fill.price),
        "quantity": to_plain(fill.quantity),
        "fee": None if fill.fee is None else to_plain(fill.fee),
        "fee_asset": fill.fee_asset,
        "is_maker": fill.is_maker,
        "executed_at_ms": fill.executed_at_ms,
        "cost": None if fill.cost is None else to_plain(fill.cost),
    }


def _fill_from_json(fact: Mapping[str, Any]) -> VenueFill:
    return VenueFill(
        **{
            **fact,
            "side": Side(fact["side"]),
            "price": Amount(fact["price"]),
            "quantity": Quantity(fact["quantity"]),
            "fee": None if fact["fee"] is None else Amount(fact["fee"]),
            "cost": None if fact["cost"] is None else Amount(fact["cost"]),
        }
    )
