"""Answers to what goes wrong outside of a view: under /api/ they come in the envelope too."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseServerError, JsonResponse
from django.shortcuts import render as render_template
from django.template.loader import render_to_string
from django.views import csrf, defaults
from django.views.decorators.csrf import csrf_exempt

from arbplatform.api import errors
from arbplatform.api.exception_handler import Answer, explain, report_bug
from arbplatform.core.errors import ArbError
from arbplatform.logs import request_id

API_PREFIX = "/api/"


def is_api(request: HttpRequest) -> bool:
    """Return whether the request is a program's, which reads envelopes."""
    return request.path.startswith(API_PREFIX)


def to_response(answer: Answer) -> JsonResponse:
    """Return an answer outside of DRF."""
    return JsonResponse(
        answer.body,
        status=answer.status,
        headers=answer.headers,
        json_dumps_params={"ensure_ascii": False},
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that Django itself refuses, for instance one for another host."""
    return _answer(request, exception, defaults.bad_request)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that the person may not make."""
    return _answer(request, exception, defaults.permission_denied)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request for an address that does not exist."""
    if is_api(request):
        return unknown_address(request)
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer after a crash outside of a view; Django has logged it."""
    if is_api(request):
        return to_response(report_bug(None, request.path))
    # without the request: what is read for it on other pages may be just what has failed
    page = render_to_string("500.html", {"request_id": request_id.get()})
    return HttpResponseServerError(page)


@csrf_exempt
def unknown_address(request: HttpRequest) -> HttpResponse:
    """Say that no view answers at this address; also when DEBUG shows its own pages."""
    return to_response(explain(errors.UnknownAddress(path=request.path), path=request.path))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a request without the CSRF token."""
    if is_api(request):
        return to_response(explain(errors.CsrfFailed(), path=request.path))
    return csrf.csrf_failure(request, reason=reason)


def locked_out(request: HttpRequest, *_: Any) -> HttpResponse:
    """Answer a login attempt while axes keeps the door locked; its ``AXES_LOCKOUT_CALLABLE``."""
    answer = explain(login_locked(), path=request.path)
    if is_api(request):
        return to_response(answer)
    context = {"message": answer.body["msg"]}
    return render_template(request, "admin/locked_out.html", context, status=answer.status)


def login_locked() -> ArbError:
    """Return the error that tells how long login stays locked."""
    minutes = int(settings.AXES_COOLOFF_TIME.total_seconds() // 60)
    return errors.LoginLocked(minutes=minutes)


def _answer(
    request: HttpRequest, exception: Exception, otherwise: Callable[..., HttpResponse]
) -> HttpResponse:
    if is_api(request):
        return to_response(explain(exception, path=request.path))
    return otherwise(request, exception)
