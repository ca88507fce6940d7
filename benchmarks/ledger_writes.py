"""How fast executions reach the books, beside the ORM's ``save()`` for every row.

One group is an order with two executions as a venue reports them: both write two entries, twelve
postings and two fills, and bring the order up to date, against the same tables with the same
guards. The reference saves every row by itself, in one transaction a group. Ours is what the
journal calls, with 1, 10 and 100 orders in a transaction. All take turns in the same run. What the
disk alone takes of a group is shown by a transaction that writes one column of one row.

It runs on SQLite (WAL, every commit on disk) and on PostgreSQL (fsync) from a wheel.

Usage: ``python -m benchmarks.ledger_writes [--groups 400]``. Targets: one group a transaction
>= 4 x, a hundred >= 10 x the reference.
"""

import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from benchmarks.parts.results import Row, report, times_better
from benchmarks.parts.scratch import scratch_platform
from benchmarks.parts.scripts import (
    DATABASES,
    make_database_parser,
    run_on_databases,
    run_script,
)

BATCHES = (1, 10, 100)
TARGETS = {1: 4.0, 100: 10.0}


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


def record_ours(stage: Stage, orders: Sequence[Any]) -> None:
    """Book what the orders executed as the journal does."""
    from arbplatform.core.clock import SYSTEM_CLOCK  # noqa: PLC0415
    from ledger.services.recording import record  # noqa: PLC0415

    reports = {order.pk: stage.report(order) for order in orders}
    record(orders=orders, knowledge=reports, clock=SYSTEM_CLOCK, is_lookup=False)


def record_by_save(stage: Stage, orders: Sequence[Any]) -> None:
    """Book the same by one ``save()`` a row, in one transaction an order."""
    from django.db import transaction  # noqa: PLC0415
    from django.utils import timezone  # noqa: PLC0415

    from arbplatform.core.clock import from_ms  # noqa: PLC0415
    from ledger.models import Entry, Fill, Order, Posting  # noqa: PLC0415

    base, quote = stage.market.base_id, stage.market.quote_id
    for one in orders:
        answer = stage.report(one)
        with transaction.atomic():
            order = Order.objects.select_for_update().get(pk=one.pk)
            for fill in answer.fills:
                cost = fill.price * fill.quantity
                entry = Entry(
                    key=f"fill:{fill.venue_trade_id}",
                    kind="fill",
                    occurred_at=from_ms(fill.executed_at_ms),
                )
                entry.save()
                for book, asset, amount in (
                    ("wallet", base, fill.quantity),
                    ("trading", base, -fill.quantity),
                    ("wallet", quote, -cost),
                    ("trading", quote, cost),
                    ("wallet", base, -fill.fee),
                    ("trading_fees", base, fill.fee),
                ):
                    Posting(
                        entry=entry,
                        book=book,
                        account_id=stage.account.pk,
                        wallet="spot" if book == "wallet" else "",
                        asset_id=asset,
                        amount=amount,
                    ).save()
                Fill(
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
                    executed_at=from_ms(fill.executed_at_ms),
                    entry=entry,
                ).save()
                order.filled_quantity += fill.quantity
                order.filled_cost += cost
            order.state, order.venue_order_id = "filled", answer.order.venue_order_id
            order.acknowledged_at = order.finished_at = timezone.now()
            order.save()


def touch_one_row(_stage: Stage, orders: Sequence[Any]) -> None:
    """Commit the least there is: how long the disk takes."""
    from ledger.models import Order  # noqa: PLC0415
    from ledger.services.rows import update_row  # noqa: PLC0415

    update_row(Order, orders[0].pk, {"lookup_count": 1})


def measure(groups: int) -> dict[str, float]:
    """Return groups a second of the reference and of ours by batch size."""
    stage = Stage()
    spent: dict[str, float] = {}
    done: dict[str, int] = {}

    def run(name: str, work: Callable[[Stage, Sequence[Any]], None], batch: int) -> None:
        orders = stage.make_orders(batch)
        began = time.perf_counter()
        work(stage, orders)
        spent[name] = spent.get(name, 0.0) + time.perf_counter() - began
        done[name] = done.get(name, 0) + batch

    for number in range(groups + groups // 10):
        if number == groups // 10:  # the first tenth warms caches and statements up
            spent.clear()
            done.clear()
        run("save", record_by_save, 1)
        run("commit", touch_one_row, 1)
        for batch in BATCHES:
            if number % batch == 0:
                run(str(batch), record_ours, batch)
    return {name: done[name] / spent[name] for name in spent}


def measure_here(groups: int) -> int:
    """Measure on the configured database and print; return 1 when a target is missed."""
    with scratch_platform():
        from django.db import connection  # noqa: PLC0415

        from ledger.selectors import imbalances, list_total_errors  # noqa: PLC0415

        rates = measure(groups)
        books = imbalances() or list_total_errors() or "balanced, running totals right"
        vendor = connection.vendor
        connection.close()
    name = DATABASES[vendor]
    print(f"{name}: 1 order, 2 fills, 12 postings a group; {groups} groups each")
    print(f"one column of one row: {rates['commit']:.0f} a second; books afterwards: {books}")
    return report(row_of(name, batch, rates) for batch in BATCHES)


def row_of(name: str, batch: int, rates: dict[str, float]) -> Row:
    """Return what came of one size of transactions on one database."""
    against = {"reference": rates["save"], "reference_name": "ORM save() each"}
    subject, rate = f"groups booked, {batch} a transaction, {name}", rates[str(batch)]
    target = TARGETS.get(batch)
    if target is None:
        return Row(subject, rate, "groups/s", ratio=rate / rates["save"], **against)
    return times_better(subject, rate, "groups/s", target, **against)


def main() -> int:
    """Measure on both databases; return 1 when a target is missed on one."""
    parser = make_database_parser(__doc__)
    parser.add_argument("--groups", type=int, default=400)
    options = parser.parse_args()
    groups = 100 if options.quick else options.groups
    return run_on_databases(options.database, partial(measure_here, groups))


if __name__ == "__main__":
    run_script(main)
