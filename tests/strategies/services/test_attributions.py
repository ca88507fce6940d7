"""Each execution says why it made what it made, and says so when that cannot be."""

from dataclasses import replace
from decimal import Decimal as D

import pytest

from arbplatform.core.clock import SYSTEM_CLOCK
from ledger.domain.postings import FEE_CORRECTED, Book, Line, Purse, fee_lines
from ledger.models import AssetPrice, EntryKind, Fill, LogEntry, LogLevel
from ledger.selectors import execution_movements
from ledger.services.entries import book_entry, reverse_entry
from ledger.services.fills import book_fills
from markets.domain.funds import Wallet
from markets.domain.orders import Side, VenueFill
from markets.services.assets import ensure_assets
from strategies.domain.attribution import value_movements
from strategies.domain.states import ExecutionState
from strategies.models import PARTS, Attribution, Execution, Opportunity
from strategies.selectors import sum_attributions
from strategies.services.repairs import repair_execution
from strategies.services.settlement import settle_execution
from strategies.services.ticks import run_tick

pytestmark = pytest.mark.django_db


def tick(strategy):
    run_tick(strategy_id=strategy.pk, is_spacing_kept=False)
    return Execution.objects.get()


def attribution_of(execution):
    """Return the attribution; it adds up to the ledger in any case."""
    row = Attribution.objects.get(execution=execution)
    marks = {code: D(price) for code, price in row.marks.items()}
    booked = value_movements(execution_movements(execution.pk), marks)
    assert sum((getattr(row, name) or D(0)) for name in PARTS) == row.total
    assert (row.booked, row.is_exact) == (booked, row.total == booked)
    return row


def report(order, **changes):
    """Return a fill as a venue would report it."""
    fill = VenueFill(
        venue_trade_id="late-1",
        venue_order_id=order.venue_order_id,
        symbol=order.market.symbol,
        side=Side(order.side),
        price=D(50400),
        quantity=D("0.01"),
        fee=D("0.5"),
        fee_asset="USDT",
        is_maker=False,
        executed_at_ms=1_767_225_600_000,
    )
    return replace(fill, **changes)


def settle(execution):
    """Settle an execution as news about it has it done: with the repair that they ask for."""
    if settle_execution(execution_id=execution.pk).state == ExecutionState.INCOMPLETE:
        repair_execution(execution_id=execution.pk, clock=SYSTEM_CLOCK)


def test_an_execution_as_planned_made_what_was_expected(cross, edge):
    execution = tick(cross)

    row = attribution_of(execution)

    assert execution.state == ExecutionState.COMPLETED
    assert row.expected == execution.expected_profit
    assert row.latency is None
    assert (row.slippage, row.fees, row.completion) == (0, 0, 0)
    # the plan had valued what is left over already, less the fee of selling it
    assert row.dust == row.left_over * D("0.001")
    assert row.marks == {"BTC": "49990", "USDT": "1"}  # a surplus, where it was bought
    assert row.cash == execution.realised_profit
    assert row.left_over == D(execution.residuals["BTC"]) * 49990
    assert [leg["sent_after_ms"] is not None for leg in row.legs] == [True, True]


def test_what_a_triangle_leaves_over_counts_beyond_what_was_expected(triangular, triangle):
    execution = tick(triangular)

    row = attribution_of(execution)

    assert execution.state == ExecutionState.COMPLETED
    assert (row.latency, row.slippage, row.fees) == (None, 0, 0)
    marks = {code: D(price) for code, price in row.marks.items()}
    left = sum(marks[code] * D(amount) for code, amount in execution.residuals.items())
    assert row.left_over == left > 0
    assert row.expected == execution.expected_profit == row.cash
    assert (row.dust, row.completion) == (left, 0)


def test_a_better_price_is_slippage_in_our_favour(cross, edge):
    edge["alpha"].before_submit = lambda request: edge["alpha"].set_book(
        "BTC/USDT", bids=[], asks=[("49999", "1")]
    )

    execution = tick(cross)

    row = attribution_of(execution)
    bought = execution.orders.get(side="buy").filled_quantity
    assert row.slippage == bought == D(row.legs[0]["slippage"])
    assert row.legs[1]["slippage"] == "0"


def test_a_repair_is_told_apart_from_slippage(cross, edge):
    def lose_price(request):
        edge["beta"].before_submit = None
        edge["beta"].set_book("BTC/USDT", bids=[], asks=[("50510", "1")])
        edge["beta"].before_book = lambda _symbol: edge["beta"].set_book(
            "BTC/USDT", bids=[("50450", "3")], asks=[("50510", "1")]
        )

    edge["beta"].before_submit = lose_price

    execution = tick(cross)

    row = attribution_of(execution)
    assert execution.state == ExecutionState.COMPLETED
    missed, sent = execution.orders.filter(side="sell").order_by("pk")
    assert (row.slippage, row.fees) == (0, 0)
    # 50450 instead of 50500 less the fee; one lot more than planned, which the mark had valued
    more = (sent.quantity - missed.quantity) * (50450 * D("0.999") - 49990)
    assert row.completion == -50 * missed.quantity * D("0.999") + more


def test_an_exposure_that_is_held_is_valued_at_the_mark(held):
    row = attribution_of(held)

    assert row.slippage == 0
    assert row.total == held.realised_profit + D(held.residuals["BTC"]) * D(row.marks["BTC"])


def test_an_execution_that_failed_missed_all_that_was_expected(cross, edge):
    for code in ("alpha", "beta"):
        edge[code].before_submit = lambda request, code=code: edge[code].set_book(
            "BTC/USDT", bids=[], asks=[]
        )

    execution = tick(cross)

    row = attribution_of(execution)
    assert execution.state == ExecutionState.FAILED
    assert (row.total, row.completion) == (0, -row.expected - row.dust)


def test_a_late_fill_derives_the_attribution_anew(cross, edge):
    execution = tick(cross)
    before = attribution_of(execution)
    order = execution.orders.get(side="sell")
    book_fills(order=order, fills=[report(order)])

    settle(execution)

    row = attribution_of(execution)
    assert (row.revision, row.is_exact) == (before.revision + 1, True)
    # 0.01 BTC that were left over and more went for 504 less 0.5, and are bought back at 50010
    assert row.total != before.total


def test_a_fee_that_comes_late_makes_the_attribution_final(cross, edge):
    execution = tick(cross)
    order = execution.orders.get(side="sell")
    fill = report(order, fee=None, fee_asset=None)
    book_fills(order=order, fills=[fill])
    settle(execution)
    pending = attribution_of(execution)

    book_fills(order=order, fills=[replace(fill, fee=D("0.5"), fee_asset="USDT")])
    settle(execution)

    row = attribution_of(execution)
    assert (pending.has_pending_fees, row.has_pending_fees) == (True, False)
    assert row.total == pending.total - D("0.5")
    assert row.fees == pending.fees - D("0.5")


def test_a_fee_that_was_corrected_is_no_anomaly(cross, edge):
    execution = tick(cross)
    before = attribution_of(execution)
    fill = Fill.objects.get(side="sell")
    book_entry(
        key=fill.entry.key + FEE_CORRECTED,
        kind=EntryKind.FEE,
        lines=fee_lines(purse=Purse(fill.account_id), fee=D("0.3"), fee_asset="USDT"),
        occurred_at=fill.executed_at,
        strategy_id=cross.pk,
        execution_id=execution.pk,
    )

    settle(execution)

    row = attribution_of(execution)
    assert (row.is_exact, row.differences) == (True, {})
    assert (row.total, row.fees) == (before.total - D("0.3"), before.fees - D("0.3"))
    assert not LogEntry.objects.filter(event="attribution_mismatch").exists()


def test_a_fee_in_another_coin_is_valued_at_its_last_known_price_and_keeps_it(cross, edge):
    execution = tick(cross)
    rows = ensure_assets(["BNB", "USDT"])
    price = AssetPrice.objects.create(
        asset=rows["BNB"], reporting_asset=rows["USDT"], price=D(600), priced_at=SYSTEM_CLOCK.now()
    )
    order = execution.orders.get(side="sell")
    book_fills(order=order, fills=[report(order, fee=D("0.01"), fee_asset="BNB")])
    settle(execution)
    before = attribution_of(execution)

    price.price = D(700)
    price.save()
    settle(execution)

    row = attribution_of(execution)
    assert row.marks["BNB"] == "600"
    assert (row.fees, row.unpriced) == (before.fees, [])


def test_a_fee_in_a_coin_without_a_price_is_named(cross, edge):
    execution = tick(cross)
    order = execution.orders.get(side="sell")
    book_fills(
        order=order, fills=[report(order, fee=D("0.01"), fee_asset="XYZ")], is_fee_proven=True
    )

    settle(execution)

    assert attribution_of(execution).unpriced == ["XYZ"]


def test_a_reversed_fill_is_in_neither_of_the_two_accounts(cross, edge):
    execution = tick(cross)
    fill = Fill.objects.filter(order__execution=execution, side="sell").get()

    reverse_entry(entry_id=fill.entry_id, memo="busted by the venue")
    settle(execution)

    row = attribution_of(execution)
    assert row.is_exact
    bought = execution.orders.get(side="buy")
    _voided, sold = execution.orders.filter(side="sell").order_by("pk")  # for it was sold again
    assert row.cash == sold.filled_cost * D("0.999") - bought.filled_cost


def test_an_entry_that_no_fill_explains_is_an_anomaly_that_is_not_smoothed_over(cross, edge):
    execution = tick(cross)
    before = attribution_of(execution)
    account_id = execution.orders.first().account_id
    lines = [
        Line(Book.WALLET, "USDT", D(-7), account_id=account_id, wallet=Wallet.SPOT),
        Line(Book.EXTERNAL, "USDT", D(7)),
    ]
    book_entry(
        key="strange",
        kind=EntryKind.EXTERNAL,
        lines=lines,
        occurred_at=execution.created_at,
        strategy_id=cross.pk,
        execution_id=execution.pk,
    )

    settle(execution)
    settle(execution)

    row = attribution_of(execution)
    assert not row.is_exact
    assert (row.total, row.booked) == (before.total, before.total - 7)
    assert list(row.differences) == ["USDT"]
    assert D(row.differences["USDT"]["fills"]) - D(row.differences["USDT"]["ledger"]) == 7
    logged = LogEntry.objects.get(event="attribution_mismatch")  # once, not with every look
    assert logged.level == LogLevel.ERROR
    assert sum_attributions(cross.pk)[0]["inexact"] == 1


def test_evidence_that_cannot_be_read_is_said_and_keeps_nothing_from_ending(cross, edge):
    execution = tick(cross)
    Attribution.objects.all().delete()
    Opportunity.objects.update(evidence={"version": 99})

    settled = settle_execution(execution_id=execution.pk)

    assert settled.state == ExecutionState.COMPLETED
    assert not Attribution.objects.exists()
    assert LogEntry.objects.filter(event="attribution_unreadable").count() == 1


def test_the_attributions_of_a_strategy_are_added_up_by_profit_asset(cross, edge):
    for _round in range(2):
        edge["alpha"].set_book("BTC/USDT", bids=[("49990", "1")], asks=[("50000", "1")])
        edge["beta"].set_book("BTC/USDT", bids=[("50500", "1")], asks=[("50510", "1")])
        run_tick(strategy_id=cross.pk, is_spacing_kept=False)

    [row] = sum_attributions(cross.pk)

    assert (row["asset"], row["executions"], row["measured"]) == ("USDT", 2, 0)
    assert row["latency"] is None
    assert row["total"] == sum(Attribution.objects.values_list("total", flat=True))
