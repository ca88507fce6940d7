"""The API document, made once a process: several files make their tests of it."""

from copy import deepcopy
from functools import cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator


def document() -> dict[str, Any]:
    """Return the document, to be changed at will."""
    return deepcopy(_made())


@cache
def _made() -> dict[str, Any]:
    return dict(SchemaGenerator().get_schema(request=None, public=True))
