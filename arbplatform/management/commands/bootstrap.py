"""``manage.py bootstrap``: what ``up`` does to the database before anything else runs."""

import json
import os
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from arbplatform.core.errors import ArbError
from arbplatform.management import bootstrap, demo_seed
from arbplatform.management.bootstrap import to_report


class Command(BaseCommand):
    """Prepares the database and, at a first start, the demo; safe to repeat.

    Writes one JSON object for its caller: the administrator's name, the password if it was just
    generated, or the field ``error``.
    """

    help = "Prepare the database: migrations, administrator and, at a first start, the demo."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the address of the simulated venues."""
        parser.add_argument("--simulator", default="", help="URL of the simulated venues")

    def handle(self, *_args: Any, simulator: str, **_options: Any) -> None:
        """Prepare everything, or say in one sentence why not."""
        try:
            report = prepare(simulator)
        except ArbError as error:
            report = to_report(error)
        self.stdout.write(json.dumps(report))


def prepare(simulator_url: str) -> dict[str, object]:
    """Prepare the database and return what happened.

    Args:
        simulator_url: where the simulated venues are; empty for none.

    Raises:
        ArbError: something that is needed is not there.
    """
    bootstrap.check_database()
    bootstrap.check_redis()
    bootstrap.migrate_database()
    administrator = bootstrap.ensure_administrator(os.environ.get("ARB_ADMIN_PASSWORD", ""))
    is_seeded = demo_seed.ensure_demo(simulator_url) if simulator_url else False
    return {
        "username": administrator.username,
        "password": administrator.password,
        "is_seeded": is_seeded,
    }
