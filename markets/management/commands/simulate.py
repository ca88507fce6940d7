"""``manage.py simulate``: run the simulated venues alone, until told to stop."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from arbplatform.core.errors import ArbError
from markets.feed.frames import open_session
from markets.simulator import cli

OPTIONS = ("config", "host", "port", "state_dir", "seed", "faults")


class Command(BaseCommand):
    """Serves the venues of a configuration file.

    ``python -m markets.simulator`` takes the same options and needs a third of the memory, but
    cannot replay recorded sessions of feeds.
    """

    help = "Run simulated venues: the Binance spot protocol over HTTP and WebSocket."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        cli.add_arguments(parser)

    def handle(self, *_: Any, **options: Any) -> None:
        """Serve until SIGTERM or SIGINT.

        Raises:
            CommandError: in one sentence, when the simulation cannot start.
        """
        try:
            cli.serve(
                **{name: options[name] for name in OPTIONS},
                say=self._say,
                open_session=open_session,
            )
        except ArbError as error:
            raise CommandError(str(error)) from None

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
