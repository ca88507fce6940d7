"""Encrypts every stored secret with the newest key."""

from typing import Any

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from accounts.services.vault import rotate_secrets
from arbplatform.commands import TerminalCommand
from arbplatform.core.errors import ArbError
from arbplatform.wording import render


class Command(TerminalCommand):
    """``manage.py rotate_secrets``."""

    help = (
        "Encrypt every stored secret again with the first key of FIELD_ENCRYPTION_KEYS. "
        "Put a new key in front of the list and restart everything first; "
        "drop the old key afterwards."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Rotate, and say how many accounts were done."""
        try:
            count = rotate_secrets()
        except ArbError as error:
            raise CommandError(render(error.message)) from error
        told = _("Encrypted the secrets of {count} accounts with the newest key.")
        self.stdout.write(told.format(count=count))
