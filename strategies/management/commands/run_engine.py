"""``manage.py run_engine``: runs strategies on streams until it is told to end."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from strategies.engine.process import run_engine
from strategies.engine.trading import trade


class Command(BaseCommand):
    """Run an engine. Any number may run, on any number of machines; they share the strategies."""

    help = __doc__

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Run it; the exit code is 0 after an orderly end and 1 after a crash."""
        sys.exit(run_engine(trade))
