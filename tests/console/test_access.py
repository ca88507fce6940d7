"""Users, tokens and schedules in the console."""

import re

import pytest
from django.contrib import messages
from django.contrib.auth.models import User
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from knox.models import AuthToken
from rest_framework.test import APIClient


def test_a_token_is_shown_once_and_works(console, superuser, user):
    response = console.post("/admin/knox/authtoken/add/", {"user": user.pk, "expiry_0": ""})

    said = [str(message) for message in messages.get_messages(response.wsgi_request)]
    (token,) = re.findall(r"The token is (\w+)\.", said[0])
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    assert client.get("/api/auth/me").json()["data"]["user"]["username"] == "reader"
    page = f"/admin/knox/authtoken/{AuthToken.objects.get().pk}/change/"
    assert token in console.get(page).content.decode()
    assert token not in console.get(page).content.decode()


def test_a_token_can_be_revoked_but_not_changed(console, user):
    row, _token = AuthToken.objects.create(user=user)

    assert console.post(f"/admin/knox/authtoken/{row.pk}/change/", {}).status_code == 403
    console.post(f"/admin/knox/authtoken/{row.pk}/delete/", {"post": "yes"})

    assert not AuthToken.objects.exists()


def test_a_person_can_be_added(console):
    console.post(
        "/admin/auth/user/add/",
        {
            "username": "newcomer",
            "usable_password": "true",
            "password1": "a-long-enough-one-7",
            "password2": "a-long-enough-one-7",
        },
    )

    assert User.objects.get(username="newcomer").check_password("a-long-enough-one-7")


def test_a_schedule_can_be_switched_off(console):
    every = IntervalSchedule.objects.create(every=5, period="seconds")
    task = PeriodicTask.objects.create(name="t", task="app.do_it", interval=every)

    response = console.post(
        f"/admin/django_celery_beat/periodictask/{task.pk}/change/",
        {
            "name": "t",
            "regtask": "",
            "task": "app.do_it",
            "interval": every.pk,
            "args": "[]",
            "kwargs": "{}",
        },
    )

    assert response.status_code == 302
    task.refresh_from_db()
    assert task.enabled is False


@pytest.mark.parametrize("removed", ["periodictask", "intervalschedule"])
@pytest.mark.parametrize(("name", "is_kept"), [("of the platform", True), ("my own", False)])
def test_a_schedule_that_the_platform_lives_on_is_not_deleted_nor_goes_with_its_interval(
    console, settings, removed, name, is_kept
):
    settings.CELERY_BEAT_SCHEDULE = {"of the platform": {}}
    every = IntervalSchedule.objects.create(every=5, period="seconds")
    task = PeriodicTask.objects.create(name=name, task="app.do_it", interval=every)
    pk = task.pk if removed == "periodictask" else every.pk
    pages = f"/admin/django_celery_beat/{removed}/"

    console.post(f"{pages}{pk}/delete/", {"post": "yes"})
    chosen = {"action": "delete_selected", "_selected_action": [pk], "post": "yes"}
    console.post(pages, chosen)

    assert PeriodicTask.objects.filter(pk=task.pk).exists() is is_kept
