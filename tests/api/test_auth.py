"""Logging in, looking at oneself, logging out; and being kept out."""

from datetime import timedelta

import pytest
import time_machine
from django.conf import settings
from django.test import Client
from django.utils import timezone
from knox.models import AuthToken
from rest_framework.test import APIClient

from arbplatform.api import errors
from arbplatform.core.errors import InvalidInput, NotAllowed, RateLimited, Unauthenticated

PASSWORD = "correct-horse-battery"


def log_in(client, username="reader", password=PASSWORD):
    return client.post("/api/auth/login", {"username": username, "password": password})


def with_token(token):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    return client


@pytest.fixture
def token(anonymous_api, user):
    return log_in(anonymous_api).json()["data"]["token"]


def test_a_login_gives_a_token_that_works_and_expires(anonymous_api, user):
    response = log_in(anonymous_api)

    assert response.status_code == 200
    data = response.json()["data"]
    assert data["user"] == {
        "id": user.pk,
        "username": "reader",
        "is_staff": False,
        "is_superuser": False,
    }
    me = with_token(data["token"]).get("/api/auth/me").json()["data"]
    assert me == {"user": data["user"], "method": "token", "expires_at": data["expires_at"]}
    lifetime = AuthToken.objects.get().expiry - timezone.now()
    assert timedelta(hours=23, minutes=59) < lifetime <= timedelta(hours=24)


def test_only_the_hash_of_a_token_is_stored(token):
    row = AuthToken.objects.get()

    assert token not in (row.digest, row.token_key)
    assert row.token_key == token[: len(row.token_key)]


def test_a_login_is_remembered_as_the_last_one(anonymous_api, user):
    log_in(anonymous_api)

    user.refresh_from_db()
    assert user.last_login is not None


@pytest.mark.parametrize(
    ("username", "password"), [("reader", "wrong"), ("nobody", PASSWORD), ("READER", PASSWORD)]
)
def test_a_wrong_login_does_not_say_what_is_wrong(anonymous_api, user, username, password):
    response = log_in(anonymous_api, username, password)

    assert (response.status_code, response.json()["code"]) == (401, errors.LoginFailed.code)
    assert response.json()["msg"].startswith("User name or password is wrong.")
    assert AuthToken.objects.count() == 0


def test_a_deactivated_person_cannot_log_in(anonymous_api, user):
    user.is_active = False
    user.save()

    assert log_in(anonymous_api).json()["code"] == errors.LoginFailed.code


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"username", "password"}),
        ({"username": "reader"}, {"password"}),
        ({"username": ["x"], "password": "y"}, {"username"}),
        ({"username": "x" * 151, "password": "y" * 129}, {"username", "password"}),
    ],
)
def test_an_incomplete_login_names_the_fields(anonymous_api, db, body, fields):
    response = anonymous_api.post("/api/auth/login", body)

    assert (response.status_code, response.json()["code"]) == (400, InvalidInput.code)
    assert set(response.json()["data"]["fields"]) == fields


@pytest.mark.parametrize("body", [[], "text", 7, None])
def test_a_login_is_an_object(anonymous_api, db, body):
    response = anonymous_api.post("/api/auth/login", body)

    assert (response.status_code, response.json()["code"]) == (400, InvalidInput.code)


def test_after_too_many_failures_not_even_the_right_password_opens(anonymous_api, user):
    for _ in range(settings.AXES_FAILURE_LIMIT):
        log_in(anonymous_api, password="wrong")

    response = log_in(anonymous_api)

    assert (response.status_code, response.json()["code"]) == (429, errors.LoginLocked.code)
    assert "also with the right password" in response.json()["msg"]
    assert "15 minutes" in response.json()["msg"]
    assert AuthToken.objects.count() == 0


def test_the_lock_opens_by_itself(anonymous_api, user):
    for _ in range(settings.AXES_FAILURE_LIMIT):
        log_in(anonymous_api, password="wrong")

    with time_machine.travel(timezone.now() + settings.AXES_COOLOFF_TIME + timedelta(minutes=1)):
        assert log_in(anonymous_api).status_code == 200


def test_the_lock_is_on_one_person_at_one_address(anonymous_api, user, staff):
    for _ in range(settings.AXES_FAILURE_LIMIT):
        log_in(anonymous_api, password="wrong")

    assert log_in(anonymous_api, "operator").status_code == 200
    elsewhere = APIClient(REMOTE_ADDR="192.0.2.7")
    assert log_in(elsewhere).status_code == 200


def test_a_success_forgets_the_failures_before(anonymous_api, user):
    for _ in range(2):
        for _ in range(settings.AXES_FAILURE_LIMIT - 1):
            log_in(anonymous_api, password="wrong")
        assert log_in(anonymous_api).status_code == 200


def test_the_console_login_is_locked_with_a_page_that_says_so(user):
    browser = Client()
    for _ in range(settings.AXES_FAILURE_LIMIT):
        browser.post("/admin/login/", {"username": "reader", "password": "wrong"})

    response = browser.post("/admin/login/", {"username": "reader", "password": PASSWORD})

    assert response.status_code == 429
    assert "also with the right password" in response.content.decode()


def test_guesses_on_many_names_are_slowed_down_by_address(anonymous_api, db):
    codes = [log_in(anonymous_api, f"name{number}").json()["code"] for number in range(21)]

    assert codes[:20] == [errors.LoginFailed.code] * 20
    assert codes[20] == RateLimited.code


def test_logging_out_revokes_this_token_only(anonymous_api, user, token):
    other = log_in(anonymous_api).json()["data"]["token"]

    response = with_token(token).post("/api/auth/logout")

    assert (response.status_code, response.json()) == (
        200,
        {"code": 0, "msg": "success", "data": None},
    )
    assert with_token(token).get("/api/auth/me").json()["code"] == errors.InvalidToken.code
    assert with_token(other).get("/api/auth/me").status_code == 200


def test_logging_out_everywhere_revokes_every_token(anonymous_api, user, token):
    other = log_in(anonymous_api).json()["data"]["token"]

    with_token(token).post("/api/auth/logoutall")

    assert AuthToken.objects.count() == 0
    assert with_token(other).get("/api/auth/me").status_code == 401


def test_logging_out_everywhere_leaves_other_people_alone(anonymous_api, user, staff, token):
    other = log_in(anonymous_api, "operator").json()["data"]["token"]

    with_token(token).post("/api/auth/logoutall")

    assert with_token(other).get("/api/auth/me").status_code == 200


def test_an_expired_token_is_refused(token):
    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        response = with_token(token).get("/api/auth/me")

    assert (response.status_code, response.json()["code"]) == (401, errors.InvalidToken.code)


@pytest.mark.parametrize(
    "header",
    [
        "Token",
        "Token x y",
        "Token x",
        "Token \x00",
        "Token é",
        b"Token \xff\xfe",
        "Token " + "f" * 64,
    ],
)
def test_a_broken_token_is_refused_not_a_crash(db, header):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=header)

    response = client.get("/api/auth/me")

    assert (response.status_code, response.json()["code"]) == (401, errors.InvalidToken.code)


@pytest.mark.parametrize(
    ("method", "address"),
    [("get", "me"), ("post", "logout"), ("post", "logoutall"), ("get", "me/")],
)
def test_without_a_login_the_answer_is_401(anonymous_api, db, method, address):
    response = getattr(anonymous_api, method)(f"/api/auth/{address}")

    assert (response.status_code, response.json()["code"]) == (401, Unauthenticated.code)
    assert response["WWW-Authenticate"] == "Token"


def test_a_session_may_read_and_says_so(user):
    browser = APIClient()
    browser.force_login(user)

    assert browser.get("/api/auth/me").json()["data"]["method"] == "session"


def test_a_session_needs_the_csrf_token_to_change_something(user):
    browser = APIClient(enforce_csrf_checks=True)
    browser.force_login(user)

    refused = browser.post("/api/auth/logout")
    assert (refused.status_code, refused.json()["code"]) == (403, errors.CsrfFailed.code)
    assert browser.get("/api/auth/me").status_code == 200

    browser.get("/admin/login/")
    csrf_token = browser.cookies["csrftoken"].value
    accepted = browser.post("/api/auth/logout", HTTP_X_CSRFTOKEN=csrf_token)
    assert accepted.status_code == 200
    assert browser.get("/api/auth/me").status_code == 401


def test_logging_out_everywhere_ends_the_session_too(user):
    browser = APIClient()
    browser.force_login(user)

    assert browser.post("/api/auth/logoutall").status_code == 200
    assert browser.get("/api/auth/me").status_code == 401


def test_other_methods_are_refused(anonymous_api, user_api):
    refused = anonymous_api.get("/api/auth/login")

    assert (refused.status_code, refused.json()["code"]) == (405, NotAllowed.code)
    assert user_api.delete("/api/auth/me").status_code in {403, 405}


def test_the_refusal_is_in_the_readers_language(anonymous_api, db):
    response = anonymous_api.get("/api/auth/me", HTTP_ACCEPT_LANGUAGE="zh-CN,zh;q=0.9")

    assert "登录" in response.json()["msg"]
    assert response["Content-Language"] == "zh-hans"
