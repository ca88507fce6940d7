"""Whoever is logged in may read; only staff may change anything."""

import pytest
from django.contrib.auth.models import AnonymousUser, User
from rest_framework.views import APIView

from arbplatform.api.permissions import ReadOrStaffWrite

READER = User(is_staff=False)
OPERATOR = User(is_staff=True)


@pytest.mark.parametrize(
    ("person", "method", "may"),
    [
        (AnonymousUser(), "GET", False),
        (AnonymousUser(), "POST", False),
        (READER, "GET", True),
        (READER, "HEAD", True),
        (READER, "OPTIONS", True),
        (READER, "POST", False),
        (READER, "DELETE", False),
        (OPERATOR, "GET", True),
        (OPERATOR, "POST", True),
        (OPERATOR, "PATCH", True),
    ],
)
def test_who_may_do_what(rf, person, method, may):
    request = rf.generic(method, "/api/x")
    request.user = person

    assert ReadOrStaffWrite().has_permission(request, APIView()) is may
