"""Book what orders executed: fill, entry and postings in one transaction, each fill once.

A fill is what the venue reported and is never changed. When the venue did not say what it took as
a fee, the fill is booked without one; the fee follows as a ``LateFee`` with an entry of its own,
and until then the order stays due for a look-up.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from arbplatform.core.clock import from_ms
from arbplatform.core.decimals import ZERO, Amount, Quantity
from arbplatform.persistence.retries import retried
from arbplatform.persistence.sequences import next_ids
from ledger.domain.postings import FEE_LATE, Line, Purse, check_storable, fee_lines, fill_lines
from ledger.models import EntryKind, Fill, LateFee, LogEntry, LogLevel, Order
from ledger.selectors import list_fills_of_orders, lock_orders
from ledger.services.batches import Statement, insertions, run_batch
from ledger.services.entries import EntryDraft, draft_entries
from ledger.services.fees import FeeJudge, cost_of, is_fee_known, is_in_third_coin
from ledger.services.logs import draft_log, write_logs
from ledger.services.reservations import keep_reserved
from ledger.services.rows import mark_inserted
from markets.domain.orders import Side, VenueFill
from markets.services.assets import ensure_assets

_FILL_COLUMNS = (
    "id",
    "order_id",
    "account_id",
    "market_id",
    "strategy_id",
    "venue_trade_id",
    "side",
    "price",
    "quantity",
    "cost",
    "fee",
    "fee_asset_id",
    "is_maker",
    "executed_at",
    "entry_id",
    "created_at",
)

_CONFLICT = _(
    "Trade {trade_id} of order {order_id} was reported again with another price or quantity. "
    "The first report stays booked; compare the account with its venue."
)
_STRANGER = _(
    "Trade {trade_id} that was reported for order {order_id} is not on its market and side. "
    "It was not booked; compare the account with its venue."
)
_OVERFILLED = _(
    "Order {order_id} executed {filled}, more than the {quantity} that were ordered. "
    "All of it is booked."
)
_SUSPICIOUS_FEE = _(
    "The fee {fee} {asset} of trade {trade_id} is more than 2 % of what was traded. The trade is "
    "booked, its fee only when the account's balance shows that it was taken."
)
_STRANGE_FEE = _(
    "The fee {fee} {asset} of trade {trade_id} is worth more than 10 % of what was traded, or more "
    "than the account holds of a coin whose price is not known. The trade is booked, its fee only "
    "when the account's balance shows that it was taken."
)


@dataclass(slots=True)
class Booked:
    """What is in the books for one order after a batch was booked.

    Attributes:
        fills: booked by this batch.
        late_fees: booked by this batch.
        quantity: of all fills of the order [base].
        cost: of all fills of the order [quote].
        is_fee_missing: whether some fill's fee is still unknown.
    """

    fills: list[Fill] = field(default_factory=list)
    late_fees: list[LateFee] = field(default_factory=list)
    quantity: Quantity = ZERO
    cost: Amount = ZERO
    is_fee_missing: bool = False

    @property
    def is_news(self) -> bool:
        """Whether this batch added anything to the books."""
        return bool(self.fills or self.late_fees)


@retried
@transaction.atomic
def book_fills(
    *, order: Order, fills: Sequence[VenueFill], is_fee_proven: bool = False
) -> list[Fill]:
    """Book executions of one order, in whatever state it is.

    Args:
        order: whose executions.
        fills: as the venue reported them; those that are booked already are passed over, except
            that a fee that was missing is booked now.
        is_fee_proven: whether the account's balance shows the fees, however large they are.

    Returns:
        The fills that this call booked.

    Raises:
        Unbookable: an amount has more digits than the books keep; nothing was booked.
    """
    locked = lock_orders([order.pk])[0]
    booked = book_batch([(locked, fills)], is_fee_proven=is_fee_proven)[locked.pk]
    locked.filled_quantity = max(locked.filled_quantity, booked.quantity)
    locked.filled_cost = booked.cost
    locked.save(update_fields=["filled_quantity", "filled_cost", "updated_at"])
    run_batch(keep_reserved([locked], {locked.pk: booked.quantity}))
    return booked.fills


def book_batch(
    batch: Sequence[tuple[Order, Sequence[VenueFill]]], *, is_fee_proven: bool = False
) -> dict[int, Booked]:
    """Book executions of several orders, which the caller has locked, in few statements.

    Args, Raises: as ``draft_batch``.

    Returns:
        By order id, what is booked for it now.
    """
    booked, statements = draft_batch(batch, is_fee_proven=is_fee_proven)
    run_batch(statements)
    return booked


def draft_batch(
    batch: Sequence[tuple[Order, Sequence[VenueFill]]], *, is_fee_proven: bool = False
) -> tuple[dict[int, Booked], list[Statement]]:
    """Book executions of several orders with what the caller writes besides.

    Args:
        batch: orders from ``lock_orders`` with what their venues reported.
        is_fee_proven: whether balances show the fees, however large they are.

    Returns:
        By order id, what is booked for it then, and what books it: the caller runs that in the
        same transaction.

    Raises:
        Unbookable: an amount has more digits than the books keep; nothing may be committed.
    """
    booking = _Booking(batch, is_fee_proven=is_fee_proven)
    for order, fills in batch:
        for fill in fills:
            booking.add(order, fill)
    return booking.write()


@dataclass(slots=True)
class _Draft:
    """A fill or a late fee with the entry that it needs."""

    entry: EntryDraft
    make: "Fill | LateFee"
    order_id: int


class _Booking:
    """Collects what is new in a batch and writes it."""

    def __init__(
        self, batch: Sequence[tuple[Order, Sequence[VenueFill]]], *, is_fee_proven: bool
    ) -> None:
        self.is_fee_proven = is_fee_proven
        self.fees = FeeJudge()
        self.asset_ids = _asset_ids(batch)
        self.booked = {order.pk: Booked() for order, _fills in batch}
        self.known: dict[tuple[int, str], Fill] = {}
        self.with_fee: set[tuple[int, str]] = set()
        self.drafts: list[_Draft] = []
        self.logs: list[LogEntry] = []
        self.orders = {order.pk: order for order, _fills in batch}
        # executions are booked under the order's lock and counted in it: zero means none
        executed = [order.pk for order, _fills in batch if order.filled_quantity]
        for fill in list_fills_of_orders(executed) if executed else ():
            self._count(fill, has_fee=fill.fee is not None or hasattr(fill, "late_fee"))

    def add(self, order: Order, reported: VenueFill) -> None:
        """Take up one reported execution."""
        key = (order.pk, reported.venue_trade_id)
        if reported.symbol != order.market.symbol or reported.side != order.side:
            self._log(LogLevel.ERROR, "fill_stranger", _STRANGER, order, reported)
        elif key not in self.known:
            self._add_fill(order, reported)
        elif _differs(self.known[key], reported):
            self._log(LogLevel.ERROR, "fill_conflict", _CONFLICT, order, reported)
        elif key not in self.with_fee and self._has_fee(order, reported):
            self._add_late_fee(order, self.known[key], reported)

    def write(self) -> tuple[dict[int, Booked], list[Statement]]:
        """Return what is booked once everything new is written, and what writes it."""
        statements: list[Statement] = []
        if self.drafts:
            drafts = [draft.entry for draft in self.drafts]
            entry_ids, statements = draft_entries(
                drafts=drafts, now=timezone.now(), asset_ids=self.asset_ids
            )
            statements += self._insert(entry_ids)
        lacking = {order_id for order_id, _trade_id in self.known.keys() - self.with_fee}
        for order_id, booked in self.booked.items():
            booked.is_fee_missing = order_id in lacking
            if booked.fills and booked.quantity > self.orders[order_id].quantity:
                self._log_overfill(self.orders[order_id], booked)
        if self.logs:
            write_logs(self.logs)
        return self.booked, statements

    def _insert(self, entry_ids: list[int]) -> list[Statement]:
        fills, late_fees = [], []
        for draft, entry_id in zip(self.drafts, entry_ids, strict=True):
            draft.make.entry_id = entry_id
            if isinstance(draft.make, Fill):
                fills.append(draft.make)
                self.booked[draft.order_id].fills.append(draft.make)
            else:
                late_fees.append(draft.make)
                self.booked[draft.order_id].late_fees.append(draft.make)
        if late_fees:
            # keys are looked at when the transaction ends: their entries are there by then
            LateFee.objects.bulk_create(late_fees)
        return _insertions_of(fills) if fills else []

    def _add_fill(self, order: Order, reported: VenueFill) -> None:
        key = _key_of(order, reported)
        has_fee = self._has_fee(order, reported)
        cost = cost_of(reported)
        for amount in (reported.price, reported.quantity, cost):
            check_storable(key, amount)
        fee = reported.fee if has_fee else None
        fee_asset = reported.fee_asset if has_fee else None
        fill = Fill(
            order_id=order.pk,
            account_id=order.account_id,
            market_id=order.market_id,
            strategy_id=order.strategy_id,
            venue_trade_id=reported.venue_trade_id,
            side=order.side,
            price=reported.price,
            quantity=reported.quantity,
            cost=cost,
            fee=fee,
            fee_asset_id=self.asset_ids[fee_asset] if fee_asset else None,
            is_maker=reported.is_maker,
            executed_at=from_ms(reported.executed_at_ms),
        )
        lines = fill_lines(
            purse=Purse(order.account_id),
            base=order.market.base.code,
            quote=order.market.quote.code,
            side=Side(order.side),
            quantity=reported.quantity,
            cost=cost,
            fee=fee,
            fee_asset=fee_asset,
        )
        self.drafts.append(_Draft(_entry(order, key, EntryKind.FILL, lines, fill), fill, order.pk))
        self._count(fill, has_fee=has_fee)
        self._check_fee(order, reported)

    def _add_late_fee(self, order: Order, fill: Fill, reported: VenueFill) -> None:
        amount, asset = reported.fee or ZERO, reported.fee_asset
        late_fee = LateFee(
            fill=fill, amount=amount, asset_id=self.asset_ids[asset] if asset else None
        )
        lines = fee_lines(purse=Purse(order.account_id), fee=amount, fee_asset=asset or "")
        key = _key_of(order, reported) + FEE_LATE
        entry = _entry(order, key, EntryKind.FEE, lines, fill)
        self.drafts.append(_Draft(entry, late_fee, order.pk))
        self.with_fee.add((order.pk, fill.venue_trade_id))

    def _has_fee(self, order: Order, reported: VenueFill) -> bool:
        """Return whether the fee can be booked: stated, and believable or proven."""
        if not is_fee_known(reported):
            return False
        return self.is_fee_proven or self.fees.is_plausible(order, reported)

    def _count(self, fill: Fill, *, has_fee: bool) -> None:
        key = (fill.order_id, fill.venue_trade_id)
        self.known[key] = fill
        if has_fee:
            self.with_fee.add(key)
        self.booked[fill.order_id].quantity += fill.quantity
        self.booked[fill.order_id].cost += fill.cost

    def _check_fee(self, order: Order, reported: VenueFill) -> None:
        if is_fee_known(reported) and not self._has_fee(order, reported):
            self._log(
                LogLevel.WARNING,
                "fee_suspicious",
                _STRANGE_FEE if is_in_third_coin(order, reported) else _SUSPICIOUS_FEE,
                order,
                reported,
                fee=reported.fee,
                asset=reported.fee_asset,
            )

    def _log(
        self,
        level: LogLevel,
        event: str,
        template: str,
        order: Order,
        reported: VenueFill,
        **context: object,
    ) -> None:
        self.logs.append(
            draft_log(
                strategy_id=order.strategy_id,
                level=level,
                event=event,
                template=template,
                order_id=order.pk,
                trade_id=reported.venue_trade_id,
                **context,
            )
        )

    def _log_overfill(self, order: Order, booked: Booked) -> None:
        self.logs.append(
            draft_log(
                strategy_id=order.strategy_id,
                level=LogLevel.ERROR,
                event="order_overfilled",
                template=_OVERFILLED,
                order_id=order.pk,
                filled=booked.quantity,
                quantity=order.quantity,
            )
        )


def _asset_ids(batch: Sequence[tuple[Order, Sequence[VenueFill]]]) -> dict[str, int]:
    """Return the ids of all assets that a batch may touch; fees in a third asset are looked up."""
    ids = {
        asset.code: asset.pk
        for order, _fills in batch
        for asset in (order.market.base, order.market.quote)
    }
    codes = {fill.fee_asset for _order, fills in batch for fill in fills if fill.fee_asset}
    foreign = sorted(codes - ids.keys())
    if foreign:
        ids |= {code: asset.pk for code, asset in ensure_assets(foreign).items()}
    return ids


def _insertions_of(fills: Sequence[Fill]) -> list[Statement]:
    for fill, pk in zip(fills, next_ids(Fill, len(fills)), strict=True):
        fill.created_at = timezone.now()
        mark_inserted(fill, pk)
    rows = [[getattr(fill, column) for column in _FILL_COLUMNS] for fill in fills]
    return insertions(Fill, _FILL_COLUMNS, rows)


def _key_of(order: Order, reported: VenueFill) -> str:
    return f"fill:{order.account_id}:{order.market_id}:{order.side}:{reported.venue_trade_id}"


def _entry(
    order: Order, key: str, kind: EntryKind, lines: Sequence[Line], fill: Fill
) -> EntryDraft:
    return EntryDraft(
        key=key,
        kind=kind,
        lines=lines,
        occurred_at=fill.executed_at,
        strategy_id=order.strategy_id,
        execution_id=order.execution_id,
    )


def _differs(booked: Fill, reported: VenueFill) -> bool:
    return (reported.price, reported.quantity) != (booked.price, booked.quantity)
