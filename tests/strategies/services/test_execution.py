"""From an intent to orders, and from orders to an end."""

from decimal import Decimal as D

import pytest

from ledger.domain.orders import OrderState
from ledger.models import LogEntry, Order
from ledger.selectors import execution_movements, imbalances
from ledger.services.journal import resolve_unknown
from ledger.services.openings import is_opened
from ledger.services.reconciliation import compare_with_venue
from markets.domain.orders import Side
from markets.errors import OutcomeUnknown, VenueRejected, VenueUnavailable
from strategies.domain.states import ExecutionState
from strategies.models import Execution, Opportunity, Strategy
from strategies.services.repairs import go_on
from strategies.services.settlement import settle_execution
from strategies.services.ticks import run_tick
from tests.strategies.fakes import SkewedClock

pytestmark = pytest.mark.django_db


def tick(strategy):
    report = run_tick(strategy_id=strategy.pk, is_spacing_kept=False)
    assert report.error == ""
    return Execution.objects.get() if report.execution_ids else None


def is_exact(accounts):
    """Return whether the books balance and say what the venues say of every account in use."""
    return imbalances() == {} and not any(
        compare_with_venue(account_id=account.pk)
        for account in accounts
        if is_opened(account_id=account.pk)
    )


def test_a_triangle_is_traded_leg_by_leg_and_ends_in_the_asset_it_began_with(
    triangular, triangle, accounts
):
    execution = tick(triangular)

    assert execution.state == ExecutionState.COMPLETED
    assert [
        (order.leg_index, order.side, order.market.symbol)
        for order in execution.orders.order_by("pk")
    ] == [(0, "buy", "BTC/USDT"), (1, "buy", "ETH/BTC"), (2, "sell", "ETH/USDT")]
    assert execution.profit_asset.code == "USDT"
    assert execution.realised_profit == execution_movements(execution.pk)["USDT"]
    assert execution.realised_profit > 0
    assert is_exact(accounts)


def test_each_leg_of_a_triangle_is_written_down_only_when_the_one_before_has_ended(
    triangular, triangle
):
    written = []
    triangle["alpha"].after_submit = lambda request: written.append(len(triangle["alpha"].requests))

    tick(triangular)

    assert written == [1, 2, 3]


def test_a_leg_that_is_partly_filled_shrinks_the_next_ones_to_what_arrived(
    triangular, triangle, accounts
):
    def drain(request):
        if request.side is Side.BUY and request.symbol == "BTC/USDT":
            triangle["alpha"].books["BTC/USDT"][1][0][1] = D("0.1")

    triangle["alpha"].before_submit = drain

    execution = tick(triangular)

    first, second, third = execution.orders.order_by("leg_index")
    assert (first.state, first.filled_quantity) == (OrderState.CANCELED, D("0.1"))
    # 0.1 BTC less the fee of 0.1 % buy a little more than two ETH
    assert second.filled_cost <= D("0.0999")
    assert D("0.0999") - second.filled_cost < D("0.049") * D("0.00001") * 2
    assert third.filled_quantity <= second.filled_quantity * D("0.999")
    # what the lots left over is dust
    assert execution.state == ExecutionState.COMPLETED
    assert execution.realised_profit > 0
    assert is_exact(accounts)


@pytest.mark.parametrize(
    ("language", "refused"),
    [
        ("en", "The venue {venue} refused the request: no"),
        ("zh-hans", "交易所 {venue} 拒绝了请求：no"),
    ],
)
def test_why_nothing_was_filled_is_told_in_the_readers_language(
    cross, edge, user_api, language, refused
):
    def refuse(code):
        def fail(_request):
            raise VenueRejected(venue=code, cause="no")

        return fail

    codes = ("alpha", "beta")
    for code in codes:
        edge[code].before_submit = refuse(code)
    words = [refused.format(venue=code) for code in codes]

    execution = tick(cross)

    assert execution.state == ExecutionState.FAILED
    asked = {"headers": {"Accept-Language": language}}
    lines = user_api.get("/api/logs", {"event": "execution_failed"}, **asked).json()
    (line,) = lines["data"]["results"]
    assert line["message"].endswith(" ".join(words))
    told = user_api.get(f"/api/executions/{execution.pk}", **asked).json()["data"]
    assert [leg["error"] for leg in told["legs"]] == words


def test_a_triangle_whose_first_leg_brings_nothing_ends_there(triangular, triangle, accounts):
    triangle["alpha"].before_submit = lambda request: triangle["alpha"].set_book(
        "BTC/USDT", bids=[], asks=[]
    )

    execution = tick(triangular)

    assert execution.state == ExecutionState.FAILED
    assert (execution.realised_profit, execution.residuals) == (D(0), {})
    assert execution.orders.count() == 1
    assert len(triangle["alpha"].requests) == 1
    assert is_exact(accounts)


def test_a_triangle_stops_when_too_little_arrived_and_counts_it_as_dust(
    triangular, triangle, accounts
):
    def drain(request):
        if request.symbol == "BTC/USDT":
            triangle["alpha"].books["BTC/USDT"][1][0][1] = D("0.00001")

    triangle["alpha"].before_submit = drain

    execution = tick(triangular)

    assert execution.state == ExecutionState.COMPLETED
    assert execution.orders.count() == 1
    assert execution.residuals == {"BTC": "0.00000999"}
    assert LogEntry.objects.filter(event="sequence_stopped").count() == 1
    assert LogEntry.objects.filter(event="execution_completed").count() == 1
    assert is_exact(accounts)


def test_a_triangle_with_a_leg_of_unknown_outcome_sends_no_further_leg(
    triangular, triangle, accounts
):
    def lose_answer(request):
        if request.symbol == "ETH/BTC":
            raise OutcomeUnknown(venue="alpha", cause="timeout")

    triangle["alpha"].after_submit = lose_answer

    execution = tick(triangular)

    assert execution.state == ExecutionState.UNKNOWN
    assert [request.symbol for request in triangle["alpha"].requests] == ["BTC/USDT", "ETH/BTC"]
    assert execution.finished_at is None


def test_an_unknown_leg_that_is_found_settles_the_execution_without_sending_more(
    triangular, triangle, accounts
):
    def lose_answer(request):
        if request.symbol == "ETH/BTC":
            raise OutcomeUnknown(venue="alpha", cause="timeout")

    triangle["alpha"].after_submit = lose_answer
    execution = tick(triangular)
    lost = Order.objects.get(state=OrderState.UNKNOWN)

    resolve_unknown(order_id=lost.pk)
    settled = settle_execution(execution_id=execution.pk)

    assert settled.state == ExecutionState.INCOMPLETE
    assert set(settled.residuals) == {"BTC", "ETH"}
    assert len(triangle["alpha"].requests) == 2
    assert is_exact(accounts)
    # the message that the order has ended then brings it to its end
    assert go_on(execution_id=execution.pk).state == ExecutionState.COMPLETED
    assert [request.symbol for request in triangle["alpha"].requests][2:] == ["ETH/USDT"]
    assert is_exact(accounts)


def test_a_triangle_with_a_leg_that_is_still_open_sends_no_further_leg(
    triangular, triangle, accounts
):
    triangle["alpha"].keeps_open = True
    triangle["alpha"].before_submit = lambda request: triangle["alpha"].set_book(
        "BTC/USDT", bids=[("49990", "5")], asks=[("50000", "0.1")]
    )

    execution = tick(triangular)

    order = execution.orders.get()
    assert (order.state, order.filled_quantity) == (OrderState.OPEN, D("0.1"))
    assert execution.state == ExecutionState.UNKNOWN
    assert is_exact(accounts)


def test_when_one_leg_of_two_is_refused_twice_the_other_is_reversed(cross, edge, accounts):
    def refuse(request):
        raise VenueRejected(venue="beta", cause="no")

    edge["beta"].before_submit = refuse

    execution = tick(cross)

    assert execution.state == ExecutionState.UNWOUND
    assert execution.realised_profit < 0
    assert set(execution.residuals) <= {"BTC"}
    line = LogEntry.objects.get(event="execution_incomplete")
    assert "BTC" in line.context["residuals"]
    assert [step["action"] for step in execution.steps] == ["proceed", "reverse"]
    assert is_exact(accounts)


def test_two_legs_that_were_never_sent_are_a_failure_without_a_trace_in_the_books(
    cross, edge, accounts
):
    def unreachable(request):
        raise VenueUnavailable(venue="x", cause="no route")

    for code in ("alpha", "beta"):
        edge[code].before_submit = unreachable

    execution = tick(cross)

    assert execution.state == ExecutionState.FAILED
    assert (execution.realised_profit, execution.residuals) == (D(0), {})
    assert {order.state for order in execution.orders.all()} == {OrderState.REJECTED}
    assert is_exact(accounts)


@pytest.mark.parametrize("buy", ["0", "0.2", "1"])
@pytest.mark.parametrize("sell", ["0", "0.2", "1"])
def test_every_pair_of_empty_partial_and_full_legs_is_booked_and_named(
    cross, edge, accounts, buy, sell
):
    def drain(code, side, left):
        def hook(request):
            edge[code].before_submit = None
            levels = edge[code].books["BTC/USDT"][side]
            levels[:] = [[levels[0][0], D(left)]] if D(left) else []

        return hook

    edge["alpha"].before_submit = drain("alpha", 1, buy)
    edge["beta"].before_submit = drain("beta", 0, sell)

    execution = tick(cross)

    # the books that the legs have drained offer nothing more: what is too much is reversed
    expected = {("0", "0"): ExecutionState.FAILED, ("1", "1"): ExecutionState.COMPLETED}
    assert execution.state == expected.get((buy, sell), ExecutionState.UNWOUND)
    assert abs(D(execution.residuals.get("BTC", "0"))) < D("0.0002")
    assert execution.realised_profit == execution_movements(execution.pk).get("USDT", D(0))
    assert is_exact(accounts)


def test_a_late_fill_changes_how_an_execution_ended(cross, edge, accounts):
    def refuse(request):
        raise OutcomeUnknown(venue="beta", cause="timeout")

    edge["beta"].after_submit = refuse
    edge["alpha"].before_submit = lambda request: edge["alpha"].set_book(
        "BTC/USDT", bids=[], asks=[]
    )
    execution = tick(cross)
    lost = Order.objects.get(state=OrderState.UNKNOWN)
    Order.objects.filter(pk=lost.pk).update(state=OrderState.REJECTED)  # "it was never there"
    assert settle_execution(execution_id=execution.pk).state == ExecutionState.FAILED
    Order.objects.filter(pk=lost.pk).update(state=OrderState.UNKNOWN)

    resolve_unknown(order_id=lost.pk)  # and there it is
    settled = settle_execution(execution_id=execution.pk)

    assert settled.state == ExecutionState.INCOMPLETE
    assert set(settled.residuals) == {"BTC"}
    assert settled.realised_profit > 0
    assert is_exact(accounts)


def test_settling_twice_changes_and_logs_nothing(cross, edge):
    execution = tick(cross)
    lines = LogEntry.objects.count()

    again = settle_execution(execution_id=execution.pk)

    assert (again.state, again.realised_profit) == (execution.state, execution.realised_profit)
    assert again.finished_at == execution.finished_at
    assert LogEntry.objects.count() == lines


def test_the_plan_keeps_the_legs_as_they_were_decided(cross, edge):
    execution = tick(cross)

    intent = Opportunity.objects.get().evidence["intent"]
    assert execution.plan == intent["legs"]
    assert execution.leg_count == 2


def test_orders_are_never_beyond_their_limits(cross, edge):
    edge["alpha"].set_book(
        "BTC/USDT", bids=[("49990", "1")], asks=[("50000", "0.2"), ("50100", "9")]
    )

    tick(cross)

    for request in edge["alpha"].requests:
        for fill in edge["alpha"].orders[request.client_order_id].fills:
            assert fill.price <= request.price


def test_a_tick_that_loses_its_claim_between_two_legs_ends_the_sequence_and_repairs_it(
    triangular, triangle, accounts
):
    clock = SkewedClock()

    def oversleep(request):
        triangle["alpha"].after_submit = None
        clock.advance_ms(3_600_000)
        Strategy.objects.update(tick_token="another tick")

    triangle["alpha"].after_submit = oversleep

    run_tick(strategy_id=triangular.pk, clock=clock)

    execution = Execution.objects.get()
    assert execution.state == ExecutionState.COMPLETED
    assert [step["action"] for step in execution.steps] == ["proceed", "proceed"]
    assert len(triangle["alpha"].requests) == 3
    assert "lost its turn" in LogEntry.objects.get(event="sequence_stopped").template
    assert is_exact(accounts)


def test_a_message_about_an_order_does_not_end_an_execution_whose_tick_still_runs(
    triangular, triangle
):
    states = []

    def deliver_message(request):
        if len(triangle["alpha"].requests) == 1:
            states.append(settle_execution(execution_id=Execution.objects.get().pk).state)

    triangle["alpha"].before_submit = deliver_message

    run_tick(strategy_id=triangular.pk)

    assert states == [ExecutionState.EXECUTING]
    assert Execution.objects.get().state == ExecutionState.COMPLETED
