"""What every answer tells the browser to allow."""

from django.http import HttpResponse

from arbplatform.console.content_policy import ContentPolicyMiddleware


def test_every_answer_carries_the_policy(client, db):
    for path in ("/healthz", "/api/docs", "/admin/login/"):
        policy = client.get(path)["Content-Security-Policy"].split("; ")
        assert policy[0] == "default-src 'self'"
        assert policy[-1] == "connect-src 'self' ws://testserver wss://testserver"


def test_a_host_that_is_not_ours_does_not_get_into_the_policy(rf):
    answer = ContentPolicyMiddleware(lambda _request: HttpResponse())(
        rf.get("/", headers={"host": "evil.example"})
    )

    assert answer["Content-Security-Policy"].endswith("; connect-src 'self'")


def test_an_answer_may_bring_a_policy_of_its_own(rf):
    def view(request):
        return HttpResponse(headers={"Content-Security-Policy": "default-src 'none'"})

    response = ContentPolicyMiddleware(view)(rf.get("/"))

    assert response["Content-Security-Policy"] == "default-src 'none'"


def test_pages_cannot_be_framed(client, db):
    response = client.get("/admin/login/")

    assert response["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in response["Content-Security-Policy"]


def test_other_origins_may_read_nothing(client, db):
    response = client.get("/api/health", HTTP_ORIGIN="https://evil.example")

    assert "Access-Control-Allow-Origin" not in response


def test_the_login_page_offers_both_languages(client, db):
    html = client.get("/admin/login/").content.decode()

    assert "简体中文" in html
    assert "English" in html
    assert "csrfmiddlewaretoken" in html


def test_the_language_can_be_switched_without_a_login(client, db):
    client.post("/i18n/setlang/", {"language": "zh-hans", "next": "/admin/login/"})

    assert "欢迎登录" in client.get("/admin/login/").content.decode()
