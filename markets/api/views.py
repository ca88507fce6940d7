"""The routes under ``/api/venues`` and ``/api/markets``."""

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from arbplatform.api.permissions import write_permissions
from arbplatform.api.versions import VersionedView, as_read, versioned
from arbplatform.core.clock import to_ms
from markets.api.filters import MarketFilter, VenueFilter
from markets.api.serializers import (
    BookQuery,
    BookSerializer,
    CandleQuery,
    CandlesSerializer,
    CreateVenueSerializer,
    MarketQuery,
    MarketSerializer,
    SyncReportSerializer,
    TickerSerializer,
    UpdateVenueSerializer,
    VenueDetailSerializer,
    VenueSerializer,
)
from markets.models import Market, Venue
from markets.selectors import find_venue, list_markets, list_venues, lock_venue
from markets.services.data import fetch_book, fetch_candles, fetch_ticker
from markets.services.health import lift_block
from markets.services.markets import sync_markets
from markets.services.venues import EDITABLE, create_venue, delete_venue, update_venue

VENUES = ["venues"]
MARKETS = ["markets"]


class VenueListView(ListModelMixin, GenericAPIView[Venue]):
    """Venues."""

    write_permission = write_permissions("markets.venue")
    serializer_class = VenueSerializer
    filterset_class = VenueFilter
    ordering_fields = ("id", "code", "name", "ccxt_id", "is_enabled", "synced_at", "created_at")

    def get_queryset(self) -> QuerySet[Venue]:
        """Return all venues."""
        return list_venues()

    @extend_schema(operation_id="venues_list", tags=VENUES)
    def get(self, request: Request) -> Response:
        """List venues."""
        return self.list(request)

    @extend_schema(
        operation_id="venues_create",
        tags=VENUES,
        request=CreateVenueSerializer,
        responses={201: VenueSerializer},
    )
    def post(self, request: Request) -> Response:
        """Add a venue; its markets are synchronised in the background."""
        body = CreateVenueSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        venue = create_venue(**body.validated_data)
        return Response(VenueSerializer(venue).data, status=status.HTTP_201_CREATED)


class VenueView(VersionedView):
    """One venue, by code or id."""

    write_permission = write_permissions("markets.venue")

    def list_settings(self, *, is_locking: bool, **place: Any) -> Mapping[str, object]:
        """Return what can be set."""
        venue = find_venue(place["key"])
        if is_locking:
            venue = lock_venue(venue.pk)
        return {name: getattr(venue, name) for name in EDITABLE}

    @extend_schema(operation_id="venues_retrieve", tags=VENUES, responses=VenueDetailSerializer)
    @versioned
    def get(self, request: Request, key: str) -> Response:
        """Show a venue and what it still allows."""
        return Response(VenueDetailSerializer(find_venue(key)).data)

    @extend_schema(
        operation_id="venues_update",
        tags=VENUES,
        request=UpdateVenueSerializer,
        responses=VenueSerializer,
    )
    @as_read
    def put(self, request: Request, key: str) -> Response:
        """Change a venue; what is not sent gets its default."""
        return self._update(request, key, is_partial=False)

    @extend_schema(
        operation_id="venues_partial_update",
        tags=VENUES,
        request=UpdateVenueSerializer(partial=True),
        responses=VenueSerializer,
    )
    @as_read
    def patch(self, request: Request, key: str) -> Response:
        """Change parts of a venue."""
        return self._update(request, key, is_partial=True)

    @extend_schema(operation_id="venues_destroy", tags=VENUES, responses={204: None})
    @as_read
    def delete(self, request: Request, key: str) -> Response:
        """Delete a venue that nothing depends on."""
        delete_venue(venue_id=find_venue(key).pk)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _update(self, request: Request, key: str, *, is_partial: bool) -> Response:
        venue = find_venue(key)
        body = UpdateVenueSerializer(data=request.data, partial=is_partial)
        body.is_valid(raise_exception=True)
        changed = update_venue(venue_id=venue.pk, **body.validated_data)
        return Response(VenueSerializer(changed).data)


class VenueSyncView(APIView):
    """The markets of one venue."""

    write_permission = "markets.change_venue"

    @extend_schema(
        operation_id="venues_sync", tags=VENUES, request=None, responses=SyncReportSerializer
    )
    def post(self, request: Request, key: str) -> Response:
        """Take over the markets that the venue states now."""
        report = sync_markets(venue_id=find_venue(key).pk)
        return Response(SyncReportSerializer(report).data)


class VenueUnblockView(APIView):
    """The block of one venue."""

    write_permission = "markets.change_venue"

    @extend_schema(
        operation_id="venues_unblock", tags=VENUES, request=None, responses=VenueSerializer
    )
    def post(self, request: Request, key: str) -> Response:
        """Let calls to a venue that refused our place go again."""
        return Response(VenueSerializer(lift_block(venue_id=find_venue(key).pk)).data)


class MarketListView(ListAPIView[Market]):
    """Markets of all venues."""

    serializer_class = MarketSerializer
    filterset_class = MarketFilter
    ordering_fields = ("id", "symbol", "venue__code", "synced_at", "taker_fee")

    def get_queryset(self) -> QuerySet[Market]:
        """Return all markets, those that vanished included."""
        return list_markets()

    @extend_schema(operation_id="markets_symbols", tags=MARKETS)
    def get(self, request: Request) -> Response:
        """List symbols with their rules, venue by venue."""
        return self.list(request)


class TickerView(APIView):
    """The ticker of a market."""

    query_class = MarketQuery

    @extend_schema(
        operation_id="markets_ticker",
        tags=MARKETS,
        parameters=[MarketQuery],
        responses=TickerSerializer,
    )
    def get(self, request: Request) -> Response:
        """Show best prices and the last day, fresh from the venue."""
        query = _read(self.query_class, request)
        ticker = fetch_ticker(symbol=query["symbol"], venue_code=query.get("venue"))
        return Response(TickerSerializer(ticker).data)


class BookView(APIView):
    """The book of a market."""

    query_class = BookQuery

    @extend_schema(
        operation_id="markets_orderbook",
        tags=MARKETS,
        parameters=[BookQuery],
        responses=BookSerializer,
    )
    def get(self, request: Request) -> Response:
        """Show bids and asks: live where an engine follows them, else fresh from the venue."""
        query = _read(self.query_class, request)
        book = fetch_book(
            symbol=query["symbol"], venue_code=query.get("venue"), depth=query["depth"]
        )
        return Response(BookSerializer(book).data)


class CandlesView(APIView):
    """Bars of a market."""

    query_class = CandleQuery

    @extend_schema(
        operation_id="markets_kline",
        tags=MARKETS,
        parameters=[CandleQuery],
        responses=CandlesSerializer,
    )
    def get(self, request: Request) -> Response:
        """Show bars, oldest first, fresh from the venue."""
        query = _read(self.query_class, request)
        since = query.get("since")
        candles = fetch_candles(
            symbol=query["symbol"],
            venue_code=query.get("venue"),
            timeframe=query["timeframe"],
            since_ms=None if since is None else to_ms(since),
            limit=query["limit"],
        )
        return Response(CandlesSerializer(candles).data)


def _read(form: type[MarketQuery], request: Request) -> dict[str, Any]:
    query = form(data=request.query_params)
    query.is_valid(raise_exception=True)
    values: dict[str, Any] = query.validated_data
    return values
