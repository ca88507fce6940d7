"""How fast executions reach the books, beside the ORM's ``save()`` for every row.

One group is an order with two executions as a venue reports them: all ways write two entries,
twelve postings and two fills, and bring the order up to date, in the same tables with the same
guards. The reference saves every row by itself, in one transaction a group. Ours is what the
journal calls, with 1, 10 and 100 orders in a transaction. All take turns in the same run.

Two lower bounds stand beside them: COPY of a hundred groups that were never checked (PostgreSQL),
and a transaction that writes one column of one row, which is what the disk alone takes.

Usage: ``python -m benchmarks.ledger_writes [--groups 400] [--database sqlite|postgresql]``.
Targets, on PostgreSQL: one group a transaction >= 4 x, a hundred >= 10 x the reference.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from benchmarks.parts.executions import Reports, Stage, Work, by_copy, by_save, one_row, ours
from benchmarks.parts.results import Row, report, times_better
from benchmarks.parts.scratch import scratch_platform
from benchmarks.parts.scripts import (
    DATABASES,
    make_database_parser,
    run_on_databases,
    run_script,
)

BATCHES = (1, 10, 100)
COPY_BATCH = 100
TARGETS = {1: 4.0, 100: 10.0}

Way = Callable[[Stage, Sequence[Any], Reports], Work]


def measure(groups: int, *, has_copy: bool) -> dict[str, float]:
    """Return groups a second of each way: ``save``, ``commit``, ``copy``, and ours by batch."""
    stage = Stage()
    spent: dict[str, float] = defaultdict(float)
    done: dict[str, int] = defaultdict(int)

    def book(name: str, way: Way, batch: int) -> None:
        orders = stage.make_orders(batch)
        reports = {order.pk: stage.report(order) for order in orders}
        work = way(stage, orders, reports)
        began = time.perf_counter()
        work()
        spent[name] += time.perf_counter() - began
        done[name] += batch

    for number in range(groups + groups // 10):
        if number == groups // 10:  # the first tenth warms caches and statements up
            spent.clear()
            done.clear()
        book("save", by_save, 1)
        book("commit", one_row, 1)
        for batch in BATCHES:
            if number % batch == 0:
                book(str(batch), ours, batch)
        if has_copy and number % COPY_BATCH == 0:
            book("copy", by_copy, COPY_BATCH)
    return {name: done[name] / spent[name] for name in spent}


def measure_here(groups: int) -> int:
    """Measure on the configured database and print; return 1 when a target is missed."""
    with scratch_platform():
        from django.db import connection  # noqa: PLC0415

        from ledger.selectors import imbalances, list_total_errors  # noqa: PLC0415

        vendor = connection.vendor
        rates = measure(groups, has_copy=vendor == "postgresql")
        wrong = imbalances() or list_total_errors()
        connection.close()
    if wrong:
        raise SystemExit(f"the books are wrong: {wrong}")
    print(f"{DATABASES[vendor]}: 1 order, 2 fills, 12 postings a group; {groups} groups each")
    print(f"one column of one row: {rates['commit']:.0f} a second")
    return report(rows_of(vendor, rates))


def rows_of(vendor: str, rates: dict[str, float]) -> Iterator[Row]:
    """Yield what came of each size of transactions on one database."""
    saved, by_orm = rates["save"], "ORM save() each"
    for batch in BATCHES:
        name, rate = f"groups booked, {batch} a transaction", rates[str(batch)]
        subject, unit = f"{name}, {DATABASES[vendor]}", "groups/s"
        if vendor == "postgresql" and batch in TARGETS:
            target = TARGETS[batch]
            yield times_better(
                *(subject, rate, unit, target), reference=saved, reference_name=by_orm
            )
        else:
            yield Row(
                *(subject, rate, unit),
                reference=saved,
                reference_name=by_orm,
                ratio=rate / saved,
            )
    if "copy" in rates:
        best = rates[str(COPY_BATCH)]
        yield Row(
            f"groups booked, {COPY_BATCH} a transaction, beside COPY",
            *(best, "groups/s"),
            reference=rates["copy"],
            reference_name="COPY without any check",
            ratio=best / rates["copy"],
        )


def main() -> int:
    """Measure on both databases; return 1 when a target is missed on one."""
    parser = make_database_parser(__doc__)
    parser.add_argument("--groups", type=int, default=400)
    options = parser.parse_args()
    groups = 100 if options.quick else options.groups
    return run_on_databases(options.database, partial(measure_here, groups))


if __name__ == "__main__":
    run_script(main)
