"""The OpenAPI document as it is served: to anybody, so that it must cost next to nothing."""

from functools import cache
from typing import Any

from django.conf import settings
from django.utils import translation
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularJSONAPIView
from rest_framework.request import Request
from rest_framework.response import Response


class DocumentView(SpectacularJSONAPIView):
    """The document in the reader's language, made once for each: that takes more than a second."""

    def _get_schema_response(self, request: Request) -> Response:
        asked = translation.get_language()
        known = asked if asked in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE
        return Response(make_document(known))


@cache
def make_document(language: str) -> dict[str, Any]:
    """Return the document; whoever is served may see all of it, and it depends on nobody.

    Args:
        language: one of ``LANGUAGES``.
    """
    with translation.override(language):
        generator: Any = SchemaGenerator()  # type: ignore[no-untyped-call]
        document: dict[str, Any] = generator.get_schema(request=None, public=True)
    return document
