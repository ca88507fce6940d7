"""The two faces of the overview: the console's first page and ``GET /api/overview``."""

from decimal import Decimal
from typing import Any, Final

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from arbplatform.api.fields import AmountField, SentenceField
from arbplatform.core.decimals import to_decimal
from arbplatform.notices.models import Alarm
from arbplatform.notices.selectors import list_told_alarms
from arbplatform.overview import EquityPoint, Overview, read_overview
from arbplatform.parts import TITLES, check_parts
from ledger.services.kill import read_standing
from markets.models import VenueStateChoice
from strategies.domain.states import ExecutionState
from strategies.models import Execution

# The API ---------------------------------------------------------------------------------------


class StrategyCountsSerializer(serializers.Serializer[Any]):
    """How many strategies are in each state."""

    total = serializers.IntegerField()
    running = serializers.IntegerField()
    stopping = serializers.IntegerField()
    stopped = serializers.IntegerField()
    faulted = serializers.IntegerField()


class OverviewPointSerializer(serializers.Serializer[EquityPoint]):
    """What everything was worth at one moment."""

    at = serializers.DateTimeField()
    total = AmountField()
    realised_pnl = AmountField()


class LatestArbitrageSerializer(serializers.Serializer[Any]):
    """One arbitrage that was carried out, or is being."""

    id = serializers.IntegerField()
    strategy_id = serializers.IntegerField()
    strategy_name = serializers.CharField(source="strategy.name")
    summary = serializers.CharField(source="opportunity.summary")
    state = serializers.CharField()
    leg_count = serializers.IntegerField()
    expected_profit = AmountField()
    realised_profit = AmountField(allow_null=True)
    profit_asset = serializers.CharField(source="profit_asset.code")
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class VenueHealthSerializer(serializers.Serializer[Any]):
    """Whether a venue and its accounts answer."""

    code = serializers.CharField()
    name = serializers.CharField()
    is_enabled = serializers.BooleanField()
    is_ok = serializers.BooleanField()
    state = serializers.ChoiceField(choices=VenueStateChoice.choices)
    state_reason = SentenceField(help_text="Why it is in that state; empty if it is healthy.")
    account_count = serializers.IntegerField()
    synced_at = serializers.DateTimeField(allow_null=True)
    error = SentenceField()
    is_simulated = serializers.BooleanField(
        allow_null=True,
        help_text="A simulator on this machine answers for it, or did when it last answered: what "
        "is there is play money. Null if that is not known.",
    )
    fault_count = serializers.IntegerField(
        help_text="Faults that are planned at a simulated venue and active now."
    )


class OverviewSerializer(serializers.Serializer[Overview]):
    """The state of the whole platform."""

    at = serializers.DateTimeField()
    reporting_asset = serializers.CharField()
    strategies = serializers.SerializerMethodField()
    total_assets = AmountField(allow_null=True)
    valued_at = serializers.DateTimeField(allow_null=True)
    unpriced_assets = serializers.ListField(child=serializers.CharField())
    today_pnl = AmountField()
    today_unpriced = serializers.ListField(child=serializers.CharField())
    today_pnl_by_asset = serializers.DictField(child=AmountField())
    total_pnl = AmountField(allow_null=True)
    equity = OverviewPointSerializer(many=True)
    executions = serializers.DictField(child=serializers.IntegerField())
    latest_arbitrages = LatestArbitrageSerializer(source="latest", many=True)
    orders_open = serializers.IntegerField()
    orders_unknown = serializers.IntegerField()
    discrepancies = serializers.IntegerField(
        help_text="On what books and venues disagree, neither explained nor booked."
    )
    proven_at = serializers.DateTimeField(
        allow_null=True,
        help_text="Since when every account in use was last found equal to its venue's statement.",
    )
    transfer_alarms = serializers.IntegerField(
        help_text="Transfers that are overdue or credited wrongly, and addresses that changed."
    )
    imbalances = serializers.DictField(
        child=AmountField(), help_text="Assets in which the books do not sum to zero: always none."
    )
    venues = VenueHealthSerializer(many=True)

    @extend_schema_field(StrategyCountsSerializer)
    def get_strategies(self, overview: Overview) -> dict[str, int]:
        """Return the counts by state, and their sum."""
        counts = {state.value: number for state, number in overview.strategies.items()}
        return {"total": overview.strategies_total, **counts}


class OverviewView(APIView):
    """Everything at a glance."""

    @extend_schema(operation_id="overview", tags=["overview"], responses={200: OverviewSerializer})
    def get(self, request: Request) -> Response:
        """Return strategies, total assets, today's result, equity and latest arbitrages."""
        return Response(OverviewSerializer(read_overview()).data)


# The console -----------------------------------------------------------------------------------

POINTS_MIN: Final = 2

ALARMS_MAX: Final = 5
"""Alarms that the page tells; of more it says that there are."""
SHOWN_KINDS: Final = ("trading:", "part:")
"""Kinds of alarms about what the page tells by itself, with more to it."""

STATE_VARIANTS: Final = {
    ExecutionState.EXECUTING: "info",
    ExecutionState.COMPLETED: "success",
    ExecutionState.INCOMPLETE: "warning",
    ExecutionState.UNWOUND: "warning",
    ExecutionState.HELD: "danger",
    ExecutionState.FAILED: "danger",
    ExecutionState.UNKNOWN: "danger",
}

LINKS: Final = {
    "strategies": ("strategies.strategy", "changelist"),
    "strategy_add": ("strategies.strategy", "add"),
    "executions": ("strategies.execution", "changelist"),
    "equity": ("ledger.equitysnapshot", "changelist"),
    "trades": ("ledger.fill", "changelist"),
    "orders": ("ledger.order", "changelist"),
    "transfers": ("accounts.transfer", "changelist"),
    "entries": ("ledger.entry", "changelist"),
    "venue_add": ("markets.venue", "add"),
    "alarms": ("notices.alarm", "changelist"),
}


def add_overview(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Return the context of the console's first page with the overview's numbers."""
    overview = read_overview()
    links = {name: link for name in LINKS if (link := _link(request, *LINKS[name]))}
    alarms = (
        list_told_alarms(besides=SHOWN_KINDS, limit=ALARMS_MAX + 1) if "alarms" in links else []
    )
    context.update(
        overview=overview,
        trading=read_standing(),
        parts_down={TITLES[name]: part for name, part in check_parts().items() if not part.is_ok},
        latest=[_row(request, execution) for execution in overview.latest],
        equity_chart=_draw_equity(overview),
        links=links,
        alarms=[(alarm, _row_of(request, alarm)) for alarm in alarms[:ALARMS_MAX]],
        has_more_alarms=len(alarms) > ALARMS_MAX,
    )
    return context


def _row(request: HttpRequest, execution: Execution) -> dict[str, Any]:
    return {
        "execution": execution,
        "variant": STATE_VARIANTS[ExecutionState(execution.state)],
        "residuals": _residuals(execution),
        "link": _link(request, "strategies.execution", "change", execution.pk),
    }


def _row_of(request: HttpRequest, alarm: Alarm) -> str | None:
    """Return the address of the execution that an alarm is about; ``None``: it is about none."""
    kind, _separator, rest = alarm.key.partition(":")
    number = rest.partition(":")[0]
    if kind != "execution" or not number.isdecimal():
        return None
    return _link(request, "strategies.execution", "change", number)


def _residuals(execution: Execution) -> list[tuple[str, Decimal]]:
    """Return what an arbitrage left over where its result alone would mislead.

    That is when it fell short, or seems to have lost: dust may be worth as much.
    """
    has_earned = (execution.realised_profit or 0) >= 0
    if execution.state == ExecutionState.COMPLETED and has_earned:
        return []
    return [(asset, to_decimal(amount)) for asset, amount in execution.residuals.items()]


def _link(request: HttpRequest, model: str, page: str, *args: object) -> str | None:
    """Return the address of a page, or None if there is none or the person may not see it."""
    found = apps.get_model(model)
    registered = admin.site._registry.get(found)  # noqa: SLF001  Django offers no other way
    if registered is None:
        return None
    may = registered.has_add_permission if page == "add" else registered.has_view_permission
    if not may(request):
        return None
    return reverse(f"admin:{model.replace('.', '_')}_{page}", args=args)


def _draw_equity(overview: Overview) -> dict[str, Any] | None:
    """Return the equity curve for Chart.js, or None while there are too few points for a line."""
    points = overview.equity
    if len(points) < POINTS_MIN:
        return None
    return {
        "labels": [date_format(timezone.localtime(point.at), "H:i:s") for point in points],
        "datasets": [
            {
                "label": f"{gettext('Total assets')} ({overview.reporting_asset})",
                "data": [f"{point.total:.2f}" for point in points],
                "borderColor": "var(--color-primary-600)",
                "yAxisID": "y",
            },
            {
                "label": f"{gettext('Realised PnL')} ({overview.reporting_asset})",
                "data": [f"{point.realised_pnl:.2f}" for point in points],
                "borderColor": "var(--arb-positive)",
                "yAxisID": "y1",
            },
        ],
    }
