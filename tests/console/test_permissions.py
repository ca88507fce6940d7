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

NEW_PASSWORD = {
    "usable_password": "true",
    "password1": "stolen-it-7",
    "password2": "stolen-it-7",
}


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


def test_who_may_change_people_gives_nobody_any_rights(user):
    person = staff_with("view_user", "change_user", "delete_user")
    group = Group.objects.create(name="traders")
    browser = Client()
    browser.force_login(person)

    wish = {"is_staff": "on", "is_superuser": "on", "groups": group.pk, "user_permissions": 1}
    for one, rights in ((person, 3), (user, 0)):
        was_staff = one.is_staff
        wishes = form_of(one, email="new@example.com", **wish)
        assert browser.post(f"/admin/auth/user/{one.pk}/change/", wishes).status_code == 302
        one.refresh_from_db()
        assert (one.email, one.is_staff) == ("new@example.com", was_staff)
        assert (one.is_superuser, one.groups.count()) == (False, 0)
        assert one.user_permissions.count() == rights


@pytest.mark.parametrize("colleague", ["staff", "superuser"])
def test_who_may_change_people_touches_no_other_member_of_staff(colleague, request):
    """Otherwise one person could log in as a second one, and approve their own transfer."""
    other = request.getfixturevalue(colleague)
    browser = Client()
    browser.force_login(staff_with("view_user", "change_user", "delete_user"))

    page = f"/admin/auth/user/{other.pk}"
    chosen = {"action": "delete_selected", "_selected_action": other.pk, "post": "yes"}
    answers = [
        browser.post(f"{page}/change/", form_of(other, is_active="")),
        browser.post(f"{page}/password/", NEW_PASSWORD),
        browser.post(f"{page}/delete/", {"post": "yes"}),
        browser.post("/admin/auth/user/", chosen),
    ]

    assert [answer.status_code for answer in answers] == [403] * 4
    other.refresh_from_db()
    assert other.is_active
    assert not other.check_password("stolen-it-7")


def test_who_may_change_people_sets_their_own_password_and_that_of_who_only_reads(user):
    person = staff_with("view_user", "change_user")
    browser = Client()
    browser.force_login(person)

    for one in (user, person):
        browser.post(f"/admin/auth/user/{one.pk}/password/", NEW_PASSWORD)
        one.refresh_from_db()
        assert one.check_password("stolen-it-7")


def test_a_superuser_changes_staff(console, staff):
    page = f"/admin/auth/user/{staff.pk}"

    assert console.post(f"{page}/password/", NEW_PASSWORD).status_code == 302
    assert console.post(f"{page}/change/", form_of(staff)).status_code == 302
    staff.refresh_from_db()
    assert (staff.check_password("stolen-it-7"), staff.is_staff) == (True, False)


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
