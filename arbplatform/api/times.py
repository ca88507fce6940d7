"""The API speaks UTC, whatever time zone the console shows times in (``ARB_TIME_ZONE``)."""

from datetime import UTC
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework.views import APIView


class InUtc(APIView):
    """Stands in front of a view: times are written in UTC, and read so if they name no zone."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer in UTC."""
        with timezone.override(UTC):
            return super().dispatch(request, *args, **kwargs)
