"""The markets in which an account trades: found from what is new, as if all orders were read."""

import json
from datetime import timedelta
from decimal import Decimal as D
from random import Random

import pytest
from django.db import connection
from django.db.models import Max, Q

from ledger.domain.orders import LIVE_STATES, OrderState
from ledger.models import AccountReconciliation, Fill, Order
from ledger.selectors import traded
from ledger.selectors.traded import (
    LATE_MAX,
    MARKETS_MAX,
    PENDING_MAX,
    Activity,
    list_traded_markets,
    read_activity,
)
from ledger.services.journal import submit_orders, write_orders
from markets.domain.orders import VenueOrderStatus
from markets.models import Market

pytestmark = pytest.mark.django_db

HORIZON = timedelta(days=7)
MINUTE = timedelta(minutes=1)


class Watch:
    """Orders of an account, and rounds that remember what they have read."""

    def __init__(self, account, clock):
        self.account, self.clock = account, clock
        self.markets = list(Market.objects.filter(venue=account.venue).order_by("pk"))
        self.kept = None
        self.count = 0

    @property
    def now(self):
        return self.clock.now()

    def add(self, market=0, *, age=0, state="filled", due=False, account=None, changed=None):
        """Write an order of so many minutes ago down, changed last ``changed`` minutes ago."""
        self.count += 1
        order = Order.objects.create(
            client_order_id=f"c{self.count}",
            account=account or self.account,
            market=self.markets[market],
            side="buy",
            quantity=D(1),
        )
        made = self.now - age * MINUTE
        Order.objects.filter(pk=order.pk).update(
            created_at=made,
            updated_at=made if changed is None else self.now - changed * MINUTE,
            state=state,
            next_lookup_at=self.now if due else None,
        )
        return order.pk

    def change(self, pk, *, state="canceled", due=False):
        due_at = self.now if due else None
        Order.objects.filter(pk=pk).update(
            state=state, next_lookup_at=due_at, updated_at=self.clock.now()
        )

    def read(self, since=10, touched=()):
        """Return what a round finds that looks back so many minutes, as places of markets."""
        before = Activity.from_json(None if self.kept is None else json.loads(self.kept))
        activity = read_activity(self.account.pk, before, now=self.now, horizon=self.now - HORIZON)
        self.kept = json.dumps(activity.touching(touched).to_json())
        found = list_traded_markets(activity, self.now - since * MINUTE)
        assert [row.pk for row in found] == self.read_all(since)
        return [self.markets.index(row) for row in found]

    def read_all(self, since):
        """Return the ids of markets by all orders that there ever were."""
        orders = Order.objects.filter(account=self.account).filter(
            Q(updated_at__gte=self.now - since * MINUTE) | Q(state__in=LIVE_STATES)
        )
        last = orders.order_by().values("market_id").annotate(last=Max("updated_at"))
        rows = last.order_by("-last", "-market_id")[:MARKETS_MAX]
        return list(rows.values_list("market_id", flat=True))

    def wait(self, minutes=1):
        self.clock.advance_ms(minutes * 60_000)


@pytest.fixture
def watch(account, clock):
    return Watch(account, clock)


def test_the_first_round_reads_all_orders_and_the_next_ones_what_is_new(watch):
    watch.add(0, age=30)
    assert watch.read(since=60) == [0]
    watch.wait()
    watch.add(1)

    assert watch.read(since=60) == [1, 0]
    assert watch.read(since=10) == [1]


def test_an_order_that_was_alive_may_have_ended_since(watch):
    pk = watch.add(0, age=5_000, state="open")
    assert watch.read() == [0]
    watch.wait(60)
    assert watch.read() == [0]  # it rests there, however long ago it changed

    watch.change(pk)

    assert watch.read() == [0]
    watch.wait(60)
    assert watch.read() == []


def test_an_order_that_had_ended_may_have_been_due_still(watch):
    pk = watch.add(0, age=5_000, due=True)
    assert watch.read() == []
    watch.wait()
    watch.change(pk, state="filled")

    assert watch.read() == [0]


def test_an_order_that_a_round_has_written_to_is_looked_at_again(watch):
    pk = watch.add(0, age=5_000)
    assert watch.read(touched={pk}) == []
    watch.change(pk, state="filled")

    assert watch.read() == [0]


def test_an_order_that_was_committed_late_is_found(watch):
    watch.add(1)
    assert watch.read() == [1]
    watch.add(0, age=LATE_MAX / MINUTE - 1)

    assert watch.read() == [1, 0]


def test_a_clock_that_is_ahead_hides_no_orders_of_others(watch):
    watch.add(1, age=-10_000)
    assert watch.read() == [1]
    watch.wait()
    watch.add(0)

    assert watch.read() == [1, 0]


def test_orders_of_other_accounts_are_none_of_its_own(watch, beta):
    watch.add(0, account=beta[0], state="open")
    assert watch.read() == []
    watch.wait()
    watch.add(0, account=beta[0], due=True)

    assert watch.read() == []


def test_what_no_round_looks_back_to_is_forgotten(watch):
    watch.add(0)
    assert watch.read() == [0]
    assert json.loads(watch.kept)["last"] != {}
    watch.wait(8 * 1_440)

    assert watch.read() == []
    assert json.loads(watch.kept)["last"] == {}


def test_too_many_orders_that_may_change_are_read_anew_each_time(watch):
    activity = Activity(watch.now, frozenset(range(PENDING_MAX)), {})

    assert activity.to_json() is not None
    assert activity.touching([PENDING_MAX]).to_json() is None


def test_of_many_markets_those_that_were_traded_last_are_read(watch, monkeypatch):
    monkeypatch.setattr(traded, "MARKETS_MAX", 1)
    monkeypatch.setattr("tests.ledger.services.test_traded.MARKETS_MAX", 1)
    watch.add(0, age=2)
    watch.add(1, age=1)
    assert watch.read() == [1]
    watch.add(0)

    assert watch.read() == [0]


@pytest.mark.parametrize("seed", range(5))
def test_whatever_happens_the_same_is_found_as_in_all_orders(watch, beta, seed):
    dice = Random(seed)  # noqa: S311  a walk that can be repeated
    changing = []
    for _step in range(60):
        watch.wait(dice.choice((0, 1, 7, 300)))
        move = dice.random()
        if move < 0.4:
            state = dice.choice(("open", "unknown", "filled", "rejected"))
            owner = dice.choice((watch.account, watch.account, beta[0]))
            due = dice.random() < 0.3
            pk = watch.add(dice.randrange(2), state=state, due=due, account=owner)
            if due or state in LIVE_STATES:
                changing.append(pk)
        elif move < 0.7 and changing:
            due = dice.random() < 0.3
            watch.change(pk := dice.choice(changing), due=due)
            if not due:
                changing.remove(pk)
        else:
            watch.read(since=dice.choice((10, 11, 400, 9_000)))


def test_a_round_names_what_it_has_written_to(look, opened_books, venue, make_plan, clock):
    """A trade that was missing is booked for an order that nobody looks at any more."""
    venue.fill_fraction, venue.rest_status = D("0.2"), VenueOrderStatus.CANCELED
    (order,) = write_orders(plans=[make_plan()], clock=clock)
    submit_orders(order_ids=[order.pk], clock=clock)
    look()
    venue.execute(order.client_order_id, D("0.1"))
    settled = Order.objects.get(pk=order.pk)
    assert (settled.state, settled.next_lookup_at) == (OrderState.CANCELED, None)
    fills = Fill.objects.count()

    assert look().booked_count == 1

    assert Fill.objects.count() == fills + 1
    assert order.pk in AccountReconciliation.objects.get().activity["pending"]
    look()
    last = AccountReconciliation.objects.get().activity["last"]
    assert last == {str(order.market_id): Order.objects.get(pk=order.pk).updated_at.isoformat()}


def test_a_round_that_remembers_reads_by_no_index_of_all_orders(watch, django_assert_num_queries):
    watch.add(0, state="open")
    watch.read()
    before = Activity.from_json(json.loads(watch.kept))
    statements = []

    def note(execute, sql, params, many, context):
        statements.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note), django_assert_num_queries(4):
        read_activity(watch.account.pk, before, now=watch.now, horizon=watch.now - HORIZON)

    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")  # a table of one row is read at once
        for sql, params in statements:
            explain = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
            cursor.execute(f"{explain} {sql}", params)
            plan = " ".join(str(step[-1]) for step in cursor.fetchall())
            assert "ledger_order_created_at" in plan or "order_due" in plan or "order_live" in plan
            assert "ledger_order_account" not in plan
            assert "ledger_order_market" not in plan
