"""What goes wrong outside of a view comes in the envelope too, under /api/ only."""

import json

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client

from arbplatform.api import errors, handlers
from arbplatform.core.errors import Bug, Denied, InvalidInput


@pytest.mark.parametrize("method", ["get", "post", "put", "delete"])
@pytest.mark.parametrize("path", ["/api", "/api/", "/api/nothing", "/api/nothing/at/all/"])
def test_an_unknown_address_is_named_whatever_the_method(anonymous_api, method, path):
    response = getattr(anonymous_api, method)(path)

    assert (response.status_code, response.json()["code"]) == (404, errors.UnknownAddress.code)
    assert path in response.json()["msg"]


def test_an_unknown_address_is_unknown_without_a_csrf_token_too(user):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(user)

    assert browser.post("/api/nothing").status_code == 404


def test_elsewhere_an_unknown_address_is_an_ordinary_page(client):
    response = client.get("/nothing")

    assert response.status_code == 404
    assert response["Content-Type"].startswith("text/html")


def test_a_request_for_a_foreign_host_is_refused_in_the_envelope(client):
    response = client.get("/api/auth/me", HTTP_HOST="evil.example")

    assert (response.status_code, response.json()["code"]) == (400, InvalidInput.code)


def test_a_crash_outside_of_a_view_is_hidden_and_logged(rf, caplog):
    response = handlers.server_error(rf.get("/api/x"))

    assert response.status_code == 500
    assert json.loads(response.content)["code"] == Bug.code
    assert "Unforeseen error" in caplog.text


def test_each_handler_leaves_pages_to_django(rf):
    request = rf.get("/admin/x")

    assert handlers.bad_request(request, ValueError()).status_code == 400
    assert handlers.permission_denied(request, ValueError()).status_code == 403
    assert handlers.server_error(request).status_code == 500
    assert handlers.csrf_failure(request).status_code == 403
    for response in (handlers.server_error(request), handlers.csrf_failure(request)):
        assert response["Content-Type"].startswith("text/html")


def test_a_refusal_by_django_itself_is_an_envelope(rf):
    response = handlers.permission_denied(rf.get("/api/x"), PermissionDenied())
    assert json.loads(response.content)["code"] == Denied.code

    response = handlers.csrf_failure(rf.post("/api/x"))
    assert json.loads(response.content)["code"] == errors.CsrfFailed.code


def test_the_bare_address_leads_to_the_console(client):
    response = client.get("/")

    assert (response.status_code, response["Location"]) == (302, "/admin/")
