"""``manage.py settle_demo``: what ``demo`` does at its end."""

import json
from typing import Any

from django.core.management.base import BaseCommand

from arbplatform.core.errors import ArbError
from arbplatform.management import demo_audit
from arbplatform.management.bootstrap import to_report


class Command(BaseCommand):
    """Stops all strategies, waits until nothing moves, and writes the reckoning as JSON."""

    help = "Stop all strategies, wait until nothing moves, and compare every book."
    requires_system_checks = ()

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Settle and report, or say in one sentence why that cannot be done."""
        try:
            demo_audit.settle()
            report = demo_audit.audit()
        except ArbError as error:
            report = to_report(error)
        self.stdout.write(json.dumps(report))
