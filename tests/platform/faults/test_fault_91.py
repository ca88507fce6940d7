"""A disk that fills is announced, ends new trades at 95 %, and leaves nothing half written."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from arbplatform.background.diskwatch import DiskLevel, DiskWatch, level_of, measure
from arbplatform.persistence.spool import Spool
from arbplatform.watch import DiskGuard, guard_name
from ledger.domain.halts import EVERYTHING, TradingEvent
from ledger.models import LogEntry, Order
from ledger.selectors.halts import list_halts
from ledger.services import guards
from ledger.services.halts import change_trading
from strategies.services.ticks import TickOutcome, run_tick

ROOT = Path(__file__).parents[3]
NAME = guard_name("disk")


@pytest.fixture
def disk():
    """How much of the disk is used [percent], to be set by the test."""
    return {"used": 50}


@pytest.fixture
def guard(db, disk):
    return DiskGuard(DiskWatch(Path("/anywhere"), lambda _path: disk["used"]))


@pytest.mark.parametrize(
    ("used", "level"),
    [
        (79, DiskLevel.FINE),
        (80, DiskLevel.ALARM),
        (90, DiskLevel.URGENT),
        (94, DiskLevel.URGENT),
        (95, DiskLevel.FULL),
        (100, DiskLevel.FULL),
    ],
)
def test_watermarks(used, level):
    assert level_of(used) is level


def test_a_real_disk_is_measured(tmp_path):
    assert 0 < measure(tmp_path) <= 100


def test_each_watermark_is_announced_once(guard, disk):
    for used in (50, 81, 85, 91, 96, 97, 50):
        disk["used"] = used
        guard.look()

    lines = LogEntry.objects.order_by("pk").exclude(event__startswith="trading_")
    assert [(row.event, row.context["used"]) for row in lines] == [
        ("disk_filling", 81),
        ("disk_nearly_full", 91),
        ("disk_full", 96),
        ("disk_fine", 50),
    ]


def test_nothing_new_is_begun_on_a_full_disk_and_it_goes_on_by_itself(guard, disk, cross, edge):
    disk["used"] = 95
    guard.look()
    report = run_tick(strategy_id=cross.pk, is_spacing_kept=False)
    assert (report.outcome, Order.objects.count()) == (TickOutcome.LEFT, 0)
    assert edge["alpha"].requests == edge["beta"].requests == []

    disk["used"] = 92
    guard.look()
    assert not guards.is_holding(NAME)

    report = run_tick(strategy_id=cross.pk, is_spacing_kept=False)
    assert report.outcome is TickOutcome.EXECUTED


def test_trading_does_not_flicker_at_the_limit(guard, disk):
    for used in (95, 93, 95, 93):
        disk["used"] = used
        guard.look()
        assert guards.is_holding(NAME)


def test_a_persons_halt_is_not_lifted_by_a_guard(guard, disk):
    change_trading(event=TradingEvent.HALT, scope=EVERYTHING, reason="by hand")
    for used in (96, 50):
        disk["used"] = used
        guard.look()

    assert [halt.key for halt in list_halts()] == ["global"]


def test_what_the_process_before_left_restricted_is_given_back(guard, disk):
    disk["used"] = 96
    guard.look()
    disk["used"] = 50

    DiskGuard(DiskWatch(Path("/anywhere"), lambda _path: 50)).look()

    assert not guards.is_holding(NAME)


FILL = """
import resource, signal, sys
from pathlib import Path
from arbplatform.persistence.spool import Spool
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
spool = Spool(Path(sys.argv[1]))
spool.append({"n": 0})
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
for n in range(1, 100):
    try:
        spool.append({"n": n, "filler": "x" * 10})
    except OSError as error:
        print(n, type(error).__name__)
        break
"""


def test_a_spool_that_cannot_grow_keeps_whole_lines_only(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(tmp_path)],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    refused, error = done.stdout.split()
    assert error == "OSError"
    taken: list[int] = []
    report = Spool(tmp_path).replay(lambda fact: taken.append(fact["n"]))
    assert (taken, report.rejected) == (list(range(int(refused))), 0)


SQLITE = """
import resource, signal
import django
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.db import OperationalError, connection
from markets.models import Asset
from markets.services.assets import ensure_assets
from django.db import transaction
# from its beginning: a log that migrations made long is written over, and never has to grow
connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, -1))
refused = None
for n in range(1000):
    try:
        with transaction.atomic():
            Asset.objects.create(code=f"A{n}", name="x" * 60)
            Asset.objects.create(code=f"B{n}", name="x" * 60)
    except OperationalError as error:
        refused = str(error)
        break
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
"""


def test_sqlite_refuses_cleanly_and_half_a_transaction_is_none(tmp_path):
    code = SQLITE + (
        "connection.close()\n"
        "a = Asset.objects.filter(code__startswith='A').count()\n"
        "b = Asset.objects.filter(code__startswith='B').count()\n"
        "Asset.objects.create(code='AFTER')\n"
        "print(n, a, b, refused)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ
        | {
            "DJANGO_SETTINGS_MODULE": "arbplatform.settings.test",
            "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3",
            "ARB_DATA_DIR": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    count, first, second, refused = done.stdout.split(maxsplit=3)
    assert refused.strip() in {"disk I/O error", "database or disk is full"}
    assert int(first) == int(second) == int(count) > 0


def test_limits_of_this_test_stay_in_its_children():
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
