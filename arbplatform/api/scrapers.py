"""Programs that watch the platform: they show a token of the settings instead of logging in."""

from ipaddress import ip_address
from typing import Final

from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare
from rest_framework.request import Request

BEARER: Final = "bearer "


def may_read_metrics(request: HttpRequest | Request) -> bool:
    """Return whether a request may read metrics: staff, the token's bearer, or this machine.

    The last only if the settings say so: behind a proxy on this machine everybody seems to be here.
    """
    user = getattr(request, "user", None)
    if user is not None and user.is_active and user.is_staff:
        return True
    if settings.METRICS_TOKEN and _bears_token(request):
        return True
    return settings.METRICS_LOOPBACK and _is_local(request)


def _bears_token(request: HttpRequest | Request) -> bool:
    said = request.headers.get("Authorization", "")
    token = said[len(BEARER) :].strip() if said.lower().startswith(BEARER) else ""
    return constant_time_compare(token, settings.METRICS_TOKEN)


def _is_local(request: HttpRequest | Request) -> bool:
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
