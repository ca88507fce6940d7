"""Two strategies race for one balance: it is never spent twice."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal as D
from threading import Barrier, Lock

import pytest
from django.db import connection

from accounts.errors import FundsReserved
from accounts.models import Reservation, ReservedTotal
from ledger.models import Order
from ledger.selectors import list_stray_reservations, reserved_balances
from ledger.services.journal import cancel_order, submit_orders, write_orders
from ledger.services.openings import ensure_opened
from markets.domain.orders import Side
from strategies.models import Strategy

pytestmark = pytest.mark.django_db(transaction=True)

RACES = 1_000 if connection.vendor == "postgresql" else 200
"""SQLite has one writer at a time, so a race there is a queue."""


class Purse:
    """Counts, outside of the database, what the racers hold at the same time."""

    def __init__(self):
        self.lock = Lock()
        self.held = self.most = D(0)
        self.won = [0, 0]

    def take(self, racer, amount):
        with self.lock:
            self.held += amount
            self.most = max(self.most, self.held)
            self.won[racer] += 1

    def give_back(self, amount):
        with self.lock:
            self.held -= amount


def race(run):
    """Run both racers at the same moment on connections of their own."""
    barrier = Barrier(2)

    def start(racer):
        with closing(connection):
            barrier.wait(30)
            return run(racer, barrier)

    with ThreadPoolExecutor(2) as racers:
        return list(racers.map(start, range(2)))


def test_two_strategies_never_oversubscribe_one_balance(account, venue, make_plan, make_execution):
    """Each wants 60,000 of 100,000 USDT; whoever has them gives them back when both have tried."""
    ensure_opened(account_id=account.pk)
    owners = [make_execution(Strategy.objects.create(name=f"s{n}", type="x")) for n in range(2)]
    purse = Purse()

    def run(racer, barrier):
        refused = 0
        for attempt in range(RACES):
            plan = make_plan(
                quantity=D(1),
                attempt=attempt,
                strategy_id=owners[racer].strategy_id,
                execution_id=owners[racer].pk,
            )
            order = None
            try:
                (order,) = write_orders(plans=[plan])
                purse.take(racer, D(60_000))
            except FundsReserved:
                refused += 1
            barrier.wait(30)
            if order is not None:
                purse.give_back(D(60_000))
                cancel_order(order_id=order.pk)
            barrier.wait(30)
        return refused

    refusals = race(run)

    # of the two in every race one wins: never both, and never none
    assert purse.most == D(60_000)
    assert sum(purse.won) == sum(refusals) == RACES
    assert Order.objects.count() == RACES
    assert Reservation.objects.count() == 0
    assert ReservedTotal.objects.get().total == 0
    assert list_stray_reservations() == []


def test_reserving_and_booking_at_once_counts_every_coin_once(account, venue, make_plan):
    """One trades away and the other only tries: what is spent leaves books and total together."""
    ensure_opened(account_id=account.pk)
    rounds = RACES // 10

    def run(racer, _barrier):
        refused = 0
        for number in range(rounds):
            leg = make_plan(
                racer,
                attempt=number,
                quantity=D("0.01"),
                side=Side.BUY if number % 2 else Side.SELL,
            )
            try:
                (order,) = write_orders(plans=[leg])
            except FundsReserved:
                refused += 1
            else:
                submit_orders(order_ids=[order.pk])
        return refused

    assert race(run) == [0, 0]
    assert reserved_balances(account.pk) == {}
    assert list_stray_reservations() == []
