"""The sidebar of the console."""

import pytest
from django.urls import reverse

from arbplatform.console.navigation import list_groups

pytestmark = pytest.mark.django_db


def current(rf, superuser, path):
    request = rf.get(path)
    request.user = superuser
    lines = [item for group in list_groups(request) for item in group["items"]]
    return [str(line["title"]) for line in lines if line["active"]]


@pytest.mark.parametrize(
    ("path", "titles"),
    [
        ("/admin/", ["Overview"]),
        ("/admin/strategies/opportunity/", ["Opportunities"]),
        ("/admin/strategies/opportunity/7/change/", ["Opportunities"]),
        ("/admin/strategies/opportunity/scanner/", ["Scanner"]),
        ("/admin/health/", ["Health"]),
        ("/elsewhere/", []),
    ],
)
def test_one_line_is_marked_as_the_current_one(rf, superuser, path, titles):
    assert reverse("admin:index") == "/admin/"
    assert current(rf, superuser, path) == titles
