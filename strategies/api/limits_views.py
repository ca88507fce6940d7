"""Risk limits over HTTP: the defaults for all, and what one strategy has instead."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from strategies.api.limits_serializers import LimitsReportSerializer, LimitsSerializer
from strategies.services.risk import report_limits, save_limits


class DefaultLimitsView(APIView):
    """The limits of every strategy that has none of its own."""

    write_permission = "strategies.change_risklimits"

    @extend_schema(operation_id="risk_limits", responses=LimitsReportSerializer)
    def get(self, request: Request) -> Response:
        """Return the defaults with their history."""
        return _answer(None)

    @extend_schema(
        operation_id="risk_limits_set", request=LimitsSerializer, responses=LimitsReportSerializer
    )
    def put(self, request: Request) -> Response:
        """Set the defaults, all of them."""
        return _set(request, None)


class StrategyLimitsView(APIView):
    """The limits of one strategy."""

    write_permission = "strategies.change_risklimits"

    @extend_schema(operation_id="risk_limits_of_strategy", responses=LimitsReportSerializer)
    def get(self, request: Request, pk: int) -> Response:
        """Return its own limits, what is in force, and the history."""
        return _answer(pk)

    @extend_schema(
        operation_id="risk_limits_of_strategy_set",
        request=LimitsSerializer,
        responses=LimitsReportSerializer,
    )
    def put(self, request: Request, pk: int) -> Response:
        """Set its limits, all of them; nothing leaves the default in force."""
        return _set(request, pk)


def _set(request: Request, strategy_id: int | None) -> Response:
    body = LimitsSerializer(data=request.data)
    body.is_valid(raise_exception=True)
    save_limits(strategy_id=strategy_id, limits=body.to_limits(), user=request.user)
    return _answer(strategy_id)


def _answer(strategy_id: int | None) -> Response:
    return Response(LimitsReportSerializer(report_limits(strategy_id=strategy_id)).data)
