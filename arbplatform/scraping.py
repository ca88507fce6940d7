"""``/metrics``: Prometheus reads here, and nobody else."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from arbplatform.api.scrapers import may_read_metrics
from arbplatform.core.errors import Unauthenticated
from arbplatform.metrics import PlatformCollector
from arbplatform.wording import render

_registry = CollectorRegistry(auto_describe=False)
_registry.register(PlatformCollector())


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Return all metrics in the format that the reader asks for."""
    if not may_read_metrics(request):
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
