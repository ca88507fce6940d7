"""Who may do what through the API."""

from typing import TYPE_CHECKING

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

if TYPE_CHECKING:  # rest_framework.views itself loads this module
    from rest_framework.views import APIView


class ReadOrStaffWrite(BasePermission):
    """Whoever is logged in may read; only staff may change anything."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Return whether the request may go on."""
        user = request.user
        if not user.is_authenticated:
            return False
        return request.method in SAFE_METHODS or bool(user.is_staff)
