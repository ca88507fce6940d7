"""The sidebar of the console."""

import os
import subprocess
import sys

import pytest
from django.conf import settings
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


def test_a_process_that_has_made_no_address_yet_lists_the_pages_too():
    script = (
        "import django; django.setup()\n"
        "from types import SimpleNamespace\n"
        "from arbplatform.console.navigation import list_groups\n"
        "user = SimpleNamespace(has_perm=lambda name: name == 'strategies.view_strategy')\n"
        "groups = list_groups(SimpleNamespace(user=user, path='/'))\n"
        "print([item['link'] for group in groups[1:] for item in group['items']])"
    )

    listed = subprocess.run(
        [sys.executable, "-c", script],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "arbplatform.settings.test"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert listed == "['/admin/strategies/strategy/']\n"
