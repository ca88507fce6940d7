#!/usr/bin/env python
"""Django's command line for arbplatform."""

import os
import runpy
import sys
from io import TextIOWrapper

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "arbplatform.settings.dev")
    if isinstance(sys.stdout, TextIOWrapper):
        # no sentence that a terminal cannot show ends a command halfway, least of all a kill
        sys.stdout.reconfigure(errors="backslashreplace")
    if len(sys.argv) > 1 and sys.argv[1] in {"up", "demo"}:
        # The supervisor stays out of Django, and out of the default data directory.
        runpy.run_module("arbplatform.management.launch", run_name="__main__")
    else:
        execute_from_command_line(sys.argv)
