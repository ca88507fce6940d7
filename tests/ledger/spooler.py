"""A process that sends one order, and is killed by SIGKILL once its outcome is in the spool.

``python -m tests.ledger.spooler SPOOL_DIR ORDER_ID``; the database is DATABASE_URL. It writes a
line when the venue has the order, and goes on when it gets one.
"""

import os
import signal
import sys
from pathlib import Path

import pytest


def main(spool_dir: str, order_id: str) -> None:
    import django  # noqa: PLC0415  the settings are chosen first
    from django.conf import settings  # noqa: PLC0415

    settings.SPOOL_DIR = Path(spool_dir)
    django.setup()

    from ledger.errors import JournalAway  # noqa: PLC0415
    from ledger.services.journal import submit_orders  # noqa: PLC0415
    from markets.gateway.factory import use_gateways  # noqa: PLC0415
    from tests.ledger.fakes import FakeVenue  # noqa: PLC0415
    from tests.patience import lengthen_limits  # noqa: PLC0415

    lengthen_limits(pytest.MonkeyPatch())

    def wait(_request: object) -> None:
        sys.stdout.write("sent\n")
        sys.stdout.flush()
        sys.stdin.readline()

    venue = FakeVenue("alpha", after_submit=wait)
    with use_gateways(lambda _spec, _credentials: venue):  # type: ignore[arg-type, return-value]
        try:
            submit_orders(order_ids=[int(order_id)])
        except JournalAway:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "arbplatform.settings.test"
    main(*sys.argv[1:])
