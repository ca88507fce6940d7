"""``python -m markets.simulator``: as ``manage.py simulate``, in a third of the memory."""

import argparse
import logging
import sys

from arbplatform.core.errors import ArbError
from markets.simulator.cli import add_arguments, serve


def main() -> int:
    """Serve until told to stop; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m markets.simulator", description=__doc__)
    add_arguments(parser)
    options = vars(parser.parse_args())
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        serve(**options, say=_say)
    except ArbError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
