"""Strategies over HTTP: parse, one service or selector, serialize."""

from collections.abc import Mapping
from typing import Any

from django.db.models import F, QuerySet
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework import generics, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from arbplatform.api.parameters import known_parameters, refuse_unknown
from arbplatform.api.permissions import write_permissions
from arbplatform.api.versions import VersionedView, as_read, versioned
from arbplatform.core.errors import InvalidInput, Message
from strategies.api.execution_serializers import (
    ExecutionDetailSerializer,
    ExecutionSerializer,
)
from strategies.api.filters import (
    ExecutionFilter,
    OpportunityFilter,
    RunFilter,
    StrategyFilter,
)
from strategies.api.scan_serializers import BY_EDGE, BY_PROFIT, ScanQuerySerializer, ScanSerializer
from strategies.api.scan_views import answer_scan
from strategies.api.serializers import (
    OpportunityDetailSerializer,
    OpportunityPageSerializer,
    OpportunitySerializer,
    PnlSerializer,
    RunRowSerializer,
    StopBodySerializer,
    StrategyBodySerializer,
    StrategyDetailSerializer,
    StrategySerializer,
    StrategyTypeSerializer,
    translate_schema,
)
from strategies.models import Execution, Opportunity, Run, Strategy
from strategies.registry import describe, list_plugins
from strategies.selectors import (
    get_execution,
    get_last_run,
    get_opportunity,
    get_strategy,
    list_executions,
    list_latest_logs,
    list_latest_trades,
    list_legs,
    list_opportunities,
    list_runs,
    list_strategies,
    lock_strategy,
)
from strategies.services import runs, strategies
from strategies.services.acknowledgements import acknowledge_execution
from strategies.services.pnl import report_pnl

STORED, LIVE = "stored", "live"
VIEW = OpenApiParameter(
    "view",
    {"type": "string", "enum": [STORED, LIVE], "default": STORED},
    description="live: what could be earned anywhere now, instead of what strategies saw.",
)
LIVE_ONLY = ("kind", "limit")
"""Parameters of the live view alone."""
OPPORTUNITY_ORDER = ("id", "detected_at", "edge_bps", "expected_profit", "notional")
ORDERING = OpenApiParameter(
    "ordering",
    {"type": "string"},
    description=f"Stored: one or more of {', '.join(OPPORTUNITY_ORDER)}; with - before it, "
    f"descending. Live: {BY_EDGE} (the default) or {BY_PROFIT}.",
)

LATEST = 20
"""Log lines and trades that the detail of a strategy shows."""


class StrategyListView(generics.ListAPIView[Strategy]):
    """The strategies there are."""

    write_permission = write_permissions("strategies.strategy")
    serializer_class = StrategySerializer
    filterset_class = StrategyFilter
    ordering_fields = ["name", "type", "status", "started_at", "last_tick_at", "created_at", "id"]

    def get_queryset(self) -> QuerySet[Strategy]:
        """Return all strategies; their state can be sorted by under its public name."""
        return list_strategies().annotate(status=F("state"))

    @extend_schema(
        request=StrategyBodySerializer,
        responses={201: StrategyDetailSerializer},
    )
    def post(self, request: Request) -> Response:
        """Create a strategy, stopped."""
        body = _parse(StrategyBodySerializer(data=request.data))
        created = strategies.create_strategy(**_arguments(body, is_whole=True))
        return Response(_detail(created.pk), status=status.HTTP_201_CREATED)


class StrategyView(VersionedView):
    """One strategy with its parameters, decision, PnL, logs and trades."""

    write_permission = write_permissions("strategies.strategy")

    def list_settings(self, *, is_locking: bool, **place: Any) -> Mapping[str, object]:
        """Return its configuration."""
        get_one = lock_strategy if is_locking else get_strategy
        strategy = get_one(place["pk"])
        names = ("name", "type", "params", "driver", "interval_ms")
        accounts = sorted(account.pk for account in strategy.accounts.all())
        return {**{name: getattr(strategy, name) for name in names}, "accounts": accounts}

    @extend_schema(responses=StrategyDetailSerializer)
    @versioned
    def get(self, request: Request, pk: int) -> Response:
        """Return the strategy."""
        return Response(_detail(pk))

    @extend_schema(request=StrategyBodySerializer, responses=StrategyDetailSerializer)
    @as_read
    def put(self, request: Request, pk: int) -> Response:
        """Replace the configuration of a strategy at rest.

        Every one of the `params` that is left out gets the default of the type's schema.
        """
        get_strategy(pk)
        body = _parse(StrategyBodySerializer(data=request.data))
        strategies.update_strategy(strategy_id=pk, **_arguments(body, is_whole=True))
        return Response(_detail(pk))

    @extend_schema(request=StrategyBodySerializer, responses=StrategyDetailSerializer)
    @as_read
    def patch(self, request: Request, pk: int) -> Response:
        """Change a part of the configuration of a strategy at rest; what is not named stays.

        This holds for each of the `params`, too, unless the type changes. A parameter is set back
        by naming its default; null is refused where the type's schema does not allow it.
        """
        get_strategy(pk)
        body = _parse(StrategyBodySerializer(data=request.data, partial=True))
        changes = _arguments(body, is_whole=False)
        strategies.update_strategy(strategy_id=pk, is_params_whole=False, **changes)
        return Response(_detail(pk))

    @extend_schema(responses={204: None})
    @as_read
    def delete(self, request: Request, pk: int) -> Response:
        """Delete a strategy that is at rest and never traded."""
        strategies.delete_strategy(strategy_id=pk)
        return Response(status=status.HTTP_204_NO_CONTENT)


class StartView(APIView):
    """Start a strategy."""

    write_permission = "strategies.change_strategy"

    @extend_schema(request=None, responses=StrategyDetailSerializer)
    def post(self, request: Request, pk: int) -> Response:
        """Start the strategy: open a run and switch its schedule on."""
        runs.start_strategy(strategy_id=pk, user=request.user)
        return Response(_detail(pk))


class StopView(APIView):
    """Stop a strategy."""

    write_permission = "strategies.change_strategy"

    @extend_schema(request=StopBodySerializer, responses=StrategyDetailSerializer)
    def post(self, request: Request, pk: int) -> Response:
        """Stop the strategy: a tick that runs is let finish."""
        body = _parse(StopBodySerializer(data=request.data or {}))
        runs.stop_strategy(strategy_id=pk, user=request.user, reason=body.get("reason", ""))
        return Response(_detail(pk))


class PnlView(APIView):
    """Realised profit and loss of one strategy."""

    @extend_schema(responses=PnlSerializer)
    def get(self, request: Request, pk: int) -> Response:
        """Return profit and loss by asset and in the reporting asset."""
        strategy = get_strategy(pk)
        return Response(PnlSerializer(report_pnl(strategy_id=strategy.pk)).data)


class TypeListView(APIView):
    """The strategy types that are installed."""

    @extend_schema(responses=StrategyTypeSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Return every type with the schema of its parameters."""
        return Response([translate_schema(describe(plugin)) for plugin in list_plugins()])


class RunListView(generics.ListAPIView[Run]):
    """Runs of strategies, newest first."""

    serializer_class = RunRowSerializer
    filterset_class = RunFilter
    ordering_fields = ["id", "started_at", "stopped_at", "tick_count", "execution_count"]

    def get_queryset(self) -> QuerySet[Run]:
        """Return all runs."""
        return list_runs()


class OpportunityListView(generics.ListAPIView[Opportunity]):
    """What strategies saw, newest first; or what could be earned anywhere now."""

    serializer_class = OpportunitySerializer
    filterset_class = OpportunityFilter
    ordering_fields = OPPORTUNITY_ORDER
    parameters = ("view", *LIVE_ONLY)

    def get_queryset(self) -> QuerySet[Opportunity]:
        """Return all opportunities, without their evidence."""
        return list_opportunities()

    @extend_schema(
        parameters=[VIEW, ScanQuerySerializer, ORDERING],
        responses=PolymorphicProxySerializer(
            component_name="Opportunities",
            serializers=[OpportunityPageSerializer, ScanSerializer],
            resource_type_field_name=None,
            many=False,
        ),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return what strategies saw, newest first.

        With `view=live`: the best round trips over all symbols and cycles of all enabled venues at
        this moment, whatever strategies there are; the same answer as `/api/scanner`, to the same
        parameters `kind`, `ordering` and `limit`.
        """
        view = request.query_params.get("view", STORED)
        if view == LIVE:
            refuse_unknown(request, {"view", *ScanQuerySerializer().fields})
            return answer_scan(request)
        if view != STORED:
            sentence = Message("Must be one of {expected}.", {"expected": f"{STORED}, {LIVE}"})
            raise InvalidInput(fields={"view": [sentence]})
        refuse_unknown(request, known_parameters(type(self)) - {*LIVE_ONLY})
        return super().get(request, *args, **kwargs)


class OpportunityView(APIView):
    """One opportunity with its evidence."""

    @extend_schema(responses=OpportunityDetailSerializer)
    def get(self, request: Request, pk: int) -> Response:
        """Return the opportunity."""
        return Response(OpportunityDetailSerializer(get_opportunity(pk)).data)


class ExecutionListView(generics.ListAPIView[Execution]):
    """What strategies did, newest first."""

    serializer_class = ExecutionSerializer
    filterset_class = ExecutionFilter
    ordering_fields = ["id", "created_at", "finished_at", "realised_profit", "expected_profit"]

    def get_queryset(self) -> QuerySet[Execution]:
        """Return all executions."""
        return list_executions()


class ExecutionView(APIView):
    """One execution with its plan and its legs."""

    @extend_schema(responses=ExecutionDetailSerializer)
    def get(self, request: Request, pk: int) -> Response:
        """Return the execution."""
        return Response(_execution_detail(pk))


class AcknowledgeView(APIView):
    """Take note of an exposure that is held."""

    write_permission = "strategies.change_strategy"

    @extend_schema(request=None, responses=ExecutionDetailSerializer)
    def post(self, request: Request, pk: int) -> Response:
        """Acknowledge the exposure of an execution that is held: its strategy may trade again."""
        acknowledge_execution(execution_id=pk, user=request.user)
        return Response(_execution_detail(pk))


def _parse(serializer: Any) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _arguments(body: dict[str, Any], *, is_whole: bool) -> dict[str, Any]:
    """Return a body as the services' arguments; a whole one gets its defaults."""
    names = {"name": "name", "type": "slug", "params": "params", "accounts": "account_ids"}
    names |= {"interval_ms": "interval_ms", "driver": "driver"}
    arguments = {names[key]: value for key, value in body.items()}
    if is_whole:
        arguments.setdefault("params", {})
        arguments.setdefault("interval_ms", strategies.INTERVAL_MS_DEFAULT)
    return arguments


def _execution_detail(execution_id: int) -> Any:
    execution = get_execution(execution_id)
    context = {"legs": list_legs(execution.pk)}
    return ExecutionDetailSerializer(execution, context=context).data


def _detail(strategy_id: int) -> Any:
    strategy = get_strategy(strategy_id)
    context = {
        "run": get_last_run(strategy_id),
        "pnl": report_pnl(strategy_id=strategy_id),
        "logs": list_latest_logs(strategy_id=strategy_id, limit=LATEST),
        "trades": list_latest_trades(strategy_id=strategy_id, limit=LATEST),
    }
    return StrategyDetailSerializer(strategy, context=context).data
