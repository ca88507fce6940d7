"""Risk limits over HTTP: the defaults for all, and what one strategy has instead."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from arbplatform.api.versions import VersionedView, as_read, versioned
from strategies.api.limits_serializers import LimitsReportSerializer, LimitsSerializer
from strategies.services.risk import lock_limits, report_limits, save_limits


class DefaultLimitsView(VersionedView):
    """The limits of every strategy that has none of its own."""

    write_permission = "strategies.change_risklimits"

    def list_settings(self, *, is_locking: bool, **place: Any) -> Mapping[str, object]:
        """Return the defaults that were set."""
        return _own(None, is_locking=is_locking)

    @extend_schema(operation_id="risk_limits", responses=LimitsReportSerializer)
    @versioned
    def get(self, request: Request) -> Response:
        """Return the defaults with their history."""
        return _answer(None)

    @extend_schema(
        operation_id="risk_limits_set", request=LimitsSerializer, responses=LimitsReportSerializer
    )
    @as_read
    def put(self, request: Request) -> Response:
        """Set the defaults, all of them."""
        return _set(request, None)


class StrategyLimitsView(VersionedView):
    """The limits of one strategy."""

    write_permission = "strategies.change_risklimits"

    def list_settings(self, *, is_locking: bool, **place: Any) -> Mapping[str, object]:
        """Return its own limits."""
        return _own(place["pk"], is_locking=is_locking)

    @extend_schema(operation_id="risk_limits_of_strategy", responses=LimitsReportSerializer)
    @versioned
    def get(self, request: Request, pk: int) -> Response:
        """Return its own limits, what is in force, and the history."""
        return _answer(pk)

    @extend_schema(
        operation_id="risk_limits_of_strategy_set",
        request=LimitsSerializer,
        responses=LimitsReportSerializer,
    )
    @as_read
    def put(self, request: Request, pk: int) -> Response:
        """Set its limits, all of them; nothing leaves the default in force."""
        return _set(request, pk)


def _set(request: Request, strategy_id: int | None) -> Response:
    body = LimitsSerializer(data=request.data)
    body.is_valid(raise_exception=True)
    save_limits(strategy_id=strategy_id, limits=body.to_limits(), user=request.user)
    return _answer(strategy_id)


def _own(strategy_id: int | None, *, is_locking: bool) -> dict[str, object]:
    if is_locking:
        lock_limits(strategy_id)
    return asdict(report_limits(strategy_id=strategy_id).own)


def _answer(strategy_id: int | None) -> Response:
    return Response(LimitsReportSerializer(report_limits(strategy_id=strategy_id)).data)
