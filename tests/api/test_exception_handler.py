"""Every exception becomes an envelope with a code, a sentence and the right status."""

import json
import logging
import re

import pytest
from django.core import exceptions as django_errors
from django.db import DataError, OperationalError
from django.http import Http404, UnreadablePostError
from django.utils import translation
from rest_framework import exceptions as drf
from rest_framework.renderers import TemplateHTMLRenderer
from rest_framework.response import Response
from rest_framework.views import APIView

from arbplatform.api import errors
from arbplatform.api.exception_handler import (
    FIELD_MESSAGES_MAX,
    STATUS_OF_KIND,
    explain,
    flatten,
)
from arbplatform.core.errors import (
    ArbError,
    Bug,
    Conflict,
    Denied,
    ErrorKind,
    InvalidInput,
    LimitExceeded,
    Message,
    NotAllowed,
    NotFound,
    RateLimited,
    Unauthenticated,
    Unavailable,
)


def raising(error):
    def behave(request):
        raise error

    return behave


def answer_to(call, error, **options):
    response = call(raising(error), **options)
    return response.status_code, json.loads(response.content)


class VenueSaidNo(ArbError):
    code = 1998
    kind = ErrorKind.VENUE_REFUSED


class NobodyKnows(ArbError):
    code = 1999
    kind = ErrorKind.OUTCOME_UNKNOWN


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (InvalidInput("No."), 400, 1001),
        (Unauthenticated("No."), 401, 1009),
        (Denied("No."), 403, 1005),
        (NotFound("No."), 404, 1002),
        (NotAllowed("No."), 405, 1010),
        (Conflict("No."), 409, 1003),
        (LimitExceeded("No."), 422, 1006),
        (VenueSaidNo("No."), 422, 1998),
        (RateLimited("No."), 429, 1008),
        (NobodyKnows("No."), 502, 1999),
        (Unavailable("No."), 503, 1007),
    ],
)
def test_our_errors_keep_code_and_sentence_and_get_the_status_of_their_kind(
    call, error, status, code
):
    assert answer_to(call, error) == (status, {"code": code, "msg": "No.", "data": None})


def test_every_kind_has_a_status():
    assert set(STATUS_OF_KIND) == set(ErrorKind)


def test_values_are_filled_into_the_sentence(call):
    _status, body = answer_to(call, NotFound("No strategy has the id {id}.", id=7))

    assert body["msg"] == "No strategy has the id 7."


def test_named_fields_are_reported(call):
    error = InvalidInput(fields={"params.size": [Message("Above {limit}.", {"limit": 3})]})

    status, body = answer_to(call, error)

    assert (status, body["code"]) == (400, 1001)
    assert body["data"] == {"fields": {"params.size": ["Above 3."]}}


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (drf.ParseError("bad"), 400, errors.MalformedBody.code),
        (drf.NotAuthenticated(), 401, Unauthenticated.code),
        (drf.AuthenticationFailed(), 401, errors.InvalidToken.code),
        (drf.PermissionDenied(), 403, Denied.code),
        (drf.PermissionDenied("CSRF Failed: CSRF token missing."), 403, errors.CsrfFailed.code),
        (django_errors.PermissionDenied(), 403, Denied.code),
        (drf.NotFound(), 404, NotFound.code),
        (Http404(), 404, NotFound.code),
        (django_errors.ObjectDoesNotExist(), 404, NotFound.code),
        (drf.MethodNotAllowed("PATCH"), 405, NotAllowed.code),
        (drf.UnsupportedMediaType("text/plain"), 415, errors.UnsupportedContentType.code),
        (errors.UnsupportedContentType(content_type="x"), 415, errors.UnsupportedContentType.code),
        (drf.Throttled(), 429, RateLimited.code),
        (drf.NotAcceptable(), 406, InvalidInput.code),
        (django_errors.RequestDataTooBig(), 413, errors.BodyTooLarge.code),
        (django_errors.SuspiciousOperation(), 400, InvalidInput.code),
        (UnreadablePostError(), 400, errors.MalformedBody.code),
        (OperationalError("down"), 503, Unavailable.code),
        (DataError("out of range"), 400, InvalidInput.code),
        (django_errors.ValidationError("wrong"), 400, InvalidInput.code),
    ],
)
def test_errors_of_the_frameworks_get_our_codes(call, error, status, code):
    found_status, body = answer_to(call, error)

    assert (found_status, body["code"]) == (status, code)
    assert set(body) == {"code", "msg", "data"}
    assert body["msg"].endswith(".")


def test_a_refused_login_says_how_to_log_in(call):
    response = call(raising(drf.NotAuthenticated()))

    assert response["WWW-Authenticate"] == "Token"


def test_a_throttled_client_is_told_how_long_to_wait(call):
    response = call(raising(drf.Throttled(wait=2.3)))

    assert response["Retry-After"] == "3"


def test_nested_validation_errors_become_dotted_names(call):
    error = drf.ValidationError(
        {"name": ["Too long."], "params": {"symbols": ["Empty."]}, "accounts": [{}, ["No."]]}
    )

    _status, body = answer_to(call, error)

    assert body["data"]["fields"] == {
        "name": ["Too long."],
        "params.symbols": ["Empty."],
        "accounts.1": ["No."],
    }


def test_validation_errors_of_a_model_name_their_fields(call):
    error = django_errors.ValidationError({"code": ["Taken."]})

    _status, body = answer_to(call, error)

    assert body["data"]["fields"] == {"code": ["Taken."]}


def test_an_error_without_a_field_still_says_what_is_wrong():
    assert flatten(["Both cannot be."]) == {"non_field_errors": ["Both cannot be."]}
    assert flatten("Both cannot be.") == {"non_field_errors": ["Both cannot be."]}


def test_the_number_of_complaints_is_bounded():
    many = {str(number): ["wrong"] for number in range(10_000)}

    assert len(flatten(many)) == FIELD_MESSAGES_MAX


def test_an_unforeseen_error_is_logged_and_hidden(call, caplog):
    with caplog.at_level(logging.ERROR):
        status, body = answer_to(call, KeyError("the inner secret"))

    assert (status, body["code"], body["data"]) == (500, 9000, None)
    assert "inner secret" not in body["msg"]
    (error_id,) = re.findall(r"[0-9a-f]{12}", body["msg"])
    assert error_id in caplog.text
    assert "the inner secret" in caplog.text


def test_a_bug_that_we_found_ourselves_keeps_its_code_but_not_its_words(call, caplog):
    class BooksBroken(Bug):
        code = 1997
        summary = "The books of {owner} are broken."

    status, body = answer_to(call, BooksBroken(owner="somebody"))

    assert (status, body["code"]) == (500, 1997)
    assert "somebody" not in body["msg"]
    assert "somebody" in caplog.text
    assert Bug.code == 9000


def test_an_error_is_json_also_where_the_view_speaks_something_else(rf):
    class Page(APIView):
        renderer_classes = (TemplateHTMLRenderer,)
        permission_classes = ()

        def get(self, request):
            raise NotFound("No.")

    response = Page.as_view()(rf.get("/api/page")).render()

    assert json.loads(response.content) == {"code": 1002, "msg": "No.", "data": None}


def test_the_sentence_is_in_the_readers_language():
    with translation.override("zh-hans"):
        text = str(explain(NotFound()).body["msg"])

    assert text != NotFound.summary
    assert re.search("[一-鿿]", text)


def test_a_view_may_answer_an_error_with_a_status_of_its_own(call):
    response = call(lambda request: Response({"x": 1}, status=202))

    assert response.status_code == 202
