"""A transaction that deadlocks or finds SQLite busy is run again, and no order is sent again."""

import sqlite3
from threading import Thread
from typing import Any

import psycopg2
import pytest
from django.db import connection

from arbplatform.persistence import retries
from ledger.domain.orders import OrderState
from ledger.models import Fill, Order
from ledger.selectors import imbalances
from ledger.services.journal import submit_orders, write_orders

LOCK = "SELECT id FROM ledger_order WHERE id = %s FOR UPDATE"
WAITERS = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


class Stranger:
    """A session that locks orders in the wrong order, as nothing of ours does."""

    def __init__(self, url):
        directory, _slash, name = url.removeprefix("postgres://postgres@/").rpartition("/")
        self.session: Any = psycopg2.connect(host=directory, dbname=name, user="postgres")
        self.cursor = self.session.cursor()
        # the other one is to be given up
        self.cursor.execute("SET deadlock_timeout = '60s'")
        self._thread = Thread(target=self._lock_when_waited_for)
        self._wanted = 0

    def lock(self, order_id):
        self.cursor.execute(LOCK, [order_id])

    def lock_as_soon_as_somebody_waits(self, order_id):
        self._wanted = order_id
        self._thread.start()

    def _lock_when_waited_for(self):
        for _ in range(100_000):
            self.cursor.execute(WAITERS)
            if self.cursor.fetchone()[0]:
                break
        self.lock(self._wanted)
        self.session.rollback()

    def leave(self):
        self._thread.join(30)
        self.session.close()


def look_late_for_deadlocks():
    """We look once, and a busy machine may take long until there is something to see."""
    with connection.cursor() as cursor:
        cursor.execute("SET deadlock_timeout = '4s'")


def test_a_deadlock_while_outcomes_are_written_sends_nothing_again(
    own_database, make_plan, venue, sent_tasks, caplog
):
    look_late_for_deadlocks()
    first, second = write_orders(plans=[make_plan(0), make_plan(1)])
    stranger = Stranger(own_database.url)

    def come_between(request):
        if request.client_order_id == second.client_order_id:
            stranger.lock(second.pk)
            stranger.lock_as_soon_as_somebody_waits(first.pk)

    venue.after_submit = come_between

    done = submit_orders(order_ids=[first.pk, second.pk])

    stranger.leave()
    assert "record is run again, attempt 2: deadlock detected" in caplog.text
    assert [order.state for order in done] == [OrderState.FILLED, OrderState.FILLED]
    assert sorted(venue.submissions) == sorted([first.client_order_id, second.client_order_id])
    assert Fill.objects.count() == 4
    assert imbalances() == {}


def test_a_deadlock_while_orders_are_claimed_sends_each_once(
    own_database, make_plan, venue, sent_tasks, caplog
):
    look_late_for_deadlocks()
    first, second = write_orders(plans=[make_plan(0), make_plan(1)])
    stranger = Stranger(own_database.url)
    stranger.lock(second.pk)
    stranger.lock_as_soon_as_somebody_waits(first.pk)

    submit_orders(order_ids=[first.pk, second.pk])

    stranger.leave()
    assert "_claim is run again, attempt 2: deadlock detected" in caplog.text
    assert sorted(venue.submissions) == sorted([first.client_order_id, second.client_order_id])


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="about the locks of SQLite")
def test_orders_are_written_once_although_sqlite_was_busy(make_plan, monkeypatch, caplog):
    plan = make_plan()
    other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr(retries, "pause", lambda _attempt: other.execute("ROLLBACK"))
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 10")

    order = write_orders(plans=[plan])[0]

    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 20000")
    other.close()
    assert "write_orders is run again, attempt 2: database is locked" in caplog.text
    assert Order.objects.get().pk == order.pk
