"""The two faces of the overview: the console's first page and ``GET /api/overview``."""

from typing import Any

from django.http import HttpRequest


def add_overview(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Return the context of the console's first page with the overview's numbers."""
    return context
