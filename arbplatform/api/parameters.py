"""Parameters in an address: one that would not be read is refused, not ignored.

A client that asks for ``?stat=open`` and gets all orders believes what it reads. The same holds for
a parameter that is sent with a write: ``POST /api/risk/kill?level=venue`` halts everything.
"""

from collections.abc import Callable, Collection
from typing import Any, Final

from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.views import APIView

from arbplatform.core.errors import InvalidInput, Message

UNKNOWN_MAX: Final = 20
"""Unknown names that one refusal tells."""


class KnownParameters(APIView):
    """Stands in front of a view and refuses parameters that it does not read."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Let in who may come in, and what the view understands."""
        super().initial(request, *args, **kwargs)
        is_read = request.method in SAFE_METHODS
        refuse_unknown(request, known_parameters(type(self)) if is_read else ())


def known_parameters(view: type[APIView]) -> frozenset[str]:
    """Return the names of the parameters that a view reads.

    Args:
        view: states them as ``filterset_class``, ``ordering_fields`` and ``pagination_class``, as
            ``query_class`` (a serializer), or by name in ``parameters``.
    """
    names = set(getattr(view, "parameters", ()))
    if query := getattr(view, "query_class", None):
        names |= set(query().fields)
    if filterset := getattr(view, "filterset_class", None):
        names |= set(filterset.base_filters)
    if getattr(view, "ordering_fields", None):
        names |= {
            backend.ordering_param
            for backend in getattr(view, "filter_backends", ())
            if hasattr(backend, "ordering_param")
        }
    if pagination := getattr(view, "pagination_class", None):
        names |= {pagination.page_query_param, pagination.page_size_query_param}
    return frozenset(names)


def refuse_unknown(request: Request, known: Collection[str]) -> None:
    """Refuse parameters that are not known.

    Args:
        request: whose parameters are looked at.
        known: names of those that are read.

    Raises:
        InvalidInput: another one was sent.
    """
    unknown = [name for name in request.query_params if name not in known]
    if not unknown:
        return
    complaint = Message("Nothing is read from the address here. Leave it out.")
    if known:
        names = ", ".join(sorted(known))
        complaint = Message("There is no such parameter. Known here: {known}.", {"known": names})
    raise InvalidInput(fields={name: [complaint] for name in unknown[:UNKNOWN_MAX]})


def checked(view: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``view`` behind ``KnownParameters``; a plain function is returned as it is."""
    return put_before(KnownParameters, view)


def put_before(guard: type[APIView], view: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``view`` with the methods of a guard before its own.

    Args:
        guard: overrides methods and calls those of the view by ``super``.
        view: what ``as_view()`` returned; a plain function is returned as it is.
    """
    cls = getattr(view, "cls", None)
    if cls is None:
        return view
    described = {"__doc__": cls.__doc__, "__module__": cls.__module__}
    as_view: Callable[..., Any] = type(cls.__name__, (guard, cls), described).as_view  # type: ignore[attr-defined]
    guarded: Callable[..., Any] = as_view(**getattr(view, "initkwargs", {}))
    return guarded
