"""Orders that are claimed as they are written: what their writer holds, and what may leave."""

import queue
import threading
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal as D

import pytest
from django.db import DEFAULT_DB_ALIAS, OperationalError, ProgrammingError, connection, transaction

from accounts.models import Reservation
from accounts.selectors import lock_account
from ledger.domain.halts import HaltLevel, HaltScope, TradingEvent
from ledger.domain.orders import SUBMIT_TIMEOUT_MS, OrderState
from ledger.errors import InvalidOrderPlan, TradingHalted
from ledger.models import Order
from ledger.services import flights, writing
from ledger.services.batches import Statement, Unmet
from ledger.services.halts import change_trading
from ledger.services.openings import ensure_opened
from ledger.services.rows import as_if_read
from ledger.services.writing import Draft, write_claimed
from markets.domain.orders import OrderKind, Side
from markets.errors import VenueUnavailable

WAIT_S = 60


@dataclass
class AskingGateway:
    """Is ready before it may send, and notes whether it may."""

    asks_before_sending: bool = True
    venue: str = "alpha"
    answers: "queue.SimpleQueue[bool]" = field(default_factory=queue.SimpleQueue)

    def submit_order(self, request):
        self.answers.put(request.let_go(lambda: None))
        raise VenueUnavailable(venue=self.venue, cause="it is none")


@pytest.fixture
def claim(account, market, clock):
    """Write what a draft says, for a gateway that asks before it sends."""

    def claim(draft, gateway):
        return write_claimed(
            draft=draft,
            accounts={account.pk: account},
            markets={market.pk: market},
            doors={account.pk: gateway},
            clock=clock,
        )

    return claim


@pytest.fixture
def write(account, claim):
    """Write orders and some statements, for a gateway that asks before it sends."""
    ensure_opened(account_id=account.pk)

    def write(gateway, plans, *statements):
        strategy_id = plans[0].strategy_id
        draft = Draft([account.pk], strategy_id, (), len(plans), lambda: plans, lambda: statements)
        return claim(lambda: draft, gateway)

    return write


def parts_of(order):
    """Return all that an instance consists of."""
    values = {name: value for name, value in vars(order).items() if name != "_state"}
    state = order._state
    return list(vars(order)), values, (state.adding, state.db, dict(state.fields_cache))


def test_a_written_order_is_the_one_that_is_read(write, make_plan, account, market, clock):
    plans = [
        make_plan(0),
        make_plan(1, side=Side.SELL, price=D("61000.5"), is_reducing=True, attempt=2),
    ]
    written, flight = write(AskingGateway(), plans)
    flight.hold_back()

    read = Order.objects.select_related(None).order_by("leg_index")
    for ours, theirs in zip(written, read, strict=True):
        theirs.account, theirs.market = account, market
        assert parts_of(ours) == parts_of(theirs)
        assert ours.to_request() == theirs.to_request()
        assert ours.state == OrderState.SUBMITTING
        assert ours.submitted_at == clock.now()
        assert ours.next_lookup_at == clock.now() + timedelta(milliseconds=SUBMIT_TIMEOUT_MS)
    assert [
        (row.purpose, row.owner_id, row.account_id, row.wallet, row.asset.code, row.amount)
        for row in Reservation.objects.order_by("owner_id")
    ] == [
        ("order", written[0].pk, account.pk, "spot", "USDT", D(30_000)),
        ("order", written[1].pk, account.pk, "spot", "BTC", D("0.5")),
    ]
    assert not Reservation.objects.filter(is_forced=True).exists()


def test_an_order_made_as_if_read_is_what_the_orm_makes(make_plan, account, market, order):
    values = {field.attname: getattr(order, field.attname) for field in Order._meta.concrete_fields}
    theirs = Order.from_db(DEFAULT_DB_ALIAS, list(values), list(values.values()))
    theirs.account, theirs.market = account, market

    ours = as_if_read(Order, values, {"account": account, "market": market})

    assert parts_of(ours) == parts_of(theirs)
    assert all(
        type(getattr(ours, name)) is type(getattr(theirs, name)) for name in (*values, "account")
    )
    ours.error = "changed"
    ours.save()
    assert Order.objects.get().error == "changed"
    assert ours.strategy == order.strategy


def test_an_order_that_was_not_written_is_held_back_at_once(write, make_plan, monkeypatch):
    gateway = AskingGateway()
    monkeypatch.setattr(flights, "SEND_DEADLINE_MS", 600_000)

    with pytest.raises(Unmet, match="sense"):
        write(gateway, [make_plan()], Statement("1 = 2", requirement="sense"))

    assert gateway.answers.get(timeout=WAIT_S) is False
    assert not Order.objects.exists()


def test_orders_about_which_nothing_was_asked_are_not_written(write, make_plan):
    plans = [make_plan(0), replace(make_plan(1), strategy_id=None)]

    with pytest.raises(ValueError, match="trading states were not asked"):
        write(AskingGateway(), plans)

    assert not Order.objects.exists()


def test_an_order_that_is_sent_at_once_needs_a_price(write, make_plan):
    plan = replace(make_plan(), price=None, kind=OrderKind.MARKET)

    with pytest.raises(InvalidOrderPlan, match="needs a price"):
        write(AskingGateway(), [plan])

    assert not Order.objects.exists()


def test_a_claim_is_no_younger_than_the_reading_of_the_trading_states(
    account, claim, make_plan, clock
):
    """Else a process that was paused in between would send long after a halt."""
    ensure_opened(account_id=account.pk)
    asked_at = clock.now()
    plan = make_plan()

    def plans():
        clock.advance_ms(5_000)
        return [plan]

    draft = Draft([account.pk], plan.strategy_id, (), 1, plans, tuple)
    [order], flight = claim(lambda: draft, AskingGateway())
    flight.hold_back()

    assert order.submitted_at == asked_at


def test_where_trading_is_halted_that_is_said_and_nothing_is_tried_again(account, claim, make_plan):
    change_trading(
        event=TradingEvent.HALT, scope=HaltScope(HaltLevel.ACCOUNT, account.pk), reason="test"
    )
    drafted = []

    def draft():
        drafted.append(True)
        return Draft([account.pk], None, (), 1, lambda: [make_plan()], tuple)

    with pytest.raises(TradingHalted):
        claim(draft, AskingGateway())

    assert drafted == [True]
    assert not Order.objects.exists()


def test_an_order_that_was_written_waits_for_its_writer(write, make_plan, monkeypatch):
    gateway = AskingGateway()
    monkeypatch.setattr(flights, "SEND_DEADLINE_MS", 600_000)

    _orders, flight = write(gateway, [make_plan()])

    with pytest.raises(queue.Empty):
        gateway.answers.get_nowait()
    flight.go()
    assert gateway.answers.get_nowait() is True


def test_what_opens_the_flight_never_makes_an_order_be_written_again(write, make_plan, monkeypatch):
    def fail(orders, **_options):
        raise OperationalError("deadlock detected")  # what a transaction is repeated for

    monkeypatch.setattr(writing, "open_flight", fail)

    with pytest.raises(OperationalError):
        write(AskingGateway(), [make_plan()])

    # as after a crash at this point: it is looked up when its time is over
    assert Order.objects.get().state == OrderState.SUBMITTING


def test_orders_are_made_ready_while_they_are_written_with_gateways_looked_up_before(
    write, make_plan, account, monkeypatch
):
    opened = []
    texts: list[str] = []

    def note(orders, **options):
        opened.append((orders, dict(options["doors"]), len(texts)))
        return flights.open_flight(orders, **options)

    def run(execute, sql, *rest):
        texts.append(sql)
        return execute(sql, *rest)

    gateway = AskingGateway()
    monkeypatch.setattr(writing, "open_flight", note)
    with connection.execute_wrapper(run):
        orders, flight = write(gateway, [make_plan()])
    flight.hold_back()

    [(ready, doors, run_before)] = opened
    assert (ready, doors) == (orders, {account.pk: gateway})
    assert 0 < run_before < len(texts)  # what must hold was asked, the rows were not written


def test_the_database_is_refused_to_who_makes_orders_ready(write, make_plan, monkeypatch):
    monkeypatch.setattr(writing, "open_flight", lambda _orders, **_options: Order.objects.count())

    with pytest.raises(ProgrammingError, match="asked while it works"):
        write(AskingGateway(), [make_plan()])

    assert Order.objects.get().state == OrderState.SUBMITTING


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
@pytest.mark.django_db(transaction=True)
def test_no_order_waits_for_who_writes_down_what_its_account_holds(write, make_plan, account):
    is_kept, may_end, waited = threading.Event(), threading.Event(), []

    def keep():
        with closing(connection), transaction.atomic():
            lock_account(account.pk)
            is_kept.set()
            waited.append(not may_end.wait(WAIT_S / 4))

    thread = threading.Thread(target=keep)
    thread.start()
    try:
        assert is_kept.wait(WAIT_S)
        _orders, flight = write(AskingGateway(), [make_plan(0)])
        flight.hold_back()
    finally:
        may_end.set()
        thread.join(WAIT_S)
    assert waited == [False]
