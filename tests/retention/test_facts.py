"""No removal touches a fact about money."""

from datetime import timedelta

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.admin.models import LogEntry as ConsoleLogEntry
from django.db.models import ProtectedError

from accounts.models import Balance, Reservation, RuleChange, Transfer, VenueAccount
from arbplatform.core.clock import FixedClock, to_ms
from arbplatform.retention.kinds import Kind, list_kinds
from arbplatform.retention.models import Retention
from arbplatform.retention.pruning import Limits, prune
from ledger.models import (
    BookTotal,
    Discrepancy,
    Entry,
    EquitySnapshot,
    Fill,
    Order,
    Posting,
    ReconciliationRun,
    TradingChange,
    TradingDay,
)
from markets.models import Asset
from strategies.models import (
    Attribution,
    Dust,
    Execution,
    Opportunity,
    ResultTotal,
    RiskLimitsChange,
    Run,
    Strategy,
)
from tests.populated import populated
from tests.retention.conftest import NOW

pytestmark = pytest.mark.django_db

FACTS = (
    Attribution,
    BookTotal,
    Dust,
    Entry,
    Execution,
    Fill,
    Order,
    Posting,
    ResultTotal,
    RiskLimitsChange,
    RuleChange,
    Run,
    TradingChange,
    TradingDay,
    Transfer,
    ConsoleLogEntry,
)
STATES = {
    "accounts.AddressEntry",
    "accounts.Balance",
    "accounts.Reservation",
    "accounts.ReservedTotal",
    "accounts.TransferLimit",
    "accounts.VenueAccount",
    "accounts.VenueNetwork",
    "api.KeptAnswer",  # has a pruning of its own, by age and by number
    "ledger.AccountReconciliation",
    "ledger.AssetPrice",
    "ledger.LateFee",
    "ledger.TradingHalt",
    "markets.Asset",
    "markets.Market",
    "markets.Venue",
    "notices.NoticeChannel",
    "retention.Retention",
    "strategies.PegReading",
    "strategies.ResultAudit",
    "strategies.RiskLimits",
    "strategies.Strategy",
    "strategies.SweepPlace",
}
"""Tables with one row for each thing that there is: they do not grow with time."""
OURS = ("accounts", "api", "ledger", "markets", "notices", "retention", "strategies")


def test_of_every_table_it_is_decided_whether_it_may_shrink():
    """A new table belongs to a kind (``services/retention.py``), to FACTS or to STATES."""
    tables = {model._meta.label for app in OURS for model in apps.get_app_config(app).get_models()}
    removable = {kind.model._meta.label for kind in list_kinds()}
    facts = {model._meta.label for model in FACTS}

    assert removable & facts == set()
    assert tables - removable - facts == STATES


def test_every_setting_is_of_a_kind():
    assert set(settings.RETENTION_DAYS) == {kind.name for kind in list_kinds()}


def everything(models):
    return {model._meta.label: list(model.objects.order_by("pk").values()) for model in models}


def test_after_a_hundred_years_every_fact_is_still_there():
    with populated():
        kept = (*FACTS, Balance, Reservation, VenueAccount, Strategy)
        before = everything(kept)
        evidence = list(
            Opportunity.objects.exclude(execution=None).order_by("pk").values("pk", "evidence")
        )
        assert evidence
        assert all(row["evidence"] for row in evidence)
        assert all(before[model._meta.label] for model in (Execution, Fill, Order, Posting))

        later = FixedClock(at_ms=to_ms(NOW + timedelta(days=36_525)))
        prune(clock=later, pause=lambda _seconds: None, limits=Limits(rows=None))

        assert everything(kept) == before
        assert list(Opportunity.objects.order_by("pk").values("pk", "evidence")) == evidence


@pytest.fixture
def populated_run(db):
    """A run of a strategy on a platform in which something has happened."""
    with populated() as there:
        yield there.strategies[0].runs.get()


def see(run, *, days, **fields):
    return Opportunity.objects.create(
        strategy=run.strategy,
        run=run,
        detected_at=NOW - timedelta(days=days),
        summary="seen",
        route="r",
        edge_bps=1,
        notional=1,
        expected_profit=1,
        profit_asset=Asset.objects.get(code="USDT"),
        decision="skipped",
        evidence={"books": ["…"]},
        **fields,
    )


def prune_kind(name, clock):
    kinds = [kind for kind in list_kinds() if kind.name == name]
    [done] = prune(kinds=kinds, clock=clock, pause=lambda _seconds: None)
    return done.removed_count


def test_an_opportunity_that_was_carried_out_is_kept_with_its_evidence(clock, populated_run):
    executed = Execution.objects.earliest("pk").opportunity
    Opportunity.objects.filter(pk=executed.pk).update(detected_at=NOW - timedelta(days=400))
    see(populated_run, days=399)
    young = see(populated_run, days=1)

    removed = prune_kind("opportunities", clock)

    assert removed == 1
    assert Opportunity.objects.filter(pk__in=[executed.pk, young.pk]).count() == 2
    assert Opportunity.objects.get(pk=executed.pk).evidence == executed.evidence


def test_a_mistake_in_what_may_go_costs_nothing_that_others_rely_on(clock, populated_run):
    executed = Execution.objects.earliest("pk").opportunity
    Opportunity.objects.filter(pk=executed.pk).update(detected_at=NOW - timedelta(days=400))
    see(populated_run, days=399)
    count = Opportunity.objects.count()
    mistaken = Kind("opportunities", "", Opportunity, "detected_at")

    with pytest.raises(ProtectedError):
        prune(kinds=[mistaken], clock=clock, pause=lambda _seconds: None)

    assert Opportunity.objects.count() == count
    assert Retention.objects.get(kind="opportunities").removed_count == 0


def take(moment, asset):
    return EquitySnapshot.objects.create(
        taken_at=moment, reporting_asset=asset, total=1, realised_pnl=0
    ).pk


def test_of_each_old_day_the_last_equity_is_kept(clock):
    usdt, euro = (Asset.objects.create(code=code) for code in ("USDT", "EUR"))
    day = (NOW - timedelta(days=50)).replace(hour=0)
    take(day, usdt)
    take(day + timedelta(hours=23, minutes=58), usdt)
    last = take(day + timedelta(hours=23, minutes=59, seconds=59), usdt)
    # two minutes later, but on another day
    other_day = take(day + timedelta(hours=24, minutes=1), usdt)
    other_asset = take(day + timedelta(hours=9), euro)
    young = [take(NOW - timedelta(days=2, seconds=seconds), usdt) for seconds in (30, 60)]

    removed = prune_kind("equity", clock)

    kept = set(EquitySnapshot.objects.values_list("pk", flat=True))
    assert (removed, kept) == (2, {last, other_day, other_asset, *young})


def test_the_last_equity_of_a_day_is_kept_run_by_run(clock):
    """Rows grow old one by one; what is kept is still one for each day."""
    usdt = Asset.objects.create(code="USDT")
    start = (NOW - timedelta(days=32)).replace(hour=0, minute=0)
    taken = [take(start + timedelta(hours=hour), usdt) for hour in range(72)]

    for _ in range(96):
        prune_kind("equity", clock)
        clock.advance_ms(3_600_000)

    kept = sorted(EquitySnapshot.objects.values_list("pk", flat=True))
    assert kept == [taken[23], taken[47], taken[71]]


def test_a_comparison_that_booked_something_is_kept(clock, populated_run):
    account = populated_run.strategy.accounts.first()
    old = NOW - timedelta(days=100)
    rows = [
        ReconciliationRun.objects.create(
            account=account, started_at=old, finished_at=old, outcome="clean", booked_count=count
        )
        for count in (0, 1)
    ]

    removed = prune_kind("comparisons", clock)

    assert removed == 1
    assert [row.pk for row in ReconciliationRun.objects.filter(started_at=old)] == [rows[1].pk]


def test_a_discrepancy_that_was_booked_or_acknowledged_or_is_not_over_is_kept(
    clock, populated_run, staff
):
    account = populated_run.strategy.accounts.first()
    old = NOW - timedelta(days=100)

    def see_difference(state, **fields):
        return Discrepancy.objects.create(
            account=account,
            kind="balance",
            subject=f"{state} {len(fields)}",
            state=state,
            template="It differs.",
            first_seen_at=old,
            last_seen_at=old,
            **fields,
        ).pk

    see_difference("closed", closed_at=old)
    kept = {
        see_difference("closed", closed_at=NOW - timedelta(days=1), note="young"),
        see_difference("closed", closed_at=old, acknowledged_at=old, acknowledged_by=staff),
        see_difference("booked", closed_at=old),
        see_difference("open"),
        see_difference("alarmed"),
    }

    removed = prune_kind("discrepancies", clock)

    assert removed == 1
    assert set(Discrepancy.objects.filter(last_seen_at=old).values_list("pk", flat=True)) == kept
