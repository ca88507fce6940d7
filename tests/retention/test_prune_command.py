"""``manage.py prune`` and the page of the console."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from arbplatform.core.clock import SYSTEM_CLOCK
from arbplatform.retention.models import Retention
from arbplatform.retention.pruning import LEASE, ensure_rows
from ledger.models import LogEntry

pytestmark = pytest.mark.django_db

OLD_DAYS = 3_000


def prune(*args):
    out = StringIO()
    call_command("prune", *args, stdout=out)
    return out.getvalue()


def row_of(name, text):
    rows = ([cell.strip() for cell in line.strip("│").split("│")] for line in text.splitlines())
    [cells] = [cells for cells in rows if cells[0] == name]
    return cells


def test_everything_old_is_removed_and_what_is_left_is_said(write_logs):
    write_logs(120, days=OLD_DAYS)

    said = prune()

    title, *figures, _size = row_of("logs", said)[1:]
    assert (title, figures) == ("Log entries below warnings", ["30", "120", "120", "0", "–"])
    assert LogEntry.objects.count() == 0


def test_a_dry_run_counts_and_removes_nothing(write_logs):
    write_logs(120, days=OLD_DAYS)

    said = prune("--dry-run", "--kind", "logs")

    assert row_of("logs", said)[2:5] == ["30", "120", "–"]
    assert "opportunities" not in said
    assert LogEntry.objects.count() == 120
    assert Retention.objects.get(kind="logs").last_run_at is None


def test_a_kind_that_does_not_exist_is_refused_with_those_that_do(write_logs):
    write_logs(1, days=OLD_DAYS)

    with pytest.raises(
        CommandError, match=r"no such kind of rows.*comparisons, disc.*, engines.*warnings"
    ):
        prune("--kind", "orders")

    assert LogEntry.objects.count() == 1


def test_a_kind_that_somebody_else_is_at_is_named(write_logs):
    write_logs(1, days=OLD_DAYS)
    ensure_rows()
    Retention.objects.filter(kind="logs").update(lease_until=SYSTEM_CLOCK.now() + LEASE)

    said = prune("--kind", "logs")

    assert "another process is at it: logs. Call it again in a minute." in said
    assert LogEntry.objects.count() == 1


@pytest.mark.usefixtures("chinese_terminal")
def test_the_output_is_in_the_language_of_the_terminal(write_logs):
    ensure_rows()
    Retention.objects.filter(kind="logs").update(lease_until=SYSTEM_CLOCK.now() + LEASE)

    said = prune("--kind", "logs")
    with pytest.raises(CommandError, match=r"没有这类数据。已知的种类：alarms, comparisons, "):
        prune("--kind", "orders")

    assert "另一个进程正在处理，尚未检查：logs。请一分钟后再运行。" in said
    assert all(title in said for title in ("类型", "保留 [天]", "可删除", "已删除", "行数", "大小"))
    assert row_of("logs", said)[1] == "警告级别以下的日志"


def test_the_console_shows_every_kind_before_anything_ran(console):
    page = console.get(reverse("admin:retention_retention_changelist"), HTTP_ACCEPT_LANGUAGE="en")

    text = page.content.decode()
    assert "Warnings and errors in logs" in text
    assert "365 days" in text
    assert "those that were carried out, with what was decided on" in text


def test_the_console_says_whose_rows_lie_in_the_same_table(console):
    ensure_rows()
    Retention.objects.filter(kind__in=("logs", "sessions")).update(size_bytes=2048, is_behind=True)

    page = console.get(reverse("admin:retention_retention_changelist"), HTTP_ACCEPT_LANGUAGE="en")

    text = page.content.decode()
    assert text.count("2.0\xa0KB") == 2
    assert "2.0\xa0KB, in one table with: Warnings and errors in logs" in text


def test_the_console_says_what_is_kept_for_ever(console, settings):
    settings.RETENTION_DAYS = {**settings.RETENTION_DAYS, "logs": 0}

    page = console.get(reverse("admin:retention_retention_changelist"), HTTP_ACCEPT_LANGUAGE="en")

    assert "for ever" in page.content.decode()


def test_nobody_changes_it_in_the_console(console):
    ensure_rows()
    row = Retention.objects.get(kind="logs")

    address = reverse("admin:retention_retention_change", args=[row.pk])
    answer = console.post(address, {"kind": "orders"})

    row.refresh_from_db()
    assert (answer.status_code, row.kind) == (403, "logs")
