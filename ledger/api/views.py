"""The routes under ``/api/logs``, ``trades``, ``orders``, ``entries`` and ``equity``."""

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from arbplatform.core.errors import InvalidInput, Message
from ledger.api.filters import (
    EntryFilter,
    EquityFilter,
    FillFilter,
    LogFilter,
    OrderFilter,
)
from ledger.api.reconciliation_serializers import NoteBodySerializer
from ledger.api.serializers import (
    EntrySerializer,
    EquitySerializer,
    FillSerializer,
    LogSerializer,
    OrderSerializer,
)
from ledger.models import Entry, EquitySnapshot, Fill, LogEntry, Order
from ledger.selectors import (
    get_entry,
    get_order,
    list_entries,
    list_equity,
    list_fills,
    list_logs,
    list_orders,
    thin_out_equity,
)
from ledger.services.disowning import disown_order

POINTS_DEFAULT = 240
POINTS_MAX = 1_000


class LogListView(ListAPIView[LogEntry]):
    """What strategies and the platform wrote into their logs."""

    serializer_class = LogSerializer
    filterset_class = LogFilter
    ordering_fields = ("id", "created_at", "level", "event")

    def get_queryset(self) -> QuerySet[LogEntry]:
        """Return all log entries."""
        return list_logs()

    @extend_schema(operation_id="logs_list")
    def get(self, request: Request) -> Response:
        """List log entries, the newest first."""
        return self.list(request)


class TradeListView(ListAPIView[Fill]):
    """What orders executed."""

    serializer_class = FillSerializer
    filterset_class = FillFilter
    ordering_fields = ("id", "executed_at", "price", "quantity", "cost")

    def get_queryset(self) -> QuerySet[Fill]:
        """Return all fills."""
        return list_fills()

    @extend_schema(operation_id="trades_list")
    def get(self, request: Request) -> Response:
        """List trades, the newest first."""
        return self.list(request)


class OrderListView(ListAPIView[Order]):
    """The order journal."""

    serializer_class = OrderSerializer
    filterset_class = OrderFilter
    ordering_fields = ("id", "created_at", "submitted_at", "finished_at", "state")

    def get_queryset(self) -> QuerySet[Order]:
        """Return all orders."""
        return list_orders()

    @extend_schema(operation_id="orders_list")
    def get(self, request: Request) -> Response:
        """List orders, the newest first."""
        return self.list(request)


class OrderView(APIView):
    """One order."""

    @extend_schema(operation_id="orders_retrieve", responses=OrderSerializer)
    def get(self, request: Request, pk: int) -> Response:
        """Show an order."""
        return Response(OrderSerializer(get_order(pk)).data)


class DisownOrderView(APIView):
    """End an order that never came to be."""

    write_permission = "ledger.add_entry"

    @extend_schema(
        operation_id="orders_disown", request=NoteBodySerializer, responses=OrderSerializer
    )
    def post(self, request: Request, pk: int) -> Response:
        """End an order of unknown outcome whose client id is that of another order."""
        body = NoteBodySerializer(data=request.data)
        body.is_valid(raise_exception=True)
        order = disown_order(order_id=pk, note=body.validated_data["note"], user=request.user)
        return Response(OrderSerializer(order).data)


class EntryListView(ListAPIView[Entry]):
    """The double-entry books."""

    serializer_class = EntrySerializer
    filterset_class = EntryFilter
    ordering_fields = ("id", "occurred_at", "created_at", "kind")

    def get_queryset(self) -> QuerySet[Entry]:
        """Return all entries."""
        return list_entries()

    @extend_schema(operation_id="entries_list")
    def get(self, request: Request) -> Response:
        """List ledger entries with their postings, the newest first."""
        return self.list(request)


class EntryView(APIView):
    """One ledger entry."""

    @extend_schema(operation_id="entries_retrieve", responses=EntrySerializer)
    def get(self, request: Request, pk: int) -> Response:
        """Show a ledger entry with its postings."""
        return Response(EntrySerializer(get_entry(pk)).data)


class EquityView(GenericAPIView[EquitySnapshot]):
    """What everything is and was worth."""

    serializer_class = EquitySerializer
    filterset_class = EquityFilter
    filter_backends = (DjangoFilterBackend,)
    pagination_class = None
    parameters = ("points",)

    def get_queryset(self) -> QuerySet[EquitySnapshot]:
        """Return all snapshots."""
        return list_equity()

    @extend_schema(
        operation_id="equity_retrieve",
        responses=EquitySerializer,
        parameters=[
            OpenApiParameter(
                "points",
                {"type": "integer", "minimum": 1, "maximum": POINTS_MAX, "default": POINTS_DEFAULT},
                description="Points of the series, at most; it is thinned out evenly.",
            ),
            OpenApiParameter("since", OpenApiTypes.DATETIME, description="This moment or later."),
            OpenApiParameter("until", OpenApiTypes.DATETIME, description="Before this moment."),
        ],
    )
    def get(self, request: Request) -> Response:
        """Return a series for a chart, and what the newest snapshot consists of."""
        snapshots = self.filter_queryset(self.get_queryset())
        newest = snapshots.first()
        series: dict[str, Any] = {
            "reporting_asset": settings.REPORTING_ASSET,
            "points": thin_out_equity(snapshots, points=_read_points(request)),
            "breakdown": newest.breakdown if newest else [],
        }
        return Response(EquitySerializer(series).data)


def _read_points(request: Request) -> int:
    text = request.query_params.get("points", "") or str(POINTS_DEFAULT)
    number = int(text) if text.isascii() and text.isdigit() and len(text) < len("10000") else 0
    if not 1 <= number <= POINTS_MAX:
        complaint = Message("Give a whole number from 1 to {maximum}.", {"maximum": POINTS_MAX})
        raise InvalidInput(fields={"points": [complaint]})
    return number
