"""A Celery worker that writes down every tick that it claims: ``scheduled_scale`` reads it.

Usage: ``python -m benchmarks.parts.recorded_worker FILE [worker options]``. One line of JSON a
batch or tick; ``claims`` says what is in it.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from threading import Lock
from typing import Any

import django

from arbplatform.core.clock import SYSTEM_CLOCK

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "arbplatform.settings.dev")


def main() -> None:
    """Wrap what runs ticks, then be a worker."""
    django.setup()
    from arbplatform.celery import app  # noqa: PLC0415  after django.setup()
    from strategies.services import batch_ticks, ticks  # noqa: PLC0415
    from strategies.services.ticks import TickOutcome  # noqa: PLC0415

    lock = Lock()

    def now_s() -> float:
        return SYSTEM_CLOCK.now_ms() / 1_000

    run_batch, run_tick = batch_ticks.run_batch, ticks.run_tick
    claim_tick = ticks.claim_tick  # type: ignore[attr-defined]  # replaced where it is used
    claimed: dict[int, float] = {}
    with open(sys.argv[1], "a", encoding="utf-8") as file:  # noqa: PTH123

        def note(began: float, due_ms: int | None, ids: list[int], **more: Any) -> None:
            row = {"began": began, "ended": now_s(), "due_ms": due_ms, "ids": ids} | more
            with lock:
                file.write(json.dumps(row) + "\n")
                file.flush()

        def batch(**options: Any) -> Any:
            began, cpu = now_s(), time.thread_time()
            report = run_batch(**options)
            note(
                began,
                options.get("due_ms"),
                sorted(report.quiet),
                alone=len(report.alone),
                dropped=report.dropped,
                lag_ms=report.lag_ms,
                cpu_ms=(time.thread_time() - cpu) * 1_000,
                stages=report.durations_ms,
                # what it hands over to others is no part of its ticks
                ended=now_s() - report.durations_ms.get("hand_over", 0) / 1_000,
            )
            return report

        def claim(strategy: Any, **options: Any) -> Any:
            won = claim_tick(strategy, **options)
            if won is not None:
                claimed[strategy.pk] = won.claimed_at.timestamp()
            return won

        def tick(**options: Any) -> Any:
            report = run_tick(**options)
            if report.outcome is not TickOutcome.DROPPED:
                # what came before the claim was only reading
                note(claimed[options["strategy_id"]], None, [options["strategy_id"]])
            return report

        replace: Callable[..., None] = setattr
        replace(batch_ticks, "run_batch", batch)
        replace(ticks, "run_tick", tick)
        replace(ticks, "claim_tick", claim)
        app.worker_main(["--quiet", "worker", *sys.argv[2:]])


if __name__ == "__main__":
    main()
