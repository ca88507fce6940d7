"""Lists the commands that run without Django among Django's own."""

import sys
from typing import Any, ClassVar

from django.core.management.base import BaseCommand

from arbplatform.management import launch


class LaunchCommand(BaseCommand):
    """A command that ``manage.py`` hands over before Django is loaded.

    Class attributes:
        launched: its name.
    """

    launched: ClassVar[str]
    requires_system_checks = ()

    def run_from_argv(self, argv: list[str]) -> None:
        """Take the arguments as they are: ``launch`` parses them."""
        sys.exit(launch.main(argv[1:]))

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Run with the default options, for ``call_command``."""
        launch.main([self.launched])
