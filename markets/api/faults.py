"""The routes under ``/api/venues/{code}/faults``: what goes wrong at a simulated venue."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from arbplatform.api.permissions import StaffOnly
from markets.selectors import find_venue
from markets.services.faults import add_fault, clear_faults, read_faults, remove_fault
from markets.simulator.faults.kinds import FaultKind

TAGS = ["venues"]


FAULT_SCHEMA = {
    "type": "object",
    "description": "A fault; docs/fault-plan.md explains the kinds and the details of each.",
    "required": ["kind"],
    "properties": {"kind": {"type": "string", "enum": [kind.value for kind in FaultKind]}},
    "additionalProperties": True,
}


class FaultSerializer(serializers.Serializer[Any]):
    """A fault at a simulated venue."""

    id = serializers.IntegerField(source="number")
    kind = serializers.CharField(help_text="What goes wrong; docs/fault-plan.md lists the kinds.")
    details = serializers.JSONField(help_text="What else was asked for.")
    armed_at = serializers.DateTimeField()
    struck = serializers.IntegerField(help_text="How often it struck.")
    left = serializers.IntegerField(allow_null=True, help_text="How often it may; null: for ever.")
    left_ms = serializers.IntegerField(
        allow_null=True, help_text="How long it stays armed [ms]; null: for ever."
    )


class FaultReportSerializer(serializers.Serializer[Any]):
    """What goes wrong at a venue."""

    active = FaultSerializer(many=True)
    ended = FaultSerializer(many=True)
    struck = serializers.DictField(
        child=serializers.IntegerField(), help_text="How often each kind ever struck."
    )


class NewFaultSerializer(serializers.Serializer[Any]):
    """The number of a fault that was armed."""

    id = serializers.IntegerField()


class FaultListView(APIView):
    """The faults of one simulated venue."""

    permission_classes = (StaffOnly,)
    write_permission = "markets.change_venue"

    @extend_schema(operation_id="venues_faults_list", tags=TAGS, responses=FaultReportSerializer)
    def get(self, request: Request, key: str) -> Response:
        """Show what goes wrong at a simulated venue, and what did."""
        report = read_faults(venue=find_venue(key))
        return Response(FaultReportSerializer(report).data)

    @extend_schema(
        operation_id="venues_faults_create",
        tags=TAGS,
        request={"application/json": FAULT_SCHEMA},
        responses={201: NewFaultSerializer},
    )
    def post(self, request: Request, key: str) -> Response:
        """Arm a fault: ``{"kind": …}`` with the details that docs/fault-plan.md names."""
        body = serializers.DictField().run_validation(request.data)
        number = add_fault(venue=find_venue(key), fault=body)
        return Response({"id": number}, status=status.HTTP_201_CREATED)

    @extend_schema(operation_id="venues_faults_clear", tags=TAGS, responses={204: None})
    def delete(self, request: Request, key: str) -> Response:
        """Disarm all faults."""
        clear_faults(venue=find_venue(key))
        return Response(status=status.HTTP_204_NO_CONTENT)


class FaultView(APIView):
    """One armed fault."""

    permission_classes = (StaffOnly,)
    write_permission = "markets.change_venue"

    @extend_schema(operation_id="venues_faults_destroy", tags=TAGS, responses={204: None})
    def delete(self, request: Request, key: str, id: int) -> Response:  # noqa: A002 - the URL's
        """Disarm it."""
        remove_fault(venue=find_venue(key), number=id)
        return Response(status=status.HTTP_204_NO_CONTENT)
