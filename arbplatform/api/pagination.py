"""Pages of a list: bounded, counted, and honest about wrong numbers."""

from collections.abc import Sequence
from typing import Any

from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from arbplatform.core.errors import InvalidInput, Message

PAGE_SIZE = 50
PAGE_SIZE_MAX = 200
NUMBER_LENGTH_MAX = 9


class PagePagination(BasePagination):
    """``?page=2&page_size=50`` to ``{"count", "page", "page_size", "results"}``.

    A page after the last one is empty, not an error: a client that follows a shrinking list stops
    by itself.
    """

    page_query_param = "page"
    page_size_query_param = "page_size"

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """Return the rows of the page that ``request`` asks for.

        Raises:
            InvalidInput: page or page size is not a number in range.
        """
        self.page = _positive(request, self.page_query_param, 1, None)
        self.page_size = _positive(request, self.page_size_query_param, PAGE_SIZE, PAGE_SIZE_MAX)
        self.count = len(queryset) if isinstance(queryset, Sequence) else queryset.count()
        start = (self.page - 1) * self.page_size
        return list(queryset[start : start + self.page_size]) if start < self.count else []

    def get_paginated_response(self, data: Any) -> Response:
        """Return the page with its place in the whole."""
        return Response(
            {
                "count": self.count,
                "page": self.page,
                "page_size": self.page_size,
                "results": data,
            }
        )

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return the page's JSON schema around that of its rows."""
        number = {"type": "integer", "minimum": 0}
        return {
            "type": "object",
            "required": ["count", "page", "page_size", "results"],
            "properties": {
                "count": {**number, "description": "Rows on all pages together."},
                "page": {**number, "minimum": 1},
                "page_size": {**number, "minimum": 1, "maximum": PAGE_SIZE_MAX},
                "results": schema,
            },
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Return the query parameters for the API document."""
        whole = {"type": "integer", "minimum": 1}
        return [
            _parameter(self.page_query_param, "Page, counted from 1.", {**whole, "default": 1}),
            _parameter(
                self.page_size_query_param,
                "Rows on a page.",
                {**whole, "maximum": PAGE_SIZE_MAX, "default": PAGE_SIZE},
            ),
        ]


def _parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": schema,
    }


def _positive(request: Request, name: str, default: int, maximum: int | None) -> int:
    text = request.query_params.get(name, "")
    if not text:
        return default
    number = (
        int(text) if text.isascii() and text.isdigit() and len(text) <= NUMBER_LENGTH_MAX else 0
    )
    if number >= 1 and (maximum is None or number <= maximum):
        return number
    complaint = (
        Message("Give a whole number from 1.")
        if maximum is None
        else Message("Give a whole number from 1 to {maximum}.", {"maximum": maximum})
    )
    raise InvalidInput(fields={name: [complaint]})
