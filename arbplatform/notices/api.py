"""``GET /api/alarms``: what needs a person, and what did."""

import django_filters
from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from arbplatform.api.filters import ChoiceFilter, FlagFilter, since_filter, until_filter
from arbplatform.notices.models import Alarm
from arbplatform.notices.rules import Severity
from arbplatform.notices.selectors import list_alarms
from arbplatform.wording import render

SEVERITIES = [(severity.name.lower(), severity.name.lower()) for severity in Severity]


class AlarmSerializer(serializers.ModelSerializer[Alarm]):
    """One alarm, in the reader's language."""

    severity = serializers.SerializerMethodField()
    message = serializers.SerializerMethodField()

    class Meta:
        model = Alarm
        fields = (
            "id",
            "key",
            "severity",
            "message",
            "is_incident",
            "raised_at",
            "last_seen_at",
            "told_at",
            "ended_at",
        )
        read_only_fields = fields

    def get_severity(self, row: Alarm) -> str:
        """Return how much it needs a person: note, warning or critical."""
        return Severity(row.severity).name.lower()

    def get_message(self, row: Alarm) -> str:
        """Return what is wrong."""
        return render(row.to_message())


class AlarmFilter(django_filters.FilterSet):
    """``?is_open=true&severity=critical``."""

    is_open = FlagFilter(field_name="ended_at", lookup_expr="isnull", label="Not over yet.")
    severity = ChoiceFilter(choices=SEVERITIES, method="filter_severity")
    since = since_filter("raised_at")
    until = until_filter("raised_at")

    class Meta:
        model = Alarm
        fields = ("is_open", "severity", "since", "until")

    def filter_severity(self, queryset: QuerySet[Alarm], _name: str, value: str) -> QuerySet[Alarm]:
        """Keep those of one severity."""
        return queryset.filter(severity=Severity[value.upper()])


class AlarmListView(ListAPIView[Alarm]):
    """Alarms."""

    serializer_class = AlarmSerializer
    filterset_class = AlarmFilter
    filter_backends = (DjangoFilterBackend,)

    def get_queryset(self) -> QuerySet[Alarm]:
        """Return all alarms."""
        return list_alarms()

    @extend_schema(operation_id="alarms_list", tags=["alarms"])
    def get(self, request: Request) -> Response:
        """List alarms, the newest first."""
        return self.list(request)
