"""Every address of the platform."""

from importlib.util import find_spec

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.templatetags.static import static
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.decorators.http import require_safe
from drf_spectacular.views import SpectacularSwaggerSplitView

from arbplatform.api.document import DocumentView
from arbplatform.api.handlers import unknown_address
from arbplatform.api.routes import route
from arbplatform.dashboard import OverviewView
from arbplatform.health import HealthView, live
from arbplatform.health_page import health_page
from arbplatform.notices.api import AlarmListView
from arbplatform.scraping import metrics


@require_safe
def home(_request: HttpRequest) -> HttpResponse:
    """Lead a visitor of the bare address to the console."""
    return redirect("admin:index")


@require_safe
def favicon(_request: HttpRequest) -> HttpResponse:
    """Lead browsers that look at an answer of the API to the icon that pages name themselves."""
    return redirect(static("console/favicon.svg"))


api_urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("arbplatform.api.urls")),
    *(
        path("", include(f"{app}.api.urls"))
        for app in ("markets", "accounts", "ledger", "strategies")
        if find_spec(f"{app}.api.urls")
    ),
    route("alarms", AlarmListView.as_view(), name="alarms"),
    route("overview", OverviewView.as_view(), name="overview"),
    route("health", HealthView.as_view(), name="health"),
]

urlpatterns = [
    path("", home),
    path("favicon.ico", favicon),
    route("healthz", live, name="live"),
    route("metrics", metrics, name="metrics"),
    path("api/", include(api_urlpatterns)),
    path(
        "api/",
        include(
            [
                route(
                    "schema",
                    DocumentView.as_view(),
                    name="schema",
                    takes_anything=True,
                ),
                route(
                    "docs",
                    SpectacularSwaggerSplitView.as_view(url_name="schema"),
                    name="docs",
                    takes_anything=True,
                ),
            ]
        ),
    ),
    re_path(r"^api(?:/.*)?$", unknown_address),
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/health/", health_page, name="health_page"),
    path("admin/", admin.site.urls),
]

handler400 = "arbplatform.api.handlers.bad_request"
handler403 = "arbplatform.api.handlers.permission_denied"
handler404 = "arbplatform.api.handlers.page_not_found"
handler500 = "arbplatform.api.handlers.server_error"
