"""Engines over HTTP."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from arbplatform.core.histograms import Summary
from arbplatform.core.stages import Stage
from strategies.services.engine_speeds import EngineSpeed, StageSpeed
from strategies.services.engines import EngineStatus, report_engines


class SummarySerializer(serializers.Serializer[Summary]):
    """How long a stage takes."""

    count = serializers.IntegerField()
    p50_us = serializers.FloatField(help_text="Half of them take no longer [µs].")
    p95_us = serializers.FloatField()
    p99_us = serializers.FloatField()
    max_us = serializers.FloatField()


class StageSpeedSerializer(serializers.Serializer[StageSpeed]):
    """How long one stage takes, of those between a venue's event and a booked fill."""

    stage = serializers.ChoiceField(choices=[stage.value for stage in Stage])
    recent = SummarySerializer(allow_null=True, help_text="In the last minute.")
    total = SummarySerializer(help_text="Since the engine began.")


class EngineSpeedSerializer(serializers.Serializer[EngineSpeed]):
    """How fast an engine is, and what it carries."""

    at_ms = serializers.IntegerField(source="stats.at_ms", help_text="[ms since epoch].")
    stages = StageSpeedSerializer(many=True, help_text="In the order of the way.")
    queues = serializers.DictField(
        source="stats.queues", child=serializers.IntegerField(), help_text="What waits."
    )
    drops = serializers.DictField(
        source="stats.drops", child=serializers.IntegerField(), help_text="What was dropped."
    )
    conflated = serializers.IntegerField(
        source="stats.conflated", help_text="Updates that a newer one has overtaken."
    )
    feeds = serializers.DictField(
        source="stats.feeds", child=serializers.IntegerField(), help_text="Feeds by state."
    )
    memory_bytes = serializers.IntegerField(source="stats.rss_bytes")


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
    speed = EngineSpeedSerializer(
        allow_null=True, help_text="null when it says nothing, or Redis is away."
    )


class EngineListView(APIView):
    """The engines that live, and those that ended in the last days."""

    @extend_schema(operation_id="engines", responses=EngineSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Return the engines, those that live first."""
        return Response(EngineSerializer(report_engines(), many=True).data)
