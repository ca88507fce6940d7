"""``/metrics``: Prometheus reads here, and nobody else."""

from http import HTTPStatus
from ipaddress import ip_address
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from arbplatform.core.errors import Unauthenticated
from arbplatform.metrics import PlatformCollector
from arbplatform.wording import render

BEARER: Final = "bearer "

_registry = CollectorRegistry(auto_describe=False)
_registry.register(PlatformCollector())


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Return all metrics in the format that the reader asks for."""
    if not may_read(request):
        error = Unauthenticated(
            "Metrics are for Prometheus and for members of staff. Send the header Authorization: "
            "Bearer with METRICS_TOKEN, or log in to the console."
        )
        body = {"code": error.code, "msg": render(error.message), "data": None}
        answer = JsonResponse(
            body, status=HTTPStatus.UNAUTHORIZED, json_dumps_params={"ensure_ascii": False}
        )
        answer.headers["WWW-Authenticate"] = "Bearer"
        return answer
    write, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(write(_registry), content_type=content_type)


def may_read(request: HttpRequest) -> bool:
    """Return whether a request may read metrics: staff, the token's bearer, or this machine.

    The last only if the settings say so: behind a proxy on this machine everybody seems to be here.
    """
    user = getattr(request, "user", None)
    if user is not None and user.is_active and user.is_staff:
        return True
    if settings.METRICS_TOKEN and _bears_token(request):
        return True
    return settings.METRICS_LOOPBACK and _is_local(request)


def _bears_token(request: HttpRequest) -> bool:
    said = request.headers.get("Authorization", "")
    token = said[len(BEARER) :].strip() if said.lower().startswith(BEARER) else ""
    return constant_time_compare(token, settings.METRICS_TOKEN)


def _is_local(request: HttpRequest) -> bool:
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
