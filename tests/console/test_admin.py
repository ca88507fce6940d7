"""The base of the console's pages: actions report row by row, buttons act on POST only."""

import re
from types import SimpleNamespace

import pytest
from django.contrib import messages
from django.contrib.auth.models import Group
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.forms import CharField
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.urls import include, path

from arbplatform.console.admin import (
    ROWS_PER_ACTION_MAX,
    PlatformAdmin,
    ReadOnlyAdmin,
    ReadOnlyInline,
    command_button,
    plain,
)
from arbplatform.console.fields import DialogForm
from arbplatform.console.site import ConsoleSite
from arbplatform.core.decimals import to_decimal
from arbplatform.core.errors import Bug, Conflict, InvalidInput, Message


class NameForm(DialogForm):
    name = CharField()


class GroupPage(PlatformAdmin):
    fields = ("name",)
    actions_row = ("rename", "retitle")

    def is_offered(self, action, row):
        return not (action == "rename" and row.name == "fixed")

    def get_form(self, request, obj=None, change=False, **kwargs):
        if obj is not None and obj.name == "gone":
            raise Conflict("What {name} is made of is gone.", name=obj.name)
        return super().get_form(request, obj, change, **kwargs)

    def save_model(self, request, obj, form, change):
        super().save_model(request, obj, form, change)
        if obj.name in REFUSALS:
            raise REFUSALS[obj.name]

    def delete_model(self, request, obj):
        raise Conflict("The group {name} is needed.", name=obj.name)

    @command_button(description="Rename", question="Rename it?")
    def rename(self, request, form, object_id):
        def command(row):
            row.name += "!"
            row.save()

        return self.apply_to_one(request, object_id, command, done="renamed")

    @command_button(description="Retitle", question="How?", form_class=NameForm)
    def retitle(self, request, form, object_id):
        def command(row):
            row.name = form.cleaned_data["name"]
            if row.name in REFUSALS:
                raise REFUSALS[row.name]
            row.save()

        return self.apply_to_one(request, object_id, command, form=form)


REFUSALS = {
    "busy": Conflict("The group {name} is busy.", name="busy"),
    "wrong": InvalidInput(
        fields={
            "name": [Message("Not {n}.", {"n": 1})],
            "x": [Message("No.")],
            "permissions": [Message("Or.")],
        }
    ),
    "broken": Bug("inner {error_id}", error_id="x"),
}


class OnePageSite(ConsoleSite):
    def load_pages(self):
        """Keep to the one page below."""

    def get_sidebar_list(self, request):
        return []


SITE = OnePageSite(name="admin")
SITE.register(Group, GroupPage)
PAGE = GroupPage(Group, SITE)
urlpatterns = [
    path("admin/", SITE.urls),
    path("i18n/", include("django.conf.urls.i18n")),
    # the head of every page leads there
    *(path(f"{name}/", SITE.index, name=name) for name in ("docs", "health_page")),
]


@pytest.fixture
def request_(superuser):
    request = RequestFactory().post("/admin/auth/group/")
    request.user = superuser
    request.session = SessionStore()
    vars(request)["_messages"] = FallbackStorage(request)
    return request


def said(request):
    return [(message.level, message.message) for message in request._messages]


def test_each_row_is_reported_and_a_refusal_stops_no_other(request_, db):
    rows = [Group.objects.create(name=name) for name in ("a", "b", "c")]

    def command(row):
        if row.name == "b":
            raise Conflict("The group {name} is busy.", name=row.name)

    count = PAGE.apply(request_, Group.objects.order_by("name"), command, done="started")

    assert count == 2
    assert said(request_) == [
        (messages.SUCCESS, "a: started"),
        (messages.ERROR, "b: The group b is busy. (error 1003)"),
        (messages.SUCCESS, "c: started"),
    ]
    assert len(rows) == 3


def test_a_message_that_the_command_returns_is_shown(request_):
    PAGE.apply(request_, [Group(name="a")], lambda row: Message("{n} found.", {"n": 3}))

    assert said(request_) == [(messages.SUCCESS, "a: 3 found.")]


@pytest.mark.parametrize("error", [RuntimeError("inner"), Bug("inner {error_id}", error_id="x")])
def test_a_bug_is_hidden_and_logged_and_the_others_go_on(request_, caplog, error):
    def command(row):
        if row.name == "a":
            raise error

    PAGE.apply(request_, [Group(name="a"), Group(name="b")], command)

    (level, text), second = said(request_)
    assert level == messages.ERROR
    assert "inner" not in text
    assert text.startswith("a: An internal error occurred")
    assert second == (messages.SUCCESS, "b: done")
    assert "inner" in caplog.text


def test_too_many_rows_are_refused_and_nothing_is_done(request_):
    done: list[Group] = []

    count = PAGE.apply(request_, [Group(name="x")] * (ROWS_PER_ACTION_MAX + 1), done.append)

    assert (count, done) == (0, [])
    assert said(request_) == [
        (messages.ERROR, "Choose at most 100 rows at once. Nothing was done.")
    ]


@pytest.fixture
def browser(superuser):
    client = Client(enforce_csrf_checks=True)
    client.force_login(superuser)
    return client


ADDRESS = "/admin/auth/group/{}/rename/"


@pytest.fixture
def person(superuser):
    client = Client()
    client.force_login(superuser)
    return client


def shown(response):
    return [str(message) for message in messages.get_messages(response.wsgi_request)]


def complaints(response):
    """Return what a form that came back complains of, by field; on top: of none."""
    assert response.status_code == 200
    form = response.context["adminform"].form
    return {name: list(texts) for name, texts in form.errors.items()}


@pytest.mark.urls(__name__)
@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("busy", {"__all__": ["The group busy is busy. (error 1003)"]}),
        (
            "wrong",
            {"__all__": ["x: No.", "permissions: Or."], "name": ["Not 1."]},
        ),
    ],
)
def test_a_form_that_the_service_refuses_comes_back_as_typed_with_the_reason(person, name, texts):
    response = person.post("/admin/auth/group/add/", {"name": name})

    assert complaints(response) == texts
    assert shown(response) == []
    page = response.content.decode()
    assert f'name="name" value="{name}"' in page
    assert all(text in page for group in texts.values() for text in group)
    assert not Group.objects.exists()


@pytest.mark.urls(__name__)
def test_a_page_that_cannot_be_shown_leads_to_the_list_and_not_to_itself(person):
    group = Group.objects.create(name="gone")

    response = person.get(f"/admin/auth/group/{group.pk}/change/")

    assert (response.status_code, response["Location"]) == (302, "/admin/auth/group/")
    assert shown(response) == ["What gone is made of is gone. (error 1003)"]


@pytest.mark.urls(__name__)
def test_a_refused_change_leaves_the_row_and_keeps_what_was_typed(person):
    group = Group.objects.create(name="g")

    response = person.post(f"/admin/auth/group/{group.pk}/change/", {"name": "busy"})

    assert complaints(response) == {"__all__": ["The group busy is busy. (error 1003)"]}
    assert 'name="name" value="busy"' in response.content.decode()
    group.refresh_from_db()
    assert group.name == "g"


@pytest.mark.urls(__name__)
def test_a_refused_form_can_be_sent_again(person):
    person.post("/admin/auth/group/add/", {"name": "busy"})

    response = person.post("/admin/auth/group/add/", {"name": "free"})

    assert response.status_code == 302
    assert Group.objects.get().name == "free"


@pytest.mark.urls(__name__)
def test_a_bug_of_the_service_is_not_shown_with_the_form(person, caplog):
    response = person.post("/admin/auth/group/add/", {"name": "broken"})

    (text,) = complaints(response)["__all__"]
    assert text.startswith("An internal error occurred")
    assert "inner x" not in response.content.decode()
    assert "inner" in caplog.text
    assert "in an action on GroupForm" in caplog.text
    assert not Group.objects.exists()


@pytest.mark.urls(__name__)
def test_a_row_whose_removal_is_refused_is_shown_with_the_reason(person):
    group = Group.objects.create(name="g")

    response = person.post(f"/admin/auth/group/{group.pk}/delete/", {"post": "yes"})

    assert response.status_code == 302
    assert shown(response) == ["The group g is needed. (error 1003)"]
    assert response["Location"] == f"/admin/auth/group/{group.pk}/change/"
    assert Group.objects.filter(pk=group.pk).exists()


@pytest.mark.urls(__name__)
def test_a_row_of_a_list_has_only_the_buttons_that_make_sense_for_it():
    button = {"title": "Rename", "attrs": {}, "raw_path": "admin:auth_group_rename"}
    cells = {}
    for pk, name in ((1, "fixed"), (2, "free")):
        context = {
            "cl": SimpleNamespace(model_admin=PAGE),
            "result": SimpleNamespace(instance=Group(pk=pk, name=name)),
            "actions": [button],
            "instance_pk": pk,
        }
        cells[name] = render_to_string("unfold/helpers/actions_row.html", context)

    assert ADDRESS.format(2) in cells["free"]
    assert "<button" not in cells["fixed"]
    assert "/rename/" not in cells["fixed"]
    assert cells["fixed"].count("<td") == 1  # the columns stay where they are


@pytest.mark.urls(__name__)
def test_a_button_asks_on_get_and_changes_nothing(browser):
    group = Group.objects.create(name="g")

    response = browser.get(ADDRESS.format(group.pk))

    assert response.status_code == 200
    assert "Rename it?" in response.content.decode()
    group.refresh_from_db()
    assert group.name == "g"


@pytest.mark.urls(__name__)
def test_a_button_without_the_csrf_token_changes_nothing(browser):
    group = Group.objects.create(name="g")

    response = browser.post(ADDRESS.format(group.pk), {"_form_submitted": "True"})

    assert response.status_code == 403
    group.refresh_from_db()
    assert group.name == "g"


@pytest.mark.urls(__name__)
def test_a_confirmed_button_acts_and_goes_back(superuser):
    group = Group.objects.create(name="g")
    client = Client()
    client.force_login(superuser)

    response = client.post(
        ADDRESS.format(group.pk),
        {"_form_submitted": "True"},
        HTTP_REFERER="http://testserver/admin/auth/group/?q=g",
    )

    assert (response.status_code, response["Location"]) == (302, "/admin/auth/group/?q=g")
    group.refresh_from_db()
    assert group.name == "g!"


@pytest.mark.urls(__name__)
@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("busy", ["The group busy is busy. (error 1003)"]),
        ("wrong", ["Not 1.", "x: No."]),
        ("broken", ["An internal error occurred"]),
    ],
)
def test_a_dialog_that_is_refused_comes_back_as_typed_with_the_reason(person, name, texts):
    group = Group.objects.create(name="g")

    response = person.post(
        f"/admin/auth/group/{group.pk}/retitle/", {"_form_submitted": "True", "name": name}
    )

    page = response.content.decode()
    assert (response.status_code, shown(response)) == (200, [])
    assert f'name="name" value="{name}"' in page
    assert all(text in page for text in texts)
    assert "How?" in page
    group.refresh_from_db()
    assert group.name == "g"


@pytest.mark.urls(__name__)
def test_a_dialog_that_is_not_refused_acts(person):
    group = Group.objects.create(name="g")

    response = person.post(
        f"/admin/auth/group/{group.pk}/retitle/", {"_form_submitted": "True", "name": "free"}
    )

    assert (response.status_code, shown(response)) == (302, ["g: done"])
    group.refresh_from_db()
    assert group.name == "free"


@pytest.mark.urls(__name__)
@pytest.mark.parametrize("action", ["rename", "retitle"])
def test_a_dialog_that_is_opened_in_a_tab_of_its_own_is_a_page_that_works(browser, action):
    group = Group.objects.create(name="g")
    address = f"/admin/auth/group/{group.pk}/{action}/"

    page = browser.get(address, HTTP_REFERER="http://testserver/admin/auth/group/").content.decode()

    assert "<title>" in page
    assert 'href="/admin/auth/group/"' in page  # the way out without acting
    form = page.partition('<form method="post" novalidate')[2].partition("</form>")[0]
    assert "hx-" not in form
    assert "x-on:" not in form
    typed = dict(re.findall(r'name="(csrfmiddlewaretoken|_form_submitted)" value="(\w+)"', form))
    wrong = browser.post(address, typed | {"name": ""}, HTTP_REFERER=f"http://testserver{address}")
    if action == "retitle":
        assert "<title>" in wrong.content.decode()
        assert "This field is required." in wrong.content.decode()
    answer = browser.post(
        address, typed | {"name": "new"}, HTTP_REFERER=f"http://testserver{address}"
    )
    assert (answer.status_code, answer["Location"]) == (302, "/admin/auth/group/")
    group.refresh_from_db()
    assert group.name == {"rename": "g!!", "retitle": "new"}[action]


@pytest.mark.urls(__name__)
def test_a_dialog_on_a_page_is_a_part_of_it(browser):
    group = Group.objects.create(name="g")

    part = browser.get(ADDRESS.format(group.pk), HTTP_HX_REQUEST="true").content.decode()

    assert 'id="dialog"' in part
    assert "data-unanswered hidden>The server has not answered as it should" in part
    assert "<title>" not in part


@pytest.mark.urls(__name__)
@pytest.mark.parametrize("fragment", ["", "#", "#general"])
def test_in_the_dialog_the_way_back_is_a_header_that_htmx_follows(superuser, fragment):
    group = Group.objects.create(name="g")
    client = Client()
    client.force_login(superuser)

    response = client.post(
        ADDRESS.format(group.pk),
        {"_form_submitted": "True"},
        HTTP_HX_REQUEST="true",
        HTTP_HX_CURRENT_URL=f"http://testserver/admin/auth/group/?q=g{fragment}",
    )

    # with a fragment the browser would not load anew what it shows, and the dialog would stay
    assert (response.status_code, response["HX-Redirect"]) == (200, "/admin/auth/group/?q=g")


@pytest.mark.urls(__name__)
@pytest.mark.parametrize("address", ["https://evil.example/", "//evil.example", "javascript:x"])
def test_the_way_back_never_leads_elsewhere(superuser, address):
    group = Group.objects.create(name="g")
    client = Client()
    client.force_login(superuser)

    response = client.post(
        ADDRESS.format(group.pk), {"_form_submitted": "True"}, HTTP_REFERER=address
    )

    assert response["Location"] == "/admin/auth/group/"


@pytest.mark.urls(__name__)
def test_a_button_for_a_row_that_is_gone_says_so(superuser):
    client = Client()
    client.force_login(superuser)

    response = client.post(ADDRESS.format(4711), {"_form_submitted": "True"})

    assert response.status_code == 302
    said = [message.message for message in messages.get_messages(response.wsgi_request)]
    assert said == ["The row 4711 does not exist any more."]


@pytest.mark.urls(__name__)
def test_a_button_needs_the_permission(staff):
    group = Group.objects.create(name="g")
    client = Client()
    client.force_login(staff)

    assert client.post(ADDRESS.format(group.pk), {"_form_submitted": "True"}).status_code == 403
    group.refresh_from_db()
    assert group.name == "g"


def test_facts_cannot_be_added_changed_or_deleted(request_):
    page = ReadOnlyAdmin(Group, SITE)
    inline = type("Inline", (ReadOnlyInline,), {"model": Group})(Group, SITE)

    assert not page.has_add_permission(request_)
    assert not page.has_change_permission(request_)
    assert not page.has_delete_permission(request_)
    assert page.has_view_permission(request_)
    assert not inline.has_add_permission(request_)
    assert not inline.has_change_permission(request_)
    assert not inline.has_delete_permission(request_)


def test_money_is_plain_digits_and_nothing_is_a_dash():
    assert plain(to_decimal("1E-8")) == "0.00000001"
    assert plain(None) == "–"
