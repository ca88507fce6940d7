"""Who may only look may only look, and nobody gives themselves rights."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.test import Client, RequestFactory
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from knox.models import AuthToken

admin.site.load_pages()  # type: ignore[attr-defined]  # it is a ConsoleSite
PAGES = sorted(admin.site._registry.values(), key=lambda page: page.opts.label_lower)
HARMLESS = {
    "recompute_one",
    "compare_one",
    "compare_selected",
    "look_again_one",
    "look_again_selected",
}
"""What computes from what was written down, and what happens once a minute anyway: comparing."""


def staff_with(*codenames):
    person = User.objects.create_user("limited", password="x", is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return person


@pytest.fixture
def watcher(db):
    """A member of staff who may look at everything."""
    person = User.objects.create_user("watcher", password="x", is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    return person


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.opts.label_lower)
def test_a_watcher_is_offered_nothing_that_changes_anything(watcher, page):
    request = RequestFactory().get("/admin/")
    request.user = watcher

    assert page.has_view_permission(request)
    assert not page.has_change_permission(request)
    assert not page.has_add_permission(request)
    assert not page.has_delete_permission(request)
    assert set(page.get_actions(request)) <= HARMLESS
    buttons = [
        *page.get_actions_list(request),
        *page.get_actions_row(request),
        *page._filter_unfold_actions_by_permissions(request, page._get_base_actions_detail()),
    ]
    assert {one.method.original_function_name for one in buttons} <= HARMLESS


def test_a_watcher_switches_no_schedule_off(watcher):
    every = IntervalSchedule.objects.create(every=5, period="seconds")
    task = PeriodicTask.objects.create(name="sweep", task="ledger.sweep", interval=every)
    browser = Client()
    browser.force_login(watcher)

    browser.post(
        "/admin/django_celery_beat/periodictask/",
        {"action": "disable_tasks", "_selected_action": task.pk},
    )

    task.refresh_from_db()
    assert task.enabled


def form_of(person, **changes):
    return {
        "username": person.username,
        "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00:00",
        "is_active": "on",
        **changes,
    }


def test_who_may_change_people_gives_no_rights_and_touches_no_superuser(superuser):
    person = staff_with("view_user", "change_user", "delete_user")
    group = Group.objects.create(name="traders")
    browser = Client()
    browser.force_login(person)

    wish = {"is_staff": "on", "is_superuser": "on", "groups": group.pk, "user_permissions": 1}
    answer = browser.post(f"/admin/auth/user/{person.pk}/change/", form_of(person, **wish))
    assert answer.status_code == 302
    person.refresh_from_db()
    assert (person.is_superuser, person.groups.count()) == (False, 0)
    assert person.user_permissions.count() == 3

    own = f"/admin/auth/user/{superuser.pk}"
    change = browser.post(f"{own}/change/", form_of(superuser, is_active=""))
    passwords = {"usable_password": "true", "password1": "stolen-it-7", "password2": "stolen-it-7"}
    assert change.status_code == 403
    assert browser.post(f"{own}/password/", passwords).status_code == 403
    assert browser.post(f"{own}/delete/", {"post": "yes"}).status_code == 403
    superuser.refresh_from_db()
    assert superuser.is_active
    assert not superuser.check_password("stolen-it-7")


def test_who_may_change_groups_puts_no_rights_into_them(db):
    person = staff_with("view_group", "change_group")
    group = Group.objects.create(name="traders")
    browser = Client()
    browser.force_login(person)

    browser.post(f"/admin/auth/group/{group.pk}/change/", {"name": "others", "permissions": 1})

    group.refresh_from_db()
    assert (group.name, group.permissions.count()) == ("others", 0)


def test_who_may_make_tokens_makes_them_for_themselves_only(superuser):
    person = staff_with("view_authtoken", "add_authtoken")
    browser = Client()
    browser.force_login(person)

    browser.post("/admin/knox/authtoken/add/", {"user": superuser.pk, "expiry_0": ""})
    assert not AuthToken.objects.exists()

    browser.post("/admin/knox/authtoken/add/", {"user": person.pk, "expiry_0": ""})
    assert AuthToken.objects.get().user == person
