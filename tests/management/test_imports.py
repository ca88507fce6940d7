"""Each process loads what it needs: all of them together must fit into a small machine."""

import json
import subprocess
import sys

import pytest
from django.conf import settings

from arbplatform.management import stack
from arbplatform.management.preflight import SELF_SUFFICIENT

DJANGO = "import django; django.setup()\n"
CELERY = "from arbplatform.celery import app; app.loader.import_default_modules()\n"
STARTS = {
    "supervisor": "import arbplatform.management.launch",
    "simulator": "import markets.simulator.__main__",
    "worker": CELERY + "import celery.worker.consumer",
    "beat": CELERY + "import arbplatform.background.scheduler",
    "engine": DJANGO + "import strategies.management.commands.run_engine",
    "scanner": DJANGO + "import strategies.management.commands.run_scanner",
    "web": "import arbplatform.management.web, arbplatform.urls",
}
"""What each process imports when it starts."""

NUMBERS = ("numpy", "pandas", "networkx")
VENUE_CLASSES = ("ccxt.binance", "ccxt.kraken", "ccxt.pro.binance", "ccxt.async_support.binance")
PAGES = (
    "unfold.admin",
    "strategies.admin",
    "arbplatform.urls",
    "psycopg2",
    "drf_spectacular.views",
)
NEEDLESS = {
    "supervisor": ("django.conf", "celery", "redis", "ccxt", "aiohttp", *NUMBERS),
    "simulator": ("django", "celery", "redis", "ccxt", *NUMBERS),
    "worker": (*PAGES, *VENUE_CLASSES, *NUMBERS),
    "beat": (*PAGES, *VENUE_CLASSES, *NUMBERS),
    "engine": (*PAGES, *VENUE_CLASSES, *NUMBERS),
    "scanner": (*PAGES, *VENUE_CLASSES, *NUMBERS),
    "web": (*VENUE_CLASSES, *NUMBERS),
}


def imported(code, data_dir):
    """Return the modules that a new process has after it ran ``code``."""
    options = stack.StackOptions(data_dir)
    ended = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport json, sys; print(json.dumps(list(sys.modules)))"],
        env=options.environment("") | {"DJANGO_SETTINGS_MODULE": SELF_SUFFICIENT},
        cwd=settings.BASE_DIR,
        stdout=subprocess.PIPE,
        check=True,
    )
    return set(json.loads(ended.stdout))


@pytest.mark.parametrize("name", STARTS)
def test_a_process_does_not_load_what_it_does_not_need(name, tmp_path):
    modules = imported(STARTS[name], tmp_path)

    assert [module for module in NEEDLESS[name] if module in modules] == []
