"""Every address under /api asks who one is, and lets readers change nothing."""

import re

import pytest

from arbplatform.core.errors import Denied, Unauthenticated
from tests.documented import document

DOCUMENT = document()
OPEN = {"/api/auth/login", "/api/health"}
STAFF_ONLY = {"/api/venues/{key}/faults"}
OWN = {"/api/auth/logout", "/api/auth/logoutall"}
"""What everybody may do with their own login."""

OPERATIONS = [
    (path, method)
    for path, methods in DOCUMENT["paths"].items()
    for method in methods
    if path not in OPEN
]


def address(path):
    return re.sub(r"\{key\}", "alpha", re.sub(r"\{id\}", "1", path))


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_without_a_login_the_answer_is_401(anonymous_api, db, path, method):
    response = getattr(anonymous_api, method)(address(path), {})

    assert (response.status_code, response.json()["code"]) == (401, Unauthenticated.code)


@pytest.mark.parametrize(("path", "method"), [pair for pair in OPERATIONS if pair[1] != "get"])
def test_a_reader_may_change_nothing(user_api, db, path, method):
    if path in OWN:
        pytest.skip("everybody may log out")
    response = getattr(user_api, method)(address(path), {})

    assert (response.status_code, response.json()["code"]) == (403, Denied.code)


@pytest.mark.parametrize("path", [path for path, method in OPERATIONS if method == "get"])
def test_a_reader_may_look_at_everything(user_api, db, path):
    if path in STAFF_ONLY:
        assert user_api.get(address(path)).status_code == 403
        return
    assert user_api.get(address(path)).status_code in {200, 400, 404}
