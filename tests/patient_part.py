"""Starts a program of the platform of which a busy machine makes no order and no decision too late.

``python -m tests.patient_part celery …``, or instead of ``celery …`` a command of ``manage.py``.
With ``LONG_LEASES`` in the environment, no lease of an engine lapses either.
"""

import os
import sys

import pytest


def main(program: str, *arguments: str) -> None:
    import django  # noqa: PLC0415  only in a process of its own

    django.setup()
    from tests.patience import lengthen_leases, lengthen_limits  # noqa: PLC0415

    patch = pytest.MonkeyPatch()
    lengthen_limits(patch)
    if "LONG_LEASES" in os.environ:
        lengthen_leases(patch)
    if program == "celery":
        from celery.__main__ import main as run_celery  # noqa: PLC0415

        sys.argv = [program, *arguments]
        run_celery()
    else:
        from django.core.management import execute_from_command_line  # noqa: PLC0415

        execute_from_command_line(["manage.py", program, *arguments])


if __name__ == "__main__":
    main(*sys.argv[1:])
