"""Who may do what through the API: what they may do in the console, and no more."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

if TYPE_CHECKING:  # rest_framework.views itself loads this module
    from rest_framework.views import APIView


class ReadOrStaffWrite(BasePermission):
    """Whoever is logged in may read; staff may change what their permissions let them change.

    A view names in ``write_permission`` the permission that its button in the console asks for, or
    one for each method. A write that names none is for superusers.
    """

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Return whether the request may go on."""
        user = request.user
        if not user.is_authenticated:
            return False
        if request.method in SAFE_METHODS:
            return True
        method = request.method or ""
        if not user.is_staff or not hasattr(view, method.lower()):
            return bool(user.is_staff)  # whom the view tells that it does not take the method
        named: str | Mapping[str, str] = getattr(view, "write_permission", "")
        return user.has_perm(named if isinstance(named, str) else named.get(method, ""))


class StaffOnly(ReadOrStaffWrite):
    """The same, and only staff may read."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Return whether the request may go on."""
        return bool(request.user.is_staff) and super().has_permission(request, view)


def write_permissions(model: str) -> Mapping[str, str]:
    """Return the permission of each method on an address whose rows are added, changed, deleted.

    Args:
        model: ``markets.venue``.
    """
    app, name = model.split(".")
    verbs = {"POST": "add", "PUT": "change", "PATCH": "change", "DELETE": "delete"}
    return {method: f"{app}.{verb}_{name}" for method, verb in verbs.items()}
