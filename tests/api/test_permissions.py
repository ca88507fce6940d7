"""Whoever is logged in may read; staff may change what the console would let them change."""

import pytest
from django.contrib.auth.models import AnonymousUser, Permission, User
from django.urls import get_resolver
from rest_framework.test import APIClient
from rest_framework.views import APIView

from arbplatform.api.auth import LoginView, LogoutAllView, LogoutView
from arbplatform.api.permissions import ReadOrStaffWrite, StaffOnly, write_permissions

READER = User(is_staff=False)
OPERATOR = User(is_staff=True, is_superuser=True)
FORMER = User(is_staff=False, is_superuser=True)
OWN = (LoginView, LogoutView, LogoutAllView)
"""What everybody may do with their own login."""
WRITES = ("post", "put", "patch", "delete")


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
        (FORMER, "POST", False),
        (OPERATOR, "GET", True),
        (OPERATOR, "POST", True),
        (OPERATOR, "PATCH", True),
    ],
)
def test_who_may_do_what(rf, person, method, may):
    request = rf.generic(method, "/api/x")
    request.user = person

    assert ReadOrStaffWrite().has_permission(request, APIView()) is may
    assert StaffOnly().has_permission(request, APIView()) is (may and person.is_staff)


def views(patterns):
    for pattern in patterns:
        if hasattr(pattern, "url_patterns"):
            yield from views(pattern.url_patterns)
        elif hasattr(pattern.callback, "cls"):
            yield pattern.callback.cls


def test_every_write_names_a_permission_that_exists(db):
    known = {
        f"{app}.{name}"
        for app, name in Permission.objects.values_list("content_type__app_label", "codename")
    }
    wrong = []
    for view in views(get_resolver().url_patterns):
        methods = [method for method in WRITES if hasattr(view, method)]
        named = getattr(view, "write_permission", "")
        needed = {named if isinstance(named, str) else named[method.upper()] for method in methods}
        if methods and not issubclass(view, OWN) and not needed <= known:
            wrong.append((view.__name__, needed))

    assert wrong == []


def test_the_methods_of_rows_need_what_the_console_needs():
    assert write_permissions("markets.venue") == {
        "POST": "markets.add_venue",
        "PUT": "markets.change_venue",
        "PATCH": "markets.change_venue",
        "DELETE": "markets.delete_venue",
    }


@pytest.mark.parametrize(
    ("codename", "method", "path"),
    [
        ("change_tradinghalt", "post", "/api/risk/kill"),
        ("add_venue", "post", "/api/venues"),
        ("delete_venue", "delete", "/api/venues/nowhere"),
        ("add_transfer", "post", "/api/accounts/1/transfer"),
        ("change_transfer", "post", "/api/transfers/1/approve"),
        ("change_strategy", "post", "/api/strategies/1/start"),
        ("change_risklimits", "put", "/api/risk/limits"),
        ("add_entry", "post", "/api/reconciliation/discrepancies/1/book"),
        ("add_entry", "post", "/api/reconciliation/discrepancies/1/settle-fee"),
        ("change_venue", "post", "/api/venues/nowhere/faults"),
    ],
)
def test_staff_without_the_permission_of_the_button_are_refused(staff, codename, method, path):
    everything_else = Permission.objects.exclude(codename=codename)
    staff.user_permissions.set(everything_else)

    def ask():
        client = APIClient()
        client.force_authenticate(User.objects.get(pk=staff.pk))
        return getattr(client, method)(path, {}).status_code

    assert ask() == 403
    staff.user_permissions.set(Permission.objects.filter(codename=codename))
    assert ask() in {400, 404, 409}  # and not a word about permissions
