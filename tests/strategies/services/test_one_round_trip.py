"""What was decided is written, claimed and paid for in one go, or not at all."""

import time
from decimal import Decimal as D

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Reservation, ReservationPurpose, VenueAccount
from accounts.services.reservations import Want, release, reserve
from arbplatform.background.draining import DRAIN
from ledger.domain.halts import EVERYTHING, HaltLevel, HaltScope, TradingEvent
from ledger.domain.orders import OrderState
from ledger.models import Order
from ledger.selectors import list_stray_reservations, spendable_balances
from ledger.services.halts import change_trading
from markets.domain.funds import Wallet
from markets.models import Asset
from strategies.models import Decision, Execution, Opportunity, Reason, Strategy
from strategies.services.claims import TickClaim
from strategies.services.gates import require_standing
from strategies.services.runs import stop_strategy
from strategies.services.ticks import TickOutcome, run_tick
from tests.strategies.samples import Hooked


def tick(strategy):
    return run_tick(strategy_id=strategy.pk, is_spacing_kept=False)


def set_aside(amount, code="alpha", asset="USDT"):
    """Let somebody else reserve."""
    want = Want(
        purpose=ReservationPurpose.ORDER,
        owner_id=-1,
        account_id=VenueAccount.objects.get(venue__code=code).pk,
        wallet=Wallet.SPOT,
        asset_id=Asset.objects.get(code=asset).pk,
        amount=D(amount),
    )
    reserve([want])


@pytest.mark.django_db
def test_orders_are_claimed_and_their_funds_set_aside_before_the_venue_is_told(cross, edge):
    seen = {}

    def look(request):
        order = Order.objects.get(client_order_id=request.client_order_id)
        held = Reservation.objects.get(owner_id=order.pk)
        seen[order.market.venue.code] = (order.state, str(held.asset), held.amount)

    # one leg at a time, in the thread that owns the test's transaction
    edge["beta"].before_submit = look
    tick(cross)

    order = Order.objects.get(market__venue__code="beta")
    assert seen == {"beta": (OrderState.SUBMITTING, "BTC", order.quantity)}
    assert Reservation.objects.count() == 0
    assert list_stray_reservations() == []


@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs PostgreSQL: round trips")
@pytest.mark.django_db(transaction=True)
def test_from_the_decision_to_the_venue_it_is_one_transaction_of_three_texts(hooked, edge):
    tick(hooked)  # prepares the texts
    edge["alpha"].set_book("BTC/USDT", bids=[("49990", "1")], asks=[("50000", "1")])
    edge["beta"].set_book("BTC/USDT", bids=[("50500", "1")], asks=[("50510", "1")])
    marks: dict[str, int] = {}
    with CaptureQueriesContext(connection) as queries:
        Hooked.hook = lambda: marks.update(decided=len(queries))
        edge["beta"].before_submit = lambda _request: marks.update(sent=len(queries))
        assert tick(hooked).outcome is TickOutcome.EXECUTED

    texts = [each["sql"] for each in queries][marks["decided"] : marks["sent"]]
    assert [(text.startswith("BEGIN; "), text.endswith("; COMMIT")) for text in texts] == [
        (True, False),
        (False, False),
        (False, True),
    ]


@pytest.mark.django_db
def test_the_moments_of_a_tick_say_when_each_leg_was_committed_sent_answered_and_booked(
    cross, edge
):
    handed_over: dict[str, int] = {}
    edge["beta"].before_submit = lambda _request: handed_over.update(beta=time.monotonic_ns())
    before_ns = time.monotonic_ns()
    moments = tick(cross).moments

    assert sorted(moments.sent_ns) == sorted(moments.acked_ns) == [0, 1]
    assert before_ns < moments.committed_ns < min(moments.sent_ns.values())
    assert all(moments.sent_ns[leg] < moments.acked_ns[leg] for leg in (0, 1))
    assert moments.sent_ns[1] <= handed_over["beta"] < moments.acked_ns[1]
    assert max(moments.acked_ns.values()) < moments.booked_ns < time.monotonic_ns()


def stop(strategy):
    stop_strategy(strategy_id=strategy.pk, user=None)


CHANGES = {
    Reason.STRATEGY_STOPPING: stop,
    Reason.TRADING_HALTED: lambda _: change_trading(
        event=TradingEvent.HALT, scope=EVERYTHING, reason="test"
    ),
    Reason.ACCOUNT_DISABLED: lambda _: VenueAccount.objects.update(is_enabled=False),
    Reason.TICK_LOST: lambda row: Strategy.objects.filter(pk=row.pk).update(tick_token="another"),
}


@pytest.mark.django_db
@pytest.mark.parametrize("reason", list(CHANGES))
def test_what_changes_while_a_tick_decides_is_seen_when_it_writes(hooked, edge, reason):
    Hooked.hook = lambda: CHANGES[reason](hooked)

    assert tick(hooked).outcome is TickOutcome.LEFT

    assert list(Opportunity.objects.values_list("decision", "reason")) == [
        (Decision.DENIED, reason)
    ]
    assert Order.objects.count() == Execution.objects.count() == Reservation.objects.count() == 0
    assert edge["alpha"].requests == edge["beta"].requests == []


@pytest.mark.django_db
@pytest.mark.parametrize("level", HaltLevel)
def test_whatever_restricts_trading_while_a_tick_decides_is_seen_when_it_writes(
    hooked, edge, level
):
    account = VenueAccount.objects.get(venue__code="alpha")
    targets = {
        HaltLevel.GLOBAL: None,
        HaltLevel.GUARD: None,
        HaltLevel.STRATEGY: hooked.pk,
        HaltLevel.ACCOUNT: account.pk,
        HaltLevel.ACCOUNT_KEY: account.pk,
    }
    guard = "disk@here" if level is HaltLevel.GUARD else ""
    scope = HaltScope(level, targets.get(level, account.venue_id), guard)
    Hooked.hook = lambda: change_trading(event=TradingEvent.REDUCE, scope=scope, reason="test")

    assert tick(hooked).outcome is TickOutcome.LEFT

    assert Opportunity.objects.get().reason == Reason.TRADING_HALTED
    assert Order.objects.count() == 0
    assert edge["alpha"].requests == edge["beta"].requests == []


@pytest.mark.django_db
def test_a_process_that_comes_to_its_end_writes_no_orders(hooked, edge, monkeypatch):
    Hooked.hook = lambda: monkeypatch.setattr(type(DRAIN), "has_begun", True)

    assert tick(hooked).outcome is TickOutcome.LEFT

    assert Opportunity.objects.get().reason == Reason.STRATEGY_STOPPING
    assert Order.objects.count() == 0


@pytest.mark.django_db
def test_what_others_have_set_aside_is_not_planned_with(cross, edge):
    set_aside("990000")

    tick(cross)

    order = Order.objects.get(market__venue__code="alpha")
    # of the 10,000 USDT that are left, 5 % stay untouched: a parameter of the strategy
    assert order.quantity == D("0.19")


@pytest.mark.django_db
def test_funds_that_are_gone_when_a_tick_writes_shrink_what_it_trades(hooked, edge):
    """Looked at again once: what is left is traded, if the venue takes so little."""

    def lose_the_race():
        Hooked.hook = None
        set_aside("990000")

    Hooked.hook = lose_the_race

    assert tick(hooked).outcome is TickOutcome.EXECUTED

    order = Order.objects.get(market__venue__code="alpha")
    # of the 10,000 USDT that are left, 5 % stay untouched: a parameter of the strategy
    assert order.quantity == D("0.19")
    denied = Opportunity.objects.get(decision=Decision.DENIED)
    assert denied.reason == Reason.FUNDS_RESERVED
    figures = denied.evidence["denial"]["context"]
    assert (figures["held"], figures["reserved"], figures["free"]) == ("1000000", "990000", "10000")
    release(ReservationPurpose.ORDER, [-1])
    assert list_stray_reservations() == []


@pytest.mark.django_db
def test_funds_that_are_all_but_gone_are_a_denial_with_its_figures(hooked, edge):
    def lose_the_race():
        Hooked.hook = None
        set_aside("999995")

    Hooked.hook = lose_the_race

    assert tick(hooked).outcome is TickOutcome.LEFT

    assert Opportunity.objects.get().reason == Reason.FUNDS_RESERVED
    assert Order.objects.count() == Execution.objects.count() == 0
    alpha = VenueAccount.objects.get(venue__code="alpha")
    assert spendable_balances(alpha.pk)["USDT"] == 5
    hooked.refresh_from_db()
    left = hooked.last_decision["left"]
    assert [row["reason"] for row in left] == ["funds_reserved"]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs PostgreSQL: its plans")
@pytest.mark.django_db
def test_what_a_decision_requires_is_found_in_the_indexes_that_are_made_for_it(hooked):
    """Whatever the tables hold: the planner sees that its condition implies theirs."""
    claim = TickClaim(hooked.pk, "token", claimed_at=timezone.now(), expires_at=timezone.now())
    required = require_standing(claim, frozenset(hooked.accounts.values_list("pk", flat=True)))

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname FROM pg_indexes WHERE indexdef LIKE '%(strategy_id)' "
            "AND tablename IN ('strategies_execution', 'ledger_order')"
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f'DROP INDEX "{name}"')  # those of all rows of a strategy
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN SELECT {required.sql}", required.values)
        plan = "\n".join(row[0] for row in cursor.fetchall())

    assert "using execution_not_over" in plan, plan
    assert "using order_live" in plan, plan
