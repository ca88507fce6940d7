"""``manage.py run_scanner``: looks for what earns on all enabled venues until it is told to end."""

from typing import Any

from django.core.management.base import BaseCommand

from strategies.engine.scanning import run_scanner


class Command(BaseCommand):
    """Run a scanner. Any number may run: one scans, the others wait to take over."""

    help = __doc__

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Run it."""
        run_scanner()
