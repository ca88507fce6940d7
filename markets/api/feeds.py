"""The route ``/api/markets/feeds``: how well the live books are known."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from arbplatform.api.fields import ChoiceField
from arbplatform.core.clock import SYSTEM_CLOCK, from_ms
from arbplatform.wording import render
from markets.api.serializers import CODE_LENGTH_MAX
from markets.feed.store import StoredStatus
from markets.services.feeds import FeedStateChoice, list_feeds


class FeedQuery(serializers.Serializer[Any]):
    """Which feeds."""

    venue = serializers.CharField(
        max_length=CODE_LENGTH_MAX, required=False, help_text="Code of a venue; default: all."
    )
    state = ChoiceField(
        choices=FeedStateChoice.choices, required=False, help_text="Only feeds in this state."
    )


class FeedSerializer(serializers.Serializer[Any]):
    """The feed of one market, as one engine follows it."""

    venue = serializers.CharField()
    symbol = serializers.CharField()
    engine = serializers.CharField(help_text="Name of the engine that follows it.")
    state = serializers.ChoiceField(
        choices=FeedStateChoice.choices,
        help_text="Only the book of a healthy feed is decided upon.",
    )
    reason = serializers.CharField(
        allow_null=True, help_text="What led to the state; null while it is healthy."
    )
    since = serializers.DateTimeField(help_text="When the state began.")
    updated_at = serializers.DateTimeField(
        allow_null=True, help_text="When the book last changed; null: never."
    )
    age_ms = serializers.IntegerField(
        allow_null=True,
        help_text="How old the last sign of life is of what a healthy book comes by [ms].",
    )
    proven_at = serializers.DateTimeField(
        allow_null=True,
        help_text=(
            "When something of this market itself last proved its book: what the venue said of it, "
            "or a look over REST; as the engine told within the last seconds. The risk gate counts "
            "the age of a book from there, or from what the venue says of its own moments."
        ),
    )
    gap_count = serializers.IntegerField(
        help_text="Gaps, wrong checksums and broken books since the feed was opened."
    )
    reconnect_count = serializers.IntegerField(
        help_text="How often its connection was opened again."
    )
    is_polled = serializers.BooleanField(help_text="The book is read over REST now and then.")


class FeedListView(GenericAPIView[Any]):
    """Feeds of all engines."""

    filter_backends = ()
    query_class = FeedQuery

    @extend_schema(
        operation_id="markets_feeds",
        tags=["markets"],
        parameters=[FeedQuery],
        responses=FeedSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """List the feeds that engines follow, by venue, market and engine."""
        query = self.query_class(data=request.query_params)
        query.is_valid(raise_exception=True)
        state = query.validated_data.get("state")
        found = [
            row
            for row in list_feeds(venue=query.validated_data.get("venue"))
            if state is None or row.status.state == state
        ]
        now_ms = SYSTEM_CLOCK.now_ms()
        page = self.paginate_queryset(found) or []
        rows = [_describe(row, now_ms) for row in page]
        return self.get_paginated_response(FeedSerializer(rows, many=True).data)


def _describe(row: StoredStatus, now_ms: int) -> dict[str, Any]:
    status = row.status
    confirmed_at_ms, updated_at_ms = row.confirmed_at_ms, status.updated_at_ms
    proven_at_ms = status.proven_at_ms
    return {
        "venue": status.venue,
        "symbol": status.symbol,
        "engine": row.writer,
        "state": status.state.value,
        "reason": None if status.reason is None else render(status.reason),
        "since": from_ms(status.since_ms),
        "updated_at": None if updated_at_ms is None else from_ms(updated_at_ms),
        "age_ms": None if confirmed_at_ms is None else max(now_ms - confirmed_at_ms, 0),
        "proven_at": None if proven_at_ms is None else from_ms(proven_at_ms),
        "gap_count": status.gap_count,
        "reconnect_count": status.reconnect_count,
        "is_polled": status.is_polled,
    }
