"""A process that runs one tick and is killed by SIGKILL when it comes to a crash point.

``python -m tests.strategies.victim DATABASE STRATEGY_ID POINT``
"""

import os
import signal
import sys


def main(database: str, strategy_id: str, point: str) -> None:
    import django  # noqa: PLC0415  the settings are chosen first
    from django.conf import settings  # noqa: PLC0415

    settings.DATABASES["default"]["NAME"] = database
    django.setup()

    from strategies.services.crashpoints import CrashPoint, observe  # noqa: PLC0415
    from strategies.services.ticks import run_tick  # noqa: PLC0415

    def kill(reached: CrashPoint) -> None:
        if reached == point:
            os.kill(os.getpid(), signal.SIGKILL)

    with observe(kill):
        run_tick(strategy_id=int(strategy_id), is_spacing_kept=False)


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "arbplatform.settings.test"
    main(*sys.argv[1:])
