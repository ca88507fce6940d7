"""The kill switch in a storm of orders, pressed by another process."""

import os
import subprocess
import sys
import threading
import time
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import connection, transaction

from arbplatform.core.clock import SYSTEM_CLOCK
from arbplatform.core.errors import Message
from ledger.domain.halts import EVERYTHING, HaltLevel, HaltScope, TradingEvent
from ledger.domain.orders import OrderState
from ledger.errors import TradingHalted
from ledger.models import Order, TradingHalt
from ledger.selectors import imbalances
from ledger.services import claims
from ledger.services.discrepancies import _restrict
from ledger.services.halts import (
    WAIT_MS_MAX,
    change_trading,
    read_denials,
    share_trading_lock,
)
from ledger.services.journal import submit_orders, write_orders
from ledger.services.openings import ensure_opened
from markets.domain.orders import Side
from markets.errors import OutcomeUnknown
from tests.leaving import leave_in_time
from tests.processes import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).resolve().parents[2]
WORKERS = 4
LIMIT_MS = 1_000
PATIENCE_S = 30
needs_postgres = pytest.mark.skipif(
    "postgres" not in os.environ.get("DATABASE_URL", ""), reason="needs PostgreSQL: row locks"
)


class Storm:
    """Threads that write and send orders as fast as they can, each as a process of its own would:
    with its own connection, and without sharing any memory about halts.
    """

    def __init__(self, make_plan, executions):
        self.refused_at = [0] * WORKERS
        self.errors = []
        self._make_plan = make_plan
        self._executions = executions
        self._threads = [
            threading.Thread(target=self._run, args=(number,)) for number in range(WORKERS)
        ]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.join()

    def join(self):
        for thread in self._threads:
            thread.join(PATIENCE_S)

    def _run(self, number):
        with closing(connection):
            try:
                self._trade(number)
            except Exception as error:  # noqa: BLE001  the test shows it
                self.errors.append(error)

    def _trade(self, number):
        side = Side.BUY if number % 2 else Side.SELL
        for leg in range(5_000):
            plan = self._make_plan(
                leg, side=side, quantity="0.0001", execution_id=self._executions[number].pk
            )
            try:
                orders = write_orders(plans=[plan])
            except TradingHalted:
                self.refused_at[number] = SYSTEM_CLOCK.now_ms()
                return
            submit_orders(order_ids=[order.pk for order in orders])


@pytest.fixture
def sent_at(venue):
    """When each order left for the venue [ms since epoch]; every 20th answer is lost."""
    moments = []
    venue.before_submit = lambda request: moments.append(leave_in_time(request))

    def lose(request):
        if len(moments) % 20 == 0:
            raise OutcomeUnknown(venue="alpha", cause="timeout")

    venue.after_submit = lose
    return moments


@pytest.fixture
def storm(make_plan, make_execution, account, exact_deadline):
    """The switch rests on the product's own deadline: an order that was late would leave."""
    ensure_opened(account_id=account.pk)

    def plan(leg, *, quantity, **fields):
        return make_plan(leg, quantity=Decimal(quantity), **fields)

    return Storm(plan, [make_execution() for _ in range(WORKERS)])


def assert_nothing_was_sent_after(halt, sent_at, storm):
    halted_ms = int(halt.changed_at.timestamp() * 1_000)
    late_ms = max(sent_at) - halted_ms
    print(f"{len(sent_at)} orders; the last one left {late_ms} ms after the switch")  # noqa: T201
    assert storm.errors == []
    assert all(storm.refused_at)
    assert late_ms <= LIMIT_MS
    assert Order.objects.filter(state__in=[OrderState.PENDING, OrderState.SUBMITTING]).count() == 0
    assert imbalances() == {}


def test_no_order_leaves_a_second_after_the_switch(storm, sent_at, venue):
    with storm:
        wait_until(lambda: len(sent_at) > 40, "orders leave")
        halt = change_trading(event=TradingEvent.HALT, scope=EVERYTHING, reason="storm")

    assert_nothing_was_sent_after(halt, sent_at, storm)
    assert len(sent_at) == Order.objects.exclude(state=OrderState.REJECTED).count()


@needs_postgres
def test_a_process_of_its_own_stops_every_other_one(storm, sent_at):
    """``manage.py kill`` shares nothing with those that trade but the database."""
    with storm:
        wait_until(lambda: len(sent_at) > 40, "orders leave")
        run_command("kill", "--reason", "storm")

    assert_nothing_was_sent_after(TradingHalt.objects.get(), sent_at, storm)


@needs_postgres
def test_no_order_is_written_after_a_halt_has_committed(storm, sent_at):
    """Whoever reads the orders after the halt's commit sees the last one that there will be."""
    with storm:
        wait_until(lambda: len(sent_at) > 40, "orders leave")
        change_trading(event=TradingEvent.HALT, scope=EVERYTHING, reason="storm")
        count = Order.objects.count()

    assert Order.objects.count() == count


@needs_postgres
def test_a_process_that_hangs_in_the_middle_does_not_keep_anybody_from_halting(db):
    is_writing, may_end = threading.Event(), threading.Event()

    def hang():
        with closing(connection), transaction.atomic():
            share_trading_lock()
            is_writing.set()
            may_end.wait()

    thread = threading.Thread(target=hang)
    thread.start()
    assert is_writing.wait(PATIENCE_S)
    try:
        change_trading(event=TradingEvent.HALT, scope=EVERYTHING, reason="somebody hangs")
        assert thread.is_alive()  # it was not waited for
    finally:
        may_end.set()
        thread.join(PATIENCE_S)

    assert WAIT_MS_MAX < LIMIT_MS
    assert TradingHalt.objects.get().state == "halted"


@needs_postgres
@pytest.mark.parametrize("is_holding_the_lock", [True, False])
def test_a_press_that_meets_another_one_in_the_middle_is_not_lost(is_holding_the_lock):
    """The first hangs for longer than a lock is waited for, with or without the trading lock."""
    is_pressed, pressed = threading.Event(), []

    def hang():
        with closing(connection), transaction.atomic():
            if is_holding_the_lock:
                change_trading(event=TradingEvent.REDUCE, scope=EVERYTHING, reason="first")
            else:
                now = SYSTEM_CLOCK.now()
                TradingHalt.objects.create(
                    key=EVERYTHING.key, level=EVERYTHING.level, state="reducing", changed_at=now
                )
            is_pressed.set()
            time.sleep(3 * WAIT_MS_MAX / 1_000)

    def press():
        with closing(connection):
            pressed.append(
                change_trading(event=TradingEvent.HALT, scope=EVERYTHING, reason="second").reason
            )

    first, second = threading.Thread(target=hang), threading.Thread(target=press)
    first.start()
    assert is_pressed.wait(PATIENCE_S)
    second.start()
    for thread in (first, second):
        thread.join(PATIENCE_S)

    assert pressed == ["second"]
    assert TradingHalt.objects.get().state == "halted"


def test_reconciliation_eases_no_halt_of_a_person(account):
    scope = HaltScope(HaltLevel.ACCOUNT, account.pk)
    change_trading(event=TradingEvent.HALT, scope=scope, reason="a person")

    _restrict(account, Message("differs"), SYSTEM_CLOCK)

    assert (TradingHalt.objects.get().state, TradingHalt.objects.get().reason) == (
        "halted",
        "a person",
    )


def test_a_claim_that_broke_eases_no_halt_of_a_person(account, strategy):
    scope = HaltScope(HaltLevel.STRATEGY, strategy.pk)
    change_trading(event=TradingEvent.HALT, scope=scope, reason="a person")

    claims._restrict(strategy.pk, account, "BTC", SYSTEM_CLOCK)

    assert TradingHalt.objects.get().state == "halted"


def test_a_halt_is_seen_by_a_connection_that_was_open_before(account):
    assert read_denials([]) == []
    seen = []

    def halt():
        with closing(connection):
            change_trading(event=TradingEvent.HALT, scope=EVERYTHING, reason="elsewhere")
            seen.append(True)

    thread = threading.Thread(target=halt)
    thread.start()
    thread.join(PATIENCE_S)

    assert seen == [True]
    assert TradingHalt.objects.get().state == "halted"


def run_command(*arguments):
    """Run a management command in a process of its own, on the database of the test."""
    settings = connection.settings_dict
    url = f"postgres://{settings['USER']}@/{settings['HOST']}/{settings['NAME']}"
    subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": url},
        check=True,
        capture_output=True,
        timeout=60,
    )
