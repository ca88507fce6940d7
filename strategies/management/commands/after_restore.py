"""Makes a database that was restored from a backup safe to trade with."""

import secrets
from typing import Any, Final

from django.utils.translation import gettext as _

from arbplatform.commands import TerminalCommand
from arbplatform.persistence.sequences import skip_ids
from strategies.models import Execution

SKIPPED: Final = 10_000_000
"""More executions than are begun between two backups."""

SKIPS_MAX: Final = 10_000_000
"""How many times as many may be skipped: ids stay exact in browsers over dozens of restores."""


class Command(TerminalCommand):
    """``manage.py after_restore``."""

    help = (
        "Run this once after an older backup of the database was put back, before anything is "
        "started: ids of executions, and the ids that orders have at venues, are then none that "
        "were used after that backup."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Skip ids, and say what comes next.

        How many is drawn: a backup that is put back a second time knows nothing of the ids that
        were used after the first time.
        """
        skip_ids(Execution, SKIPPED * (1 + secrets.randbelow(SKIPS_MAX)))
        told = _(
            "Orders that are sent from now on bear ids that were never used. Start the platform, "
            "and compare each account with its venue before strategies are started."
        )
        self.stdout.write(told)
