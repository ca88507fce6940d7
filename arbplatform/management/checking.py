"""What ``up`` asks before anything starts: ``python -m arbplatform.management.checking``.

Writes one JSON object for its caller: an empty list of problems, or the field ``error``. It is no
management command: settings that cannot even be loaded leave none.
"""

import json
import os
import sys

import django
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.utils import translation

from arbplatform.core.errors import ArbError
from arbplatform.core.languages import find_language
from arbplatform.management.bootstrap import check_database, to_report
from arbplatform.management.errors import ConfigurationRefused


def main() -> None:
    """Check the configuration and report, in the language of the terminal."""
    try:
        report = check_configuration()
    except ArbError as error:
        report = to_report(error)
    sys.stdout.write(json.dumps(report))


def check_configuration() -> dict[str, object]:
    """Load the settings, reach the database and make Django's checks; change nothing.

    Raises:
        ConfigurationRefused: what has to be mended first.
        DatabaseUnusable: the database cannot be reached, or refuses us.
    """
    try:
        django.setup()
    except (ImproperlyConfigured, ValueError) as error:
        raise ConfigurationRefused(problems=_end(str(error))) from error
    check_database()
    language = translation.to_language(find_language(os.environ)) or "en"
    try:
        with translation.override(language):
            found = checks.run_checks(databases=list(connections))
        serious = (each for each in found if each.is_serious() and not each.is_silenced())
        problems = [_tell(each) for each in serious]
    finally:
        connections.close_all()
    if problems:
        raise ConfigurationRefused(problems=" ".join(problems))
    return {"problems": []}


def _tell(message: checks.CheckMessage) -> str:
    parts = (str(message.msg), str(message.hint or ""), f"({message.id})")
    return " ".join(filter(None, parts))


def _end(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


if __name__ == "__main__":
    main()
