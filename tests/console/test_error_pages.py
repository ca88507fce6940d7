"""Who goes astray is told so in their own language, without the theme and without a login."""

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.utils import translation

from arbplatform.api import handlers
from arbplatform.logs import request_id

HANDLERS = {
    400: lambda request: handlers.bad_request(request, ValueError("secret detail")),
    403: lambda request: handlers.permission_denied(request, PermissionDenied("secret detail")),
    404: lambda request: handlers.page_not_found(request, Exception("secret detail")),
    500: handlers.server_error,
}
HEADINGS = {
    "en": {
        400: "The request cannot be read",
        403: "You may not see this page",
        404: "There is no such page",
        500: "Something went wrong here",
    },
    "zh-hans": {
        400: "无法读取该请求",
        403: "您无权查看此页面",
        404: "页面不存在",
        500: "平台出错了",
    },
}


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("status", sorted(HANDLERS))
def test_each_page_says_what_happened_and_leads_on(rf, status, language):
    with translation.override(language):
        response = HANDLERS[status](rf.get("/admin/x"))

    html = response.content.decode()
    assert response.status_code == status
    assert f"<h1>{HEADINGS[language][status]}</h1>" in html
    assert 'href="/admin/"' in html
    assert "secret detail" not in html


def test_the_page_of_a_crash_names_the_request_as_the_log_does(rf):
    token = request_id.set("abc123")
    html = handlers.server_error(rf.get("/admin/x")).content.decode()
    request_id.reset(token)

    assert "<code>abc123</code>" in html


def test_a_form_without_its_token_is_refused_by_a_page_in_the_readers_language(superuser):
    browser = Client(enforce_csrf_checks=True, headers={"accept-language": "zh-hans"})
    browser.force_login(superuser)

    response = browser.post("/admin/auth/group/add/", {"name": "x"})

    assert response.status_code == 403
    assert "<h1>表单未被接受</h1>" in response.content.decode()
    assert "CSRF_TRUSTED_ORIGINS" in response.content.decode()


def test_an_address_that_leads_nowhere_has_a_page_for_whoever_comes(client):
    response = client.get("/nothing", headers={"accept-language": "en"})

    assert response.status_code == 404
    assert "<h1>There is no such page</h1>" in response.content.decode()


def test_browsers_find_the_icon_where_they_look_for_it(client):
    response = client.get("/favicon.ico")

    assert (response.status_code, response["Location"]) == (302, "/static/console/favicon.svg")
