"""An engine as ``manage.py run_engine`` runs it, which writes down how long its stages took.

``python -m benchmarks.parts.timed_engine FILE``: until it is ended in order.
"""

import json
import os
import sys
from functools import partial
from pathlib import Path

import django

from arbplatform.core.stages import StageRecorder


def main(stages: Path) -> int:
    """Trade; return the engine's exit code."""
    os.environ["LOG_LEVEL"] = "ERROR"  # without Redis, which nobody needs here, an engine complains
    django.setup()
    from strategies.engine.process import run_engine  # noqa: PLC0415  after django.setup()
    from strategies.engine.trading import trade  # noqa: PLC0415

    recorder = StageRecorder()
    code = run_engine(partial(trade, recorder=recorder))
    total = recorder.read().total
    stages.write_text(json.dumps({stage.value: took.to_dict() for stage, took in total.items()}))
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
