"""Orders that were executed, and ways to book what came of it: ours, by the ORM, by COPY."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from io import StringIO
from itertools import chain
from typing import Any, TypeAlias

Reports: TypeAlias = Mapping[int, Any]
"""What the venue answered, by order."""
Work: TypeAlias = Callable[[], object]
"""What is timed."""


class Stage:
    """A market, an account, and orders that were just executed at the venue."""

    def __init__(self) -> None:
        from django.utils import timezone  # noqa: PLC0415  after django.setup()

        from accounts.models import VenueAccount  # noqa: PLC0415
        from markets.models import Asset, Market, Venue  # noqa: PLC0415

        venue = Venue.objects.create(code="alpha", name="Alpha", ccxt_id="binance")
        base, quote = (Asset.objects.create(code=code) for code in ("BTC", "USDT"))
        self.market = Market.objects.create(
            venue=venue,
            symbol="BTC/USDT",
            base=base,
            quote=quote,
            tick="0.01",
            lot="0.00001",
            quantity_min="0.00001",
            notional_min="10",
            maker_fee="0.001",
            taker_fee="0.001",
            synced_at=timezone.now(),
        )
        self.account = VenueAccount.objects.create(
            venue=venue, label="main", api_key="k" * 16, api_secret="s" * 16
        )
        self._trade = 0

    def make_orders(self, count: int) -> list[Any]:
        """Write orders down that have been claimed."""
        from ledger.models import Order  # noqa: PLC0415
        from ledger.services.journal import OrderPlan, write_orders  # noqa: PLC0415
        from markets.domain.orders import Side  # noqa: PLC0415

        plan = OrderPlan(
            account_id=self.account.pk,
            market_id=self.market.pk,
            strategy_id=None,
            execution_id=None,
            leg_index=0,
            side=Side.BUY,
            quantity=Decimal("0.5"),
            price=Decimal(60_000),
        )
        orders = write_orders(plans=[plan] * count)
        Order.objects.filter(pk__in=[order.pk for order in orders]).update(state="submitting")
        for order in orders:  # as the journal's claim loads them
            order.market, order.account = self.market, self.account
        return orders

    def report(self, order: Any) -> Any:
        """Return what the venue answers: filled in two executions."""
        from ledger.services.sending import Reported  # noqa: PLC0415
        from markets.domain.orders import (  # noqa: PLC0415
            Side,
            VenueFill,
            VenueOrder,
            VenueOrderStatus,
        )

        fills = []
        for quantity in (Decimal("0.2"), Decimal("0.3")):
            self._trade += 1
            fills.append(
                VenueFill(
                    venue_trade_id=str(self._trade),
                    venue_order_id=f"v{order.pk}",
                    symbol="BTC/USDT",
                    side=Side.BUY,
                    price=Decimal("59999.5"),
                    quantity=quantity,
                    fee=quantity / 1000,
                    fee_asset="BTC",
                    is_maker=False,
                    executed_at_ms=1_767_225_600_000 + self._trade,
                )
            )
        answer = VenueOrder(
            venue_order_id=f"v{order.pk}",
            client_order_id=order.client_order_id,
            symbol="BTC/USDT",
            side=Side.BUY,
            status=VenueOrderStatus.FILLED,
            quantity=order.quantity,
            filled_quantity=order.quantity,
            fills=tuple(fills),
        )
        return Reported(answer, answer.fills)


def ours(_stage: Stage, orders: Sequence[Any], reports: Reports) -> Work:
    """Return what books the executions of orders as the journal does."""
    from arbplatform.core.clock import SYSTEM_CLOCK  # noqa: PLC0415
    from ledger.services.recording import record  # noqa: PLC0415

    return partial(record, orders=orders, knowledge=reports, clock=SYSTEM_CLOCK, is_lookup=False)


def make_rows(stage: Stage, order: Any, report: Any) -> Iterator[tuple[Any, list[Any], Any]]:
    """Yield entry, postings and fill of each execution; none of them is saved."""
    from arbplatform.core.clock import from_ms  # noqa: PLC0415
    from ledger.models import Entry, Fill, Posting  # noqa: PLC0415

    base, quote = stage.market.base_id, stage.market.quote_id
    for fill in report.fills:
        cost, executed_at = fill.price * fill.quantity, from_ms(fill.executed_at_ms)
        entry = Entry(key=f"fill:{fill.venue_trade_id}", kind="fill", occurred_at=executed_at)
        postings = [
            Posting(
                entry=entry,
                book=book,
                account_id=stage.account.pk,
                wallet="spot" if book == "wallet" else "",
                asset_id=asset,
                amount=amount,
            )
            for book, asset, amount in (
                ("wallet", base, fill.quantity),
                ("trading", base, -fill.quantity),
                ("wallet", quote, -cost),
                ("trading", quote, cost),
                ("wallet", base, -fill.fee),
                ("trading_fees", base, fill.fee),
            )
        ]
        booked = Fill(
            order=order,
            account_id=order.account_id,
            market_id=order.market_id,
            venue_trade_id=fill.venue_trade_id,
            side=order.side,
            price=fill.price,
            quantity=fill.quantity,
            cost=cost,
            fee=fill.fee,
            fee_asset_id=base,
            is_maker=fill.is_maker,
            executed_at=executed_at,
            entry=entry,
        )
        yield entry, postings, booked


def by_save(stage: Stage, orders: Sequence[Any], reports: Reports) -> Work:
    """Return what books the same by one ``save()`` a row, in one transaction an order."""
    from django.db import transaction  # noqa: PLC0415
    from django.utils import timezone  # noqa: PLC0415

    from ledger.models import Order  # noqa: PLC0415

    def save_all() -> None:
        for one in orders:
            report = reports[one.pk]
            with transaction.atomic():
                order = Order.objects.select_for_update().get(pk=one.pk)
                for entry, postings, fill in make_rows(stage, order, report):
                    for row in (entry, *postings, fill):
                        row.save()
                    order.filled_quantity += fill.quantity
                    order.filled_cost += fill.cost
                order.state, order.venue_order_id = "filled", report.order.venue_order_id
                order.acknowledged_at = order.finished_at = timezone.now()
                order.save()

    return save_all


def by_copy(stage: Stage, orders: Sequence[Any], reports: Reports) -> Work:
    """Return what books the same by COPY, and one UPDATE of all orders; PostgreSQL only.

    It is the least that these rows cost the database with its guards: what is written was made
    ready before, nothing is locked, looked up or checked, and all orders end alike.
    """
    from django.db import connection, transaction  # noqa: PLC0415
    from django.db.models import CharField, Value  # noqa: PLC0415
    from django.db.models.functions import Cast, Concat  # noqa: PLC0415
    from django.utils import timezone  # noqa: PLC0415
    from psycopg2 import extensions  # noqa: PLC0415

    from ledger.models import Order  # noqa: PLC0415

    rows = [each for order in orders for each in make_rows(stage, order, reports[order.pk])]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence('ledger_entry', 'id'))"
            " FROM generate_series(1, %s)",
            [len(rows)],
        )
        for (entry, postings, fill), (number,) in zip(rows, cursor.fetchall(), strict=True):
            entry.pk = fill.entry_id = number
            for posting in postings:
                posting.entry_id = number
    entries, lines, fills = zip(*rows, strict=True)
    copies = [to_copy(each) for each in (entries, chain(*lines), fills)]
    of_one = [fill for fill in fills if fill.order_id == orders[0].pk]
    ended = {
        "state": "filled",
        "venue_order_id": Concat(Value("v"), Cast("pk", CharField())),
        "filled_quantity": sum(fill.quantity for fill in of_one),
        "filled_cost": sum(fill.cost for fill in of_one),
    }

    def copy_all() -> None:
        # the driver cannot copy while somebody else waits for it
        extensions.set_wait_callback(None)
        with transaction.atomic(), connection.cursor() as cursor:
            for command, text in copies:
                cursor.copy_expert(command, text)
            now = timezone.now()
            mine = Order.objects.filter(pk__in=[order.pk for order in orders])
            mine.update(**ended, acknowledged_at=now, finished_at=now)

    return copy_all


def to_copy(rows: Iterable[Any]) -> tuple[str, StringIO]:
    """Return the command and the text that write rows of one model.

    Keys are left to the database where the first row has none.
    """
    from django.db import connection  # noqa: PLC0415

    found = list(rows)
    meta = found[0]._meta
    fields = [each for each in meta.concrete_fields if not each.primary_key or found[0].pk]
    text = StringIO()
    for row in found:
        values = (
            field.get_db_prep_save(field.pre_save(row, add=True), connection) for field in fields
        )
        text.write("\t".join("\\N" if value is None else str(value) for value in values) + "\n")
    text.seek(0)
    columns = ", ".join(each.column for each in fields)
    return f"COPY {meta.db_table} ({columns}) FROM STDIN", text


def one_row(_stage: Stage, orders: Sequence[Any], _reports: Reports) -> Work:
    """Return what commits the least there is: how long the disk takes."""
    from ledger.models import Order  # noqa: PLC0415
    from ledger.services.rows import update_row  # noqa: PLC0415

    return partial(update_row, Order, orders[0].pk, {"lookup_count": 1})
