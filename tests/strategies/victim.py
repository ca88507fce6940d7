"""A process that does one thing and is killed by SIGKILL when it comes to a crash point.

``python -m tests.strategies.victim DATABASE POINT tick STRATEGY_ID``, or in the place of the tick
``send ORDER_ID``, ``cancel ORDER_ID``, or ``lookup MILLISECONDS``: a sweep so much later.
"""

import os
import signal
import sys
from enum import StrEnum

import pytest


def main(database: str, point: str, action: str, argument: str) -> None:
    import django  # noqa: PLC0415  the settings are chosen first
    from django.conf import settings  # noqa: PLC0415

    settings.DATABASES["default"]["NAME"] = database
    django.setup()

    from arbplatform.core.crashpoints import observe  # noqa: PLC0415
    from tests.patience import lengthen_limits  # noqa: PLC0415

    # much is imported, and venues are connected, only when the order has been claimed
    lengthen_limits(pytest.MonkeyPatch())

    def kill(reached: StrEnum) -> None:
        if reached == point:
            os.kill(os.getpid(), signal.SIGKILL)

    with observe(kill):
        act(action, int(argument))


def act(action: str, number: int) -> None:
    """Do what is to be interrupted."""
    from ledger.services.journal import (  # noqa: PLC0415
        cancel_order,
        resolve_unknown_orders,
        submit_orders,
    )
    from strategies.services.ticks import run_tick  # noqa: PLC0415
    from tests.strategies.fakes import SkewedClock  # noqa: PLC0415

    if action == "tick":
        run_tick(strategy_id=number, is_spacing_kept=False)
    elif action == "send":
        submit_orders(order_ids=[number])
    elif action == "cancel":
        cancel_order(order_id=number)
    else:
        clock = SkewedClock()
        clock.advance_ms(number)
        resolve_unknown_orders(clock=clock)


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "arbplatform.settings.test"
    main(*sys.argv[1:])
