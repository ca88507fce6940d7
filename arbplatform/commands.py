"""Management commands that answer a person at a terminal."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import translation


class TerminalCommand(BaseCommand):
    """A command whose answers are in the language of the terminal, as those of ``up`` are.

    ``ARB_LANGUAGE`` counts where somebody has set it. Its default is for browsers that ask for no
    language: whoever has to stop trading from a shell should not have to know it.
    """

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Carry it out; what it raises is in that language, too."""
        with translation.override(settings.COMMAND_LANGUAGE):
            answer: str | None = super().execute(*args, **options)
        return answer
