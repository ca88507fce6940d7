"""Addresses that work with and without a slash at the end, without a redirect.

A redirect would turn a POST into a GET, which is how "nothing happens" reports are born.
"""

from collections.abc import Callable
from typing import Any

from django.urls import URLPattern
from django.urls.resolvers import RoutePattern

from arbplatform.api.idempotency import once
from arbplatform.api.parameters import checked, put_before
from arbplatform.api.times import InUtc


class OptionalSlashPattern(RoutePattern):
    """Django's route syntax, with one optional slash at the end."""

    def match(self, path: str) -> Any:
        """Return what Django's own pattern finds, with or without the last slash."""
        return super().match(path) or (super().match(path[:-1]) if path.endswith("/") else None)


def route(
    pattern: str,
    view: Callable[..., Any],
    name: str | None = None,
    *,
    takes_anything: bool = False,
) -> URLPattern:
    """Return an address of the API.

    Before its view stand the guards of all: a parameter that the view does not read is refused,
    times are in UTC, and a write with an ``Idempotency-Key`` is carried out once.

    Args:
        pattern: Django's route syntax without a slash at either end: ``strategies/<int:pk>``.
        view: what answers (``MyView.as_view()``).
        name: for ``reverse``; without the slash.
        takes_anything: let every parameter through: the view is not ours and does not state them.
    """
    guarded = once(put_before(InUtc, view if takes_anything else checked(view)))
    return URLPattern(OptionalSlashPattern(pattern, name=name, is_endpoint=True), guarded, {}, name)
