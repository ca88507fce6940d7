"""Risk limits: set, inherited, measured, and kept with their history."""

from datetime import timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from arbplatform.core.errors import InvalidInput
from ledger.models import AssetPrice, Order
from markets.models import Asset
from strategies.domain.risk import Limits
from strategies.errors import StrategyNotFound
from strategies.models import Decision, Execution, Opportunity, Reason, RiskLimits, RiskLimitsChange
from strategies.selectors import get_open_run, get_strategy
from strategies.services.risk import DEFAULTS, read_limits, read_risk_gates, save_limits
from strategies.services.setups import Candidate, build_setup
from strategies.services.ticks import TickOutcome, run_tick
from tests.patience import PATIENCE_MS

pytestmark = pytest.mark.django_db

LEFT: dict[str, tuple[Any, Reason]] = {
    "order_notional_max": (D(1_000), Reason.ORDER_NOTIONAL),
    "day_notional_max": (D(1_000), Reason.DAY_NOTIONAL),
    "open_executions_max": (0, Reason.OPEN_EXECUTIONS),
    "venue_share_max": (D("0.01"), Reason.VENUE_CONCENTRATION),
    "edge_bps_max": (D(5), Reason.EDGE_ABOVE_CAP),
    "price_band_bps": (D("0.01"), Reason.PRICE_BAND),
    "open_orders_max": (0, Reason.OPEN_ORDERS),
    "position_max": (D(1_000), Reason.POSITION),
    "ticker_gap_bps_max": (D(10), Reason.TICKER_MISMATCH),
}


def candidate_of(strategy):
    row, run = get_strategy(strategy.pk), get_open_run(strategy.pk)
    return Candidate(
        strategy_id=row.pk,
        run_id=0 if run is None else run.pk,
        started_at=timezone.now(),
        accounts=list(row.accounts.all()),
        setup=build_setup(row),
    )


def gate_of(strategy):
    return read_risk_gates([candidate_of(strategy)])[strategy.pk]


@pytest.fixture
def prices(accounts):
    """Prices of all assets, as an equity snapshot leaves them."""
    usdt = Asset.objects.get(code="USDT")
    for code, price in (("BTC", "50000"), ("ETH", "2500")):
        AssetPrice.objects.create(
            asset=Asset.objects.get(code=code),
            reporting_asset=usdt,
            price=D(price),
            source="test",
            priced_at=timezone.now(),
        )


@pytest.mark.usefixtures("exact_decisions")
def test_without_any_row_our_own_limits_are_in_force(make_cross):
    assert read_limits(make_cross().pk) == DEFAULTS


def test_a_strategy_has_its_own_limits_and_inherits_the_others(make_cross):
    first, second = make_cross("first"), make_cross("second")
    save_limits(strategy_id=None, limits=Limits(edge_bps_max=D(50), day_loss_max=D(100)))
    save_limits(strategy_id=first.pk, limits=Limits(day_loss_max=D(10), open_executions_max=1))

    assert read_limits(first.pk) == Limits(
        edge_bps_max=D(50), day_loss_max=D(10), open_executions_max=1
    )
    assert read_limits(second.pk) == Limits(edge_bps_max=D(50), day_loss_max=D(100))


def test_every_change_is_kept_and_no_change_is_none(make_cross, staff, clock):
    strategy = make_cross()
    for limit in (D(10), D(20), D(20)):
        save_limits(
            strategy_id=strategy.pk, limits=Limits(day_loss_max=limit), user=staff, clock=clock
        )

    assert RiskLimits.objects.count() == 1
    rows = RiskLimitsChange.objects.order_by("pk")
    assert [(row.before["day_loss_max"], row.after["day_loss_max"]) for row in rows] == [
        (None, "10"),
        ("10", "20"),
    ]
    assert {(row.name, row.changed_by, row.changed_at) for row in rows} == {
        (strategy.name, staff.username, clock.now())
    }


def test_the_history_cannot_be_rewritten(db):
    save_limits(strategy_id=None, limits=Limits(day_loss_max=D(1)))

    with pytest.raises(IntegrityError), transaction.atomic():
        RiskLimitsChange.objects.update(changed_by="somebody else")
    with pytest.raises(IntegrityError), transaction.atomic():
        RiskLimitsChange.objects.all().delete()

    assert RiskLimitsChange.objects.get().changed_by == "system"


@pytest.mark.parametrize(
    ("name", "value"),
    [("day_loss_max", D(-1)), ("open_executions_max", -1), ("venue_share_max", D("1.01"))],
)
def test_limits_that_make_no_sense_are_refused(db, name, value):
    with pytest.raises(InvalidInput) as refusal:
        save_limits(strategy_id=None, limits=Limits(**{name: value}))

    assert set(refusal.value.fields) == {name}
    assert RiskLimits.objects.count() == RiskLimitsChange.objects.count() == 0


def test_only_strategies_that_exist_have_limits(db):
    with pytest.raises(StrategyNotFound):
        save_limits(strategy_id=99, limits=Limits())

    assert RiskLimits.objects.count() == 0


@pytest.mark.parametrize("name", LEFT)
def test_a_limit_denies_an_intent_and_the_decision_shows_the_figures(cross, edge, prices, name):
    value, reason = LEFT[name]
    save_limits(strategy_id=cross.pk, limits=Limits(**{name: value}))

    report = run_tick(strategy_id=cross.pk)

    assert (report.outcome, report.error) == (TickOutcome.LEFT, "")
    opportunity = Opportunity.objects.get()
    assert (opportunity.decision, opportunity.reason) == (Decision.DENIED, reason)
    assert "limit" in opportunity.evidence["denial"]["context"]
    cross.refresh_from_db()
    assert cross.last_decision["left"][0]["message"] == opportunity.evidence["denial"]
    assert Order.objects.count() == Execution.objects.count() == 0
    assert edge["alpha"].requests == []


def test_wide_limits_let_an_intent_pass(cross, edge, prices):
    wide = Limits(
        order_notional_max=D(10**6),
        day_notional_max=D(10**6),
        open_executions_max=1,
        unhedged_max=D(10**6),
        day_loss_max=D(10**6),
        venue_share_max=D(1),
        edge_bps_max=D(1_000),
        price_band_bps=D(500),
        unhedged_seconds_max=D(10**6),
        open_orders_max=1,
        position_max=D(10**7),
        book_age_ms_max=PATIENCE_MS,
        book_skew_ms_max=PATIENCE_MS,
        ticker_gap_bps_max=D(200),
        depeg_bps_max=D(50),
    )
    save_limits(strategy_id=cross.pk, limits=wide)

    assert run_tick(strategy_id=cross.pk).outcome is TickOutcome.EXECUTED


def test_what_was_executed_lost_and_left_over_today_counts(cross, edge, prices):
    run_tick(strategy_id=cross.pk)
    execution = Execution.objects.get()
    Execution.objects.update(residuals={"BTC": "0.1", "ETH": "-1"})
    every = Limits(
        unhedged_max=D(1),
        unhedged_seconds_max=D(1),
        day_notional_max=D(1),
        day_loss_max=D(1),
        venue_share_max=D(1),
    )
    save_limits(strategy_id=cross.pk, limits=every)

    Execution.objects.update(created_at=timezone.now() - timedelta(seconds=60))

    figures = gate_of(cross).figures

    assert figures.day_notional == {"USDT": execution.opportunity.notional}
    assert figures.left_over == {"BTC": D("0.1"), "ETH": D(-1)}
    assert D(6) <= figures.left_over_seconds["BTC"] < D(7)
    assert figures.day_result["USDT"] == execution.realised_profit
    assert set(figures.held) == {"alpha", "beta"}
    assert figures.prices["BTC"] == D(50_000)


def test_figures_that_no_limit_needs_are_not_read(cross, django_assert_num_queries):
    candidate = candidate_of(cross)

    with django_assert_num_queries(2):  # the limits, and the executions that our own limit counts
        read_risk_gates([candidate])


def test_a_limit_without_prices_denies(cross, edge):
    save_limits(strategy_id=cross.pk, limits=Limits(price_band_bps=D(100)))

    run_tick(strategy_id=cross.pk)

    assert Opportunity.objects.get().reason == Reason.PRICE_UNKNOWN
    assert Order.objects.count() == 0
