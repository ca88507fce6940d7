"""Whether the platform lives, and whether its parts do."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any, Final

from django.core.cache import cache
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.utils.translation import gettext
from django.views.decorators.http import require_safe
from drf_spectacular.utils import extend_schema
from redis.exceptions import RedisError
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from arbplatform.api.envelope import SUCCESS_CODE, SUCCESS_MESSAGE
from arbplatform.background.heartbeat import BEAT, WORKER, read_age_ms
from arbplatform.core.errors import Unavailable
from arbplatform.wording import render
from markets.selectors import list_ill_venues

logger = logging.getLogger(__name__)

HEARTBEAT_AGE_MS_MAX: Final = 30_000
"""Worker and beat show themselves every few seconds; after this long they count as gone."""

PROBE_KEY: Final = "health:probe"
PROBE_KEPT_S: Final = 10


class PartDown(Unavailable):
    """Some part of the platform does not work."""

    code = 1021
    summary = "Not everything works: {parts}. See data for each part."


@dataclass(frozen=True, slots=True)
class PartHealth:
    """How one part is.

    Attributes:
        is_ok: whether it works.
        detail: what is wrong, for a person.
        age_ms: time since its last sign of life [ms], where it leaves signs.
    """

    is_ok: bool
    detail: str = ""
    age_ms: int | None = None


def check_parts() -> dict[str, PartHealth]:
    """Return how every part is, by its name; never raises."""
    return {name: _guarded(name, check) for name, check in _CHECKS.items()}


def _guarded(name: str, check: Callable[[], PartHealth]) -> PartHealth:
    try:
        return check()
    except (DatabaseError, RedisError, OSError) as error:
        logger.warning("The health check of %s failed: %s", name, error)
        return PartHealth(is_ok=False, detail=type(error).__name__)


def _check_database() -> PartHealth:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return PartHealth(is_ok=True)


def _check_redis() -> PartHealth:
    cache.set(PROBE_KEY, 1, timeout=PROBE_KEPT_S)
    is_ok = cache.get(PROBE_KEY) == 1
    return PartHealth(is_ok, "" if is_ok else gettext("It does not keep what it is given."))


def _check_worker() -> PartHealth:
    return _check_heartbeat(WORKER)


def _check_beat() -> PartHealth:
    return _check_heartbeat(BEAT)


def _check_venues() -> PartHealth:
    """Tell which venues are ill. The platform itself works all the same: that is no failure."""
    ill = [f"{venue.code}: {venue.get_state_display()}" for venue in list_ill_venues()]
    return PartHealth(is_ok=True, detail="; ".join(ill))


def _check_heartbeat(part: str) -> PartHealth:
    age_ms = read_age_ms(part)
    if age_ms is None:
        return PartHealth(is_ok=False, detail=gettext("It has never shown itself."))
    is_ok = age_ms <= HEARTBEAT_AGE_MS_MAX
    return PartHealth(is_ok, "" if is_ok else gettext("It has not shown itself lately."), age_ms)


_CHECKS: Mapping[str, Callable[[], PartHealth]] = {
    "database": _check_database,
    "redis": _check_redis,
    "worker": _check_worker,
    "beat": _check_beat,
    "venues": _check_venues,
}


class PartHealthSerializer(serializers.Serializer[PartHealth]):
    """How one part is."""

    is_ok = serializers.BooleanField()
    detail = serializers.CharField(allow_blank=True)
    age_ms = serializers.IntegerField(
        allow_null=True, help_text="Time since the last sign of life [ms]."
    )


class HealthSerializer(serializers.Serializer[Any]):
    """How every part is."""

    database = PartHealthSerializer()
    redis = PartHealthSerializer()
    worker = PartHealthSerializer()
    beat = PartHealthSerializer()
    venues = PartHealthSerializer(
        help_text="detail names the venues that are not healthy; they do not make the platform ill."
    )


class HealthView(APIView):
    """Readiness: 200 if every part works, otherwise 503 with the same data."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = ()

    @extend_schema(
        operation_id="health",
        tags=["health"],
        responses={200: HealthSerializer},
        auth=[],
    )
    def get(self, request: Request) -> Response | JsonResponse:
        """Return how database, Redis, worker and beat are."""
        parts = check_parts()
        data = {name: asdict(part) for name, part in parts.items()}
        down = [name for name, part in parts.items() if not part.is_ok]
        if not down:
            return Response(data)
        error = PartDown(parts=", ".join(down))
        body = {"code": error.code, "msg": render(error.message), "data": data}
        return JsonResponse(
            body,
            status=HTTPStatus.SERVICE_UNAVAILABLE,
            json_dumps_params={"ensure_ascii": False},
        )


@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """Liveness: the web process answers; asks nobody else."""
    return JsonResponse({"code": SUCCESS_CODE, "msg": SUCCESS_MESSAGE, "data": {"status": "ok"}})
