"""While the database is away no order leaves; what was sent before is spooled and booked once."""

import os
import signal
import stat
import subprocess
import sys
from decimal import Decimal as D
from pathlib import Path

import pytest
from django.db import DatabaseError
from django.utils import timezone

from arbplatform.core.clock import SYSTEM_CLOCK
from ledger import tasks
from ledger.domain.orders import OrderState
from ledger.errors import JournalAway
from ledger.models import Entry, Fill, Order
from ledger.selectors import imbalances, list_holdings
from ledger.services.journal import resolve_unknown_orders, submit_orders, write_orders
from ledger.services.openings import ensure_opened
from ledger.services.spooling import replay_spool
from markets.domain.funds import Wallet
from markets.errors import OutcomeUnknown, VenueRejected

ROOT = Path(__file__).parents[3]


@pytest.fixture
def database(own_database, spool_dir, sent_tasks, account, venue):
    """The database, which may go away; nothing was spooled yet, and the account is opened."""
    ensure_opened(account_id=account.pk)
    return own_database


def lines_of(spool_dir):
    return [
        line for path in sorted(spool_dir.rglob("*.*")) for line in path.read_text().splitlines()
    ]


def test_nothing_is_sent_that_cannot_be_written_down(database, make_plan, venue, spool_dir):
    order = write_orders(plans=[make_plan(0)])[0]
    plan = make_plan(1)
    database.go_away()

    with pytest.raises(DatabaseError):
        write_orders(plans=[plan])
    with pytest.raises(DatabaseError):
        submit_orders(order_ids=[order.pk])

    assert venue.submissions == []
    assert lines_of(spool_dir) == []
    database.come_back()
    assert list(Order.objects.values_list("state", flat=True)) == [OrderState.PENDING]


def test_legs_that_were_sent_are_booked_once_when_it_is_back(
    database, make_plan, venue, spool_dir, sent_tasks
):
    orders = write_orders(plans=[make_plan(0), make_plan(1)])
    venue.after_submit = lambda _request: database.go_away()

    with pytest.raises(JournalAway):
        submit_orders(order_ids=[order.pk for order in orders])

    assert sorted(venue.submissions) == sorted(order.client_order_id for order in orders)
    assert len(lines_of(spool_dir)) == 2
    with pytest.raises(DatabaseError):
        tasks.resolve_unknown_orders()
    assert len(lines_of(spool_dir)) == 2
    started_ms = SYSTEM_CLOCK.monotonic_ms()
    database.come_back()
    assert {row.state for row in Order.objects.all()} == {OrderState.SUBMITTING}

    tasks.resolve_unknown_orders()
    replay_spool()

    assert SYSTEM_CLOCK.monotonic_ms() - started_ms < 30_000
    assert {row.state for row in Order.objects.all()} == {OrderState.FILLED}
    assert (Fill.objects.count(), Entry.objects.count()) == (4, 5)
    booked = {row.asset: row.amount for row in list_holdings(orders[0].account_id)}
    assert booked == {asset: one for asset, one in venue.balances[Wallet.SPOT].items() if one}
    assert imbalances() == {}
    assert lines_of(spool_dir) == []
    assert len(venue.submissions) == 2
    wake = ("strategies.settle_execution", {"execution_id": orders[0].execution_id})
    assert sent_tasks.count(wake) == 2


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (VenueRejected(venue="alpha", cause="no such market"), OrderState.REJECTED),
        (OutcomeUnknown(venue="alpha", cause="timeout"), OrderState.UNKNOWN),
    ],
)
def test_a_refusal_and_a_lost_answer_are_kept_as_well(database, order, venue, error, state):
    def fail(_request):
        database.go_away()
        raise error

    venue.before_submit = fail
    with pytest.raises(JournalAway):
        submit_orders(order_ids=[order.pk])
    database.come_back()

    replay_spool()

    row = Order.objects.get()
    assert (row.state, row.error_code, str(row.to_error())) == (state, error.code, str(error))


def test_a_look_up_that_came_first_is_not_undone(database, order, venue, clock):
    venue.after_submit = lambda _request: database.go_away()
    with pytest.raises(JournalAway):
        submit_orders(order_ids=[order.pk])
    database.come_back()
    clock.advance_ms(16_000)

    resolve_unknown_orders(clock=clock)
    assert Order.objects.get().state == OrderState.FILLED

    replay_spool()

    assert (Order.objects.get().state, Fill.objects.count()) == (OrderState.FILLED, 2)
    assert imbalances() == {}


def test_another_process_books_what_a_killed_one_has_spooled(database, order, venue, spool_dir):
    with subprocess.Popen(
        [sys.executable, "-m", "tests.ledger.spooler", str(spool_dir), str(order.pk)],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": database.url},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == b"sent\n"
        database.go_away()
        _output, errors = victim.communicate(b"go on\n", timeout=60)
    assert victim.returncode == -signal.SIGKILL, errors.decode()
    assert len(lines_of(spool_dir)) == 1
    database.come_back()
    assert Order.objects.get().state == OrderState.SUBMITTING

    assert replay_spool().taken == 1

    assert (Order.objects.get().state, Fill.objects.count()) == (OrderState.FILLED, 2)
    assert venue.submissions == []
    assert imbalances() == {}


def test_a_replay_that_is_killed_in_the_middle_is_done_again(
    database, make_plan, venue, spool_dir, monkeypatch
):
    orders = write_orders(plans=[make_plan(0), make_plan(1)])
    venue.after_submit = lambda _request: database.go_away()
    with pytest.raises(JournalAway):
        submit_orders(order_ids=[order.pk for order in orders])
    database.come_back()

    class Killed(BaseException):
        pass

    def die(*_args, **_kwargs):
        raise Killed

    # both are booked; the process dies before it can delete the file
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", die)
        with pytest.raises(Killed):
            replay_spool()
    assert Fill.objects.count() == 4
    assert len(lines_of(spool_dir)) == 2

    assert replay_spool().taken == 2

    assert (Fill.objects.count(), lines_of(spool_dir)) == (4, [])
    assert imbalances() == {}


def test_the_spool_holds_no_secret_and_is_for_its_owner_only(
    database, order, account, venue, spool_dir
):
    def fail(_request):
        database.go_away()
        raise OutcomeUnknown(venue="alpha", cause=f"GET ?signature={'5' * 64} failed")

    venue.before_submit = fail
    with pytest.raises(JournalAway):
        submit_orders(order_ids=[order.pk])

    (path,) = (path for path in spool_dir.rglob("*") if path.is_file())
    text = path.read_text()
    assert "5" * 64 not in text
    assert account.api_key not in text
    assert account.api_secret not in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    database.come_back()


def test_a_line_about_an_order_of_another_database_is_put_aside(
    database, order, venue, spool_dir, caplog
):
    venue.after_submit = lambda _request: database.go_away()
    with pytest.raises(JournalAway):
        submit_orders(order_ids=[order.pk])
    database.come_back()
    Order.objects.update(client_order_id="of-another-installation")

    done = replay_spool()

    assert (done.taken, done.rejected) == (0, 1)
    assert [path.suffix for path in spool_dir.rglob("*") if path.is_file()] == [".rejected"]
    assert "no order has the client id" in caplog.text
    assert replay_spool().rejected == 0
    assert Fill.objects.count() == 0


def test_a_line_that_cannot_be_booked_keeps_no_other_and_no_look_up_back(
    database, make_plan, venue, spool_dir
):
    """A trade that the books have under another order already."""
    ids = [order.pk for order in write_orders(plans=[make_plan(leg) for leg in range(3)])]
    submit_orders(order_ids=ids[:1])
    venue.fills.clear()  # its ids begin anew
    venue.after_submit = lambda _request: database.go_away()
    for order_id in ids[1:]:
        with pytest.raises(JournalAway):
            submit_orders(order_ids=[order_id])
        database.come_back()

    tasks.resolve_unknown_orders()

    states = list(Order.objects.order_by("pk").values_list("state", flat=True))
    assert states == [OrderState.FILLED, OrderState.SUBMITTING, OrderState.FILLED]
    assert [path.suffix for path in spool_dir.rglob("*") if path.is_file()] == [".rejected"]


def test_a_spool_that_cannot_be_read_keeps_no_look_up_back(database, order, venue, spool_dir):
    def lose(_request):
        raise OutcomeUnknown(venue="alpha", cause="timeout")

    venue.after_submit = lose
    submit_orders(order_ids=[order.pk])
    Order.objects.update(next_lookup_at=timezone.now())
    (spool_dir / "orders").mkdir(parents=True, exist_ok=True)
    (spool_dir / "orders" / "1.spool").mkdir()  # a directory where a file should be

    tasks.resolve_unknown_orders()

    assert Order.objects.get().state == OrderState.FILLED


def test_figures_survive_the_disk_to_the_last_decimal(database, order, venue):
    venue.fill_fraction = D("0.333333333333")
    venue.after_submit = lambda _request: database.go_away()
    with pytest.raises(JournalAway):
        submit_orders(order_ids=[order.pk])
    database.come_back()

    replay_spool()

    (report,) = venue.orders.values()
    assert Order.objects.get().filled_quantity == report.filled_quantity
    assert sum(fill.quantity for fill in Fill.objects.all()) == report.filled_quantity
