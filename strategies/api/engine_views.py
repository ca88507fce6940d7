"""Engines over HTTP."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from strategies.services.engines import EngineStatus, report_engines


class EngineSerializer(serializers.Serializer[Any]):
    """A process that runs strategies on streams."""

    name = serializers.CharField(source="engine.name")
    machine = serializers.CharField(source="engine.machine")
    pid = serializers.IntegerField(source="engine.pid")
    status = serializers.ChoiceField(choices=EngineStatus.choices)
    started_at = serializers.DateTimeField(source="engine.started_at")
    heartbeat_at = serializers.DateTimeField(
        source="engine.heartbeat_at", help_text="Its last sign of life, by the database's clock."
    )
    stopped_at = serializers.DateTimeField(source="engine.stopped_at", allow_null=True)
    strategies = serializers.ListField(
        child=serializers.IntegerField(), help_text="Ids of the strategies that it holds."
    )


class EngineListView(APIView):
    """The engines that live, and those that ended in the last days."""

    @extend_schema(operation_id="engines", responses=EngineSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Return the engines, those that live first."""
        return Response(EngineSerializer(report_engines(), many=True).data)
