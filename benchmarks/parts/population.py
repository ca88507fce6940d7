"""Thousands of strategies that run: the first by the services, the others written down like it."""

import json
from collections.abc import Sequence
from typing import Any

BATCH = 500


def make_strategies(
    accounts: Sequence[Any], symbols: Sequence[str], count: int, *, driver: str = "schedule"
) -> None:
    """Write ``count`` running cross-venue strategies down, in turn on each symbol.

    Args:
        accounts: that all of them use.
        symbols: one of each strategy.
        count: as many as symbols, or more.
        driver: "schedule", each second, or "stream".
    """
    from strategies.domain.states import StrategyDriver  # noqa: PLC0415  after django.setup()
    from strategies.services.runs import start_strategy  # noqa: PLC0415
    from strategies.services.strategies import create_strategy  # noqa: PLC0415

    for number, symbol in enumerate(symbols):
        strategy = create_strategy(
            name=f"original {number}",
            slug="cross-venue",
            params={"symbols": [symbol], "max_notional": "500"},
            account_ids=[account.pk for account in accounts],
            interval_ms=1_000,
            driver=StrategyDriver(driver),
        )
        start_strategy(strategy_id=strategy.pk, user=None)
    copy_strategies(count - len(symbols))


def copy_strategies(count: int) -> None:
    """Write ``count`` more running strategies, in turn like those that are there."""
    from django.db import connection, transaction  # noqa: PLC0415

    from strategies.models import Run, Strategy  # noqa: PLC0415

    originals = list(Strategy.objects.order_by("pk"))
    copies = [
        copy_row(
            originals[number % len(originals)],
            name=f"copy {len(originals) + number}",
            periodic_task=None,
        )
        for number in range(count)
    ]
    with transaction.atomic():
        Strategy.objects.bulk_create(copies, batch_size=BATCH)
        uses = Strategy.accounts.through
        account_ids = list(originals[0].accounts.values_list("pk", flat=True))
        uses.objects.bulk_create(
            [
                uses(strategy_id=copy.pk, venueaccount_id=account_id)
                for copy in copies
                for account_id in account_ids
            ],
            batch_size=BATCH,
        )
        run = Run.objects.order_by("pk").first()
        Run.objects.bulk_create(
            [copy_row(run, strategy_id=copy.pk, params=copy.params) for copy in copies],
            batch_size=BATCH,
        )
        if originals[0].periodic_task_id is not None:
            schedule_copies(originals[0], copies)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # what a database does by itself some minutes later


def schedule_copies(original: Any, copies: Sequence[Any]) -> None:
    """Give each copy the row of django-celery-beat that staff see and edit."""
    from django_celery_beat.models import PeriodicTask  # noqa: PLC0415

    from strategies.models import Strategy  # noqa: PLC0415

    task = PeriodicTask.objects.get(pk=original.periodic_task_id)
    tasks = PeriodicTask.objects.bulk_create(
        [
            copy_row(
                task,
                name=f"strategies: tick #{copy.pk}",
                kwargs=json.dumps({"strategy_id": copy.pk}),
                description=copy.name,
            )
            for copy in copies
        ],
        batch_size=BATCH,
    )
    for copy, made in zip(copies, tasks, strict=True):
        copy.periodic_task = made
    Strategy.objects.bulk_update(copies, ["periodic_task"], batch_size=200)


def copy_row(row: Any, **changes: Any) -> Any:
    """Return a new row of the same model with some columns changed; it is not saved."""
    values = {
        field.attname: getattr(row, field.attname)
        for field in row._meta.concrete_fields
        if not field.primary_key
    }
    for name, value in changes.items():
        values[type(row)._meta.get_field(name).attname] = value
    return type(row)(**values)
