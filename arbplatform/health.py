"""Whether the platform lives, and whether its parts do."""

from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from arbplatform.api.envelope import SUCCESS_CODE, SUCCESS_MESSAGE
from arbplatform.api.scrapers import may_read_metrics
from arbplatform.api.throttling import HealthThrottle, UserThrottle
from arbplatform.core.errors import Unavailable
from arbplatform.parts import PartHealth, check_parts
from arbplatform.wording import render


class PartDown(Unavailable):
    """Some part of the platform does not work."""

    code = 1021
    summary = "Not everything works: {parts}. See data for each part."


class PartHealthSerializer(serializers.Serializer[PartHealth]):
    """How one part is."""

    is_ok = serializers.BooleanField()
    detail = serializers.CharField(allow_blank=True)
    age_ms = serializers.IntegerField(
        allow_null=True, help_text="Time since the last sign of life [ms]."
    )
    figures = serializers.DictField(
        child=serializers.IntegerField(), allow_null=True, help_text="What was measured, by name."
    )


class PartsSerializer(serializers.Serializer[Any]):
    """How every part is."""

    database = PartHealthSerializer()
    redis = PartHealthSerializer()
    worker = PartHealthSerializer()
    beat = PartHealthSerializer()
    engines = PartHealthSerializer(
        help_text="Engines that live, strategies on streams that run, and those nobody holds."
    )
    venues = PartHealthSerializer(
        help_text="detail names the venues that are not healthy; they do not make the platform ill."
    )
    queues = PartHealthSerializer(help_text="Messages that wait, by queue.")
    disk = PartHealthSerializer(help_text="Of the data directory.")
    spool = PartHealthSerializer(help_text="Outcomes of orders that wait for the database.")
    notices = PartHealthSerializer(
        help_text="Channels to people, those that fail, and notices that wait though they are due."
    )
    scanner = PartHealthSerializer(
        help_text="The process that watches all markets; that none runs is no failure."
    )


class HealthSerializer(serializers.Serializer[Any]):
    """Whether everything works."""

    is_ok = serializers.BooleanField()
    parts = PartsSerializer(
        allow_null=True,
        help_text="How every part is; null for who is not logged in and sends no METRICS_TOKEN.",
    )


class HealthView(APIView):
    """Readiness: 200 if every part works, otherwise 503 with the same data.

    A stranger, for instance a load balancer, learns no more than that: how full the disk is and
    which venues are ill is nobody else's business. It may ask 300 times a minute, more than any
    needs; who is logged in or sends METRICS_TOKEN is not counted among them.
    """

    permission_classes = (AllowAny,)
    throttle_classes = (HealthThrottle, UserThrottle)

    @extend_schema(
        operation_id="health",
        tags=["health"],
        responses={200: HealthSerializer, 503: HealthSerializer},
    )
    def get(self, request: Request) -> Response | JsonResponse:
        """Return whether everything works, and how each part is to who may know."""
        parts = check_parts()
        down = [name for name, part in parts.items() if not part.is_ok]
        is_told = request.user.is_authenticated or may_read_metrics(request)
        shown = {name: asdict(part) for name, part in parts.items()} if is_told else None
        data = {"is_ok": not down, "parts": shown}
        if not down:
            return Response(data)
        error = PartDown(parts=", ".join(down))
        if not is_told:
            error = PartDown(
                "Not everything works. Who is logged in, or sends METRICS_TOKEN as a bearer "
                "token, is told which part."
            )
        body = {"code": error.code, "msg": render(error.message), "data": data}
        return JsonResponse(
            body,
            status=HTTPStatus.SERVICE_UNAVAILABLE,
            json_dumps_params={"ensure_ascii": False},
        )

    def perform_authentication(self, request: Request) -> None:
        """Look who asks; without a database that is nobody, who still gets an answer."""
        try:
            super().perform_authentication(request)
        except (OperationalError, InterfaceError):
            request.user, request.auth = AnonymousUser(), None


@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """Liveness: the web process answers; asks nobody else."""
    return JsonResponse({"code": SUCCESS_CODE, "msg": SUCCESS_MESSAGE, "data": {"status": "ok"}})
