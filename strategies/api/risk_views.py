"""The kill switch over HTTP."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ledger.domain.halts import TradingEvent
from ledger.services.halts import change_trading
from ledger.services.kill import read_standing, stop_trading
from strategies.api.risk_serializers import (
    FlattenBodySerializer,
    FlatteningSerializer,
    KillBodySerializer,
    KillReportSerializer,
    RiskSerializer,
    ScopeBodySerializer,
    TradingStateSerializer,
)
from strategies.services.flattening import flatten, list_flattenings


class RiskView(APIView):
    """What may be traded."""

    @extend_schema(operation_id="risk", responses=RiskSerializer)
    def get(self, request: Request) -> Response:
        """Return every restriction, the orders under it, and the latest changes."""
        return Response(RiskSerializer(read_standing()).data)


class KillView(APIView):
    """Halt trading."""

    write_permission = "ledger.change_tradinghalt"

    @extend_schema(
        operation_id="risk_kill", request=KillBodySerializer, responses=KillReportSerializer
    )
    def post(self, request: Request) -> Response:
        """Halt trading: no process sends another order, and open ones are cancelled."""
        body = KillBodySerializer(data=request.data)
        body.is_valid(raise_exception=True)
        report = stop_trading(
            reason=body.validated_data["reason"],
            scope=body.to_scope(),
            user=request.user,
            is_reducing=body.validated_data["is_reducing"],
        )
        return Response(KillReportSerializer(report).data)


class FlattenView(APIView):
    """What executions have left unhedged, and its end."""

    write_permission = "ledger.change_tradinghalt"

    @extend_schema(operation_id="risk_flattenings", responses=FlatteningSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Return what would be sold and bought where, and what cannot be; nothing is sent."""
        return Response(FlatteningSerializer(list_flattenings(), many=True).data)

    @extend_schema(
        operation_id="risk_flatten",
        request=FlattenBodySerializer,
        responses=FlatteningSerializer(many=True),
    )
    def post(self, request: Request) -> Response:
        """Begin to bring it back, within each strategy's limit of loss."""
        body = FlattenBodySerializer(data=request.data)
        body.is_valid(raise_exception=True)
        rows = flatten(reason=body.validated_data["reason"], user=request.user)
        return Response(FlatteningSerializer(rows, many=True).data)


class ResumeView(APIView):
    """Let trading go on."""

    write_permission = "ledger.change_tradinghalt"

    @extend_schema(
        operation_id="risk_resume", request=ScopeBodySerializer, responses=TradingStateSerializer
    )
    def post(self, request: Request) -> Response:
        """Lift a restriction."""
        body = ScopeBodySerializer(data=request.data)
        body.is_valid(raise_exception=True)
        halt = change_trading(
            event=TradingEvent.RESUME,
            scope=body.to_scope(),
            reason=body.validated_data["reason"],
            user=request.user,
        )
        return Response(TradingStateSerializer(halt).data)
