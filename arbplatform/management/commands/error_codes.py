"""``manage.py error_codes``: write docs/error-codes.md from the error classes."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from arbplatform.management.error_codes import render_error_codes


class Command(BaseCommand):
    """Writes the list of public error codes."""

    help = "Write docs/error-codes.md from the error classes."
    requires_system_checks = ()

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Write the file."""
        path = Path(settings.BASE_DIR) / "docs" / "error-codes.md"
        path.parent.mkdir(exist_ok=True)
        path.write_text(render_error_codes(), encoding="utf-8")
        self.stdout.write(f"Wrote {path.relative_to(settings.BASE_DIR)}.")
