"""After an old backup was put back no order bears an id that another one has at its venue."""

from io import StringIO
from itertools import combinations

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.utils import translation

from arbplatform.core.ids import derive_client_id
from arbplatform.persistence import sequences
from ledger.models import Order
from strategies.management.commands.after_restore import SKIPPED, SKIPS_MAX
from strategies.models import Execution
from strategies.services.ticks import run_tick

pytestmark = pytest.mark.django_db


def test_executions_go_on_behind_all_that_may_have_been_begun_after_the_backup(
    cross, edge, monkeypatch
):
    run_tick(strategy_id=cross.pk)
    last = Execution.objects.get().pk
    monkeypatch.setattr(sequences, "_drawn", {})  # the platform was stopped
    used_after_the_backup = {
        derive_client_id(settings.ARB_INSTALL_ID, "order", last + number, leg, 0)
        for number in range(1, 200)
        for leg in (0, 1)
    }
    told = StringIO()

    call_command("after_restore", stdout=told)
    edge["alpha"].set_book("BTC/USDT", bids=[("49990", "1")], asks=[("50000", "1")])
    edge["beta"].set_book("BTC/USDT", bids=[("50500", "1")], asks=[("50510", "1")])
    run_tick(strategy_id=cross.pk, is_spacing_kept=False)

    assert last + SKIPPED < Execution.objects.latest("pk").pk < last + SKIPPED * (SKIPS_MAX + 1)
    assert not Order.objects.filter(client_order_id__in=used_after_the_backup).exists()
    assert "compare each account" in told.getvalue()


def put_back(table):
    """Put the sequence of a table where the backup has it."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", [table])
            cursor.execute("INSERT INTO sqlite_sequence VALUES (%s, 1000)", [table])
        else:
            cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), 1000)", [table])


def test_a_backup_that_is_put_back_a_second_time_leads_to_other_ids(monkeypatch):
    firsts = []
    for _restore in range(3):
        monkeypatch.setattr(sequences, "_drawn", {})
        put_back(Execution._meta.db_table)
        call_command("after_restore", stdout=StringIO())
        firsts += sequences.next_ids(Execution, 1)

    assert min(firsts) > 1000 + SKIPPED
    assert all(abs(one - other) >= SKIPPED for one, other in combinations(firsts, 2))


def test_an_id_is_exact_in_a_browser_after_dozens_of_restores():
    assert 50 * SKIPPED * SKIPS_MAX < 2**53


def test_an_english_terminal_is_answered_in_english_where_browsers_are_shown_chinese():
    told = StringIO()

    with translation.override("zh-hans"):
        call_command("after_restore", stdout=told)

    assert told.getvalue().startswith("Orders that are sent")
